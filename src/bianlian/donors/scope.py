"""Scope: what a donor allows, as a small TOML file that a person can read, and the decision whether a use is within it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bianlian.errors import CallerError, ConsentRefused
from bianlian.records.donor import Use, moment, stamp

PURPOSES = (
    "film", "documentary", "news", "witness-protection", "art", "satire", "education", "research", "advertising", "test",
)  # fmt: skip
PUBLICATIONS = ("private", "internal", "limited", "public")
"""How far a result is shown, each including those before: only the donor and the maker; the makers' team; a closed audience
(a festival, a course, a court); everybody."""
ALWAYS_FORBIDDEN = ("intimate", "fraud", "identity-check", "political-advertising", "harassment")
"""Forbidden whatever the donor writes (docs/consent.md)."""
LONGEST_TERM = timedelta(days=3653)
"""Ten years, the longest licence for a living person in the NO FAKES Act of 2026 as reported."""
EU = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
_KEYS = frozenset(
    "adult purposes projects files publication regions from until max_uses forbidden artistic_work".split()
)
_EARLIEST = timedelta(hours=14)
"""A day begins 14 hours before UTC's in the first time zone; a donor in China need not wait until 8 o'clock."""
_SHA256 = re.compile(r"[0-9a-f]{64}")

EXAMPLE = """\
# What I allow to be done with my face. Lines that begin with # explain and can be deleted.
adult = true                        # I am 18 or older. Nobody can say this for somebody else.
purposes = ["film", "test"]         # {purposes}
projects = ["Bianlian demo"]        # titles, exactly as they will be named; ["any"] for any
# files = ["<sha256 of footage>"]   # instead or besides: only these files of footage
publication = "public"              # at most: {publications}
regions = ["worldwide"]             # or countries ("CN", "DE") and "EU"
from = {start}
until = {end}
max_uses = 100                      # how many results at most
forbidden = ["advertising"]         # besides what is always forbidden: {forbidden}
artistic_work = false               # true: the visible label may stand at the opening only, as the law allows evident art
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The uses that a donor allows."""

    purposes: tuple[str, ...]
    projects: tuple[str, ...]
    """Titles, or ("any",); empty when only `files` are allowed."""
    files: tuple[str, ...]
    """SHA-256 of the footage, lower-case hex; empty: any footage of the projects."""
    publication: str
    regions: tuple[str, ...]
    start: datetime
    until: datetime
    max_uses: int
    forbidden: tuple[str, ...]
    """Always with `ALWAYS_FORBIDDEN`."""
    artistic_work: bool


def example_scope(now: datetime) -> str:
    """A scope file to start from, valid from today for a year."""
    today = now.astimezone(UTC).date()
    return EXAMPLE.format(
        purposes=" ".join(PURPOSES), publications=" < ".join(PUBLICATIONS), forbidden=", ".join(ALWAYS_FORBIDDEN),
        start=today.isoformat(), end=(today + timedelta(days=365)).isoformat(),
    )  # fmt: skip


def parse_scope(text: str) -> Scope:
    """Read a scope file.

    Raises:
        CallerError: the file is not right; the sentence names the line or key.
        ConsentRefused: code minor, when the declaration of majority is missing or false.
    """
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CallerError(
            f"The scope file is not TOML: {error}.", advice="Compare it with: bianlian donor scope-example"
        ) from error
    unknown = sorted(set(body) - _KEYS)
    if unknown:
        raise _wrong(unknown[0], f"is not a key of a scope; there are: {', '.join(sorted(_KEYS))}")
    _require_adult(body)
    start, until = _day(body, "from", time.min) - _EARLIEST, _day(body, "until", time.max)
    if until <= start:
        raise _wrong("until", "must be later than from")
    if until - start > LONGEST_TERM + timedelta(days=2):
        raise _wrong("until", "must be within ten years of from; consent can be given again")
    projects, files = _words(body, "projects", ()), _words(body, "files", ())
    if not projects and not files:
        raise _wrong("projects", 'must name titles, or "any"; or name files')
    if any(not _SHA256.fullmatch(name) for name in files):
        raise _wrong("files", "must hold SHA-256 digests, 64 lower-case hex digits each")
    regions = _words(body, "regions", None)
    if any(not re.fullmatch(r"[A-Z]{2}|worldwide", region) for region in regions):
        raise _wrong("regions", 'must hold two-letter codes ("CN"), "EU" or "worldwide"')
    return Scope(
        purposes=_words(body, "purposes", None, PURPOSES),
        projects=projects,
        files=files,
        publication=_words(body, "publication", None, PUBLICATIONS)[0],
        regions=regions,
        start=start,
        until=until,
        max_uses=_count(body),
        forbidden=tuple(dict.fromkeys((*ALWAYS_FORBIDDEN, *_words(body, "forbidden", ())))),
        artistic_work=_claim(body, "artistic_work"),
    )


def check_scope(scope: Scope, use: Use, now: datetime) -> None:
    """Decide whether a use is within the scope; how often it was used is decided where the ledger is.

    Raises:
        ConsentRefused: not-yet-valid, expired, forbidden, purpose, project, file, publication or region, prefixed "scope-".
    """
    if now < scope.start:
        raise _outside("not-yet-valid", f"The consent begins at {stamp(scope.start)}.")
    if now > scope.until:
        raise _outside("expired", f"The consent ended at {stamp(scope.until)}.")
    barred = [word for word in (use.purpose, *use.contains) if word in scope.forbidden]
    if barred:
        raise _outside("forbidden", f"The donor forbids {barred[0]}.")
    if use.purpose not in scope.purposes:
        raise _outside("purpose", f'The donor allows {", ".join(scope.purposes)}; asked was "{use.purpose}".')
    if scope.projects and "any" not in scope.projects and use.project not in scope.projects:
        raise _outside(
            "project", f'The donor allows the projects {", ".join(scope.projects)}; asked was "{use.project}".'
        )
    if scope.files and use.source_sha256 not in scope.files:
        raise _outside("file", "This footage is not among the files that the donor allows.")
    if use.publication not in PUBLICATIONS or PUBLICATIONS.index(use.publication) > PUBLICATIONS.index(
        scope.publication
    ):
        raise _outside(
            "publication", f'The donor allows publication up to "{scope.publication}"; asked was "{use.publication}".'
        )
    if not use.regions or not all(_covers(scope.regions, region) for region in use.regions):
        raise _outside(
            "region", f"The donor allows {', '.join(scope.regions)}; asked was {', '.join(use.regions) or 'nothing'}."
        )


def scope_to_json(scope: Scope) -> dict[str, Any]:
    """The scope as it stands in a receipt."""
    return {
        "purposes": list(scope.purposes), "projects": list(scope.projects), "files": list(scope.files),
        "publication": scope.publication, "regions": list(scope.regions), "from": stamp(scope.start),
        "until": stamp(scope.until), "max_uses": scope.max_uses, "prohibited": list(scope.forbidden),
        "artistic_work": scope.artistic_work,
    }  # fmt: skip


def scope_from_json(body: dict[str, Any]) -> Scope:
    """The inverse of `scope_to_json`, for a body whose signature was checked."""
    return Scope(
        purposes=tuple(body["purposes"]), projects=tuple(body["projects"]), files=tuple(body["files"]),
        publication=body["publication"], regions=tuple(body["regions"]), start=moment(body["from"]),
        until=moment(body["until"]), max_uses=body["max_uses"], forbidden=tuple(body["prohibited"]),
        artistic_work=body["artistic_work"],
    )  # fmt: skip


def _covers(allowed: Sequence[str], region: str) -> bool:
    return "worldwide" in allowed or region in allowed or (region in EU and "EU" in allowed)


def _require_adult(body: dict[str, Any]) -> None:
    if body.get("adult") is not True:
        raise ConsentRefused(
            "The scope lacks the declaration of majority: adult = true.",
            code="minor",
            advice="Only persons of 18 or more can be donors, and only they can declare it; no guardian can.",
        )


def _words(
    body: dict[str, Any], key: str, default: tuple[str, ...] | None, known: Sequence[str] = ()
) -> tuple[str, ...]:
    value = body.get(key, default)
    if isinstance(value, str):
        value = [value]
    if value is None or (not value and default is None):
        raise _wrong(key, "is missing")
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) and word.strip() for word in value):
        raise _wrong(key, "must be a list of words in quotes")
    words = tuple(word.strip() for word in value)
    strange = [word for word in words if known and word not in known]
    if strange:
        raise _wrong(key, f'does not know "{strange[0]}"; there are: {", ".join(known)}')
    return words


def _day(body: dict[str, Any], key: str, of_day: time) -> datetime:
    value = body.get(key)
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, of_day.replace(microsecond=0), UTC)
    raise _wrong(key, "must be a date such as 2027-01-31, without quotes")


def _count(body: dict[str, Any]) -> int:
    value = body.get("max_uses")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise _wrong("max_uses", "must be a number from 1 to 100000")
    return value


def _claim(body: dict[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(key, "must be true or false, without quotes")
    return value


def _wrong(key: str, what: str) -> CallerError:
    return CallerError(f'Scope: "{key}" {what}.', advice="Correct the scope file and try again.")


def _outside(code: str, sentence: str) -> ConsentRefused:
    return ConsentRefused(
        sentence, code=f"scope-{code}", advice="Ask the donor for a consent that covers this use, or change the use."
    )
