"""The notice that a donor is shown before recording; its hash stands in the receipt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from bianlian.errors import CallerError

VERSION = "1"
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Who runs an installation and answers for it."""

    name: str = "the owner of this machine"
    contact: str = "in person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice as it was shown."""

    language: str
    text: str
    controller: Controller
    version: str = VERSION

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def notice(language: str, controller: Controller) -> Notice:
    """The notice in "en" or "zh".

    Raises:
        CallerError: there is no notice in this language.
    """
    if language not in LANGUAGES:
        raise CallerError(f"There is no notice in {language!r}.", advice=f"Choose one of: {', '.join(LANGUAGES)}")
    text = (
        shipped(f"notice.{language}.md")
        .replace("{controller}", controller.name)
        .replace("{contact}", controller.contact)
    )
    return Notice(language=language, text=text, controller=controller)


def shipped(name: str) -> str:
    """A text that comes with the program.

    Raises:
        CallerError: there is none of this name, so none in this language.
    """
    try:
        return resources.files("bianlian.donors").joinpath("notices", name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CallerError(f"There is no text {name}.", advice=f"Languages are: {', '.join(LANGUAGES)}") from error
