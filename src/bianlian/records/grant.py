"""Permission for one render. A `Grant` is made in one place, `donors/consent.py`; a test reads the syntax tree to keep it so."""

from __future__ import annotations

from datetime import datetime
from typing import final


@final
class Grant:
    """One donor's face, on one person, in one file, in one job.

    A plain slotted class on purpose: `dataclasses.replace` would walk round a sealed dataclass. The type guides honest
    callers; the barrier is that `consent.confirm` checks the signed receipt again before release (docs/threat-model.md).
    """

    __slots__ = (
        "donor_id", "receipt_id", "receipt_sha256", "template_commitment", "job_id", "source_sha256", "person",
        "purpose", "permits_opening_label", "expires",
    )  # fmt: skip

    def __init__(
        self, *, donor_id: str, receipt_id: str, receipt_sha256: str, template_commitment: str, job_id: str,
        source_sha256: str, person: int, purpose: str, permits_opening_label: bool, expires: datetime,
    ) -> None:  # fmt: skip
        for name, value in (
            ("donor_id", donor_id), ("receipt_id", receipt_id), ("receipt_sha256", receipt_sha256),
            ("template_commitment", template_commitment), ("job_id", job_id), ("source_sha256", source_sha256),
            ("person", person), ("purpose", purpose), ("permits_opening_label", permits_opening_label), ("expires", expires),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    donor_id: str
    """Pseudonym; never a name."""
    receipt_id: str
    receipt_sha256: str
    """SHA-256 of the signed receipt's bytes, as the manifest carries it."""
    template_commitment: str
    """Commitment to the donor's face template; the appearance that is drawn must carry the same one."""
    job_id: str
    source_sha256: str
    person: int
    purpose: str
    permits_opening_label: bool
    """The receipt names an artistic work, so the visible label may be the opening profile."""
    expires: datetime

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a grant cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a grant cannot be changed")

    def __init_subclass__(cls) -> None:
        raise TypeError("a grant cannot be subclassed")

    def __copy__(self) -> Grant:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a grant does not leave its process; authorise again from the receipt")
