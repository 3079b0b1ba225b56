"""The person whose face is replaced counts too: on what basis, and for what use, stated in a small TOML file."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from typing import Any, TypeVar

from bianlian.donors.scope import PUBLICATIONS, PURPOSES
from bianlian.errors import CallerError, ConsentRefused
from bianlian.records.donor import Use

BASES = ("own-footage", "contract", "synthetic", "archival", "receipt")
"""The maker is the performer; a signed agreement; nobody, a rendered figure; footage with rights cleared; the performer's own
receipt."""
_NEEDS = {
    "own-footage": "", "contract": "reference", "synthetic": "", "archival": "reference", "receipt": "donor",
}  # fmt: skip
_Item = TypeVar("_Item", str, int)
_USE_KEYS = frozenset(("purpose", "project", "publication", "regions", "contains"))
_PERFORMER_KEYS = frozenset(("persons", "basis", "statement", "declared_by", "adult", "reference", "donor"))

EXAMPLE = """\
# Who is replaced, on what basis, and what the result is for.
[use]
purpose = "film"                    # {purposes}
project = "Bianlian demo"
publication = "public"              # {publications}
regions = ["worldwide"]             # or countries ("CN", "DE") and "EU"
# contains = ["violence"]           # what the footage shows or serves that a donor may have forbidden

[[performer]]
basis = "synthetic"                 # {bases}
statement = "A rendered figure; no person was filmed."
declared_by = "the demo"
adult = true                        # the person in the footage is 18 or older, or shows nobody under 18
# persons = [1]                     # numbers as in `bianlian people`; without it: every person who is cast
# reference = "contract 2026-14"    # contract, archival: where the paper lies
# donor = "NAME"                    # receipt: the performer is enrolled here, and consents so
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """The basis on which one or more persons of the footage are replaced."""

    persons: tuple[int, ...]
    """Numbers of the persons; empty: every person who is cast."""
    basis: str
    statement: str
    declared_by: str
    reference: str
    """Where the paper lies; for a receipt, the name under which the performer is enrolled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """What a performer file says: the use that is asked for, and the basis for each person."""

    purpose: str
    project: str
    publication: str
    regions: tuple[str, ...]
    contains: tuple[str, ...]
    performers: tuple[Performer, ...]
    sha256: str
    """Digest of the file; it goes into the ledger."""

    def use(self, job_id: str, source_sha256: str, person: int) -> Use:
        """The use of one donor's face in this production."""
        return Use(
            job_id=job_id, source_sha256=source_sha256, person=person, purpose=self.purpose, project=self.project,
            publication=self.publication, regions=self.regions, contains=self.contains,
        )  # fmt: skip

    def basis_of(self, person: int) -> Performer:
        """The basis for a person.

        Raises:
            ConsentRefused: code performer-missing.
        """
        for performer in self.performers:
            if not performer.persons or person in performer.persons:
                return performer
        raise ConsentRefused(
            f"The performer file gives no basis for replacing person {person}.",
            code="performer-missing",
            advice="Add a [[performer]] with persons = [...] to the file, or do not cast this person.",
        )


def example_performer() -> str:
    """A performer file to start from."""
    return EXAMPLE.format(purposes=" ".join(PURPOSES), publications=" < ".join(PUBLICATIONS), bases=" ".join(BASES))


def parse_production(content: bytes) -> Production:
    """Read a performer file.

    Raises:
        CallerError: the file is not right; the sentence names the line or key.
        ConsentRefused: code performer-minor, when it does not say that the performer is an adult.
    """
    try:
        body = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CallerError(f"The performer file is not TOML: {error}.") from error
    _known(body, frozenset(("use", "performer")), "")
    use, listed = body.get("use"), body.get("performer")
    if not isinstance(use, dict):
        raise _wrong("[use]", "is missing")
    if isinstance(listed, dict):
        listed = [listed]
    if not isinstance(listed, list) or not listed or not all(isinstance(entry, dict) for entry in listed):
        raise _wrong("[[performer]]", "is missing")
    _known(use, _USE_KEYS, "use.")
    if not use.get("regions"):
        raise _wrong("regions", 'is missing, e.g. ["CN"], ["EU"] or ["worldwide"]')
    return Production(
        purpose=_word(use, "purpose", PURPOSES),
        project=_word(use, "project"),
        publication=_word(use, "publication", PUBLICATIONS),
        regions=_list(use, "regions", str),
        contains=_list(use, "contains", str),
        performers=tuple(_performer(entry) for entry in listed),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _performer(entry: dict[str, Any]) -> Performer:
    _known(entry, _PERFORMER_KEYS, "performer.")
    basis = _word(entry, "basis", BASES)
    if entry.get("adult") is not True:
        raise ConsentRefused(
            "The performer file does not say that the person in the footage is an adult: adult = true.",
            code="performer-minor",
            advice="Footage of persons under 18 is not changed.",
        )
    needed = _NEEDS[basis]
    return Performer(
        persons=_list(entry, "persons", int),
        basis=basis,
        statement=_word(entry, "statement"),
        declared_by=_word(entry, "declared_by"),
        reference=_word(entry, needed) if needed else "",
    )


def _known(body: dict[str, Any], keys: frozenset[str], where: str) -> None:
    unknown = sorted(set(body) - keys)
    if unknown:
        raise _wrong(where + unknown[0], f"is not known here; there are: {', '.join(sorted(keys))}")


def _word(body: dict[str, Any], key: str, known: tuple[str, ...] = ()) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(key, "is missing, or is not a word in quotes")
    if known and value not in known:
        raise _wrong(key, f'does not know "{value}"; there are: {", ".join(known)}')
    return value.strip()


def _list(body: dict[str, Any], key: str, kind: type[_Item]) -> tuple[_Item, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, kind) and item for item in value):
        raise _wrong(key, "must be a list such as [1, 2]" if kind is int else 'must be a list such as ["CN", "EU"]')
    return tuple(value)


def _wrong(key: str, what: str) -> CallerError:
    return CallerError(f'Performer file: "{key}" {what}.', advice="Correct the file and try again.")
