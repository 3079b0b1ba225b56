"""The donors of one installation: enrol, look up, permit, release, export, withdraw, erase.

Here the pure parts meet disk and ledger. Every decision leaves a ledger entry, also the refusals; none holds a name or a face.
"""

from __future__ import annotations

import hmac
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bianlian.donors import consent, revocation
from bianlian.donors.capture import CaptureReport
from bianlian.donors.challenge import Challenge, check_challenge, check_rate, new_challenge
from bianlian.donors.consent import Papers
from bianlian.donors.entries import Fact
from bianlian.donors.files import write_whole
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import Ledger, LedgerWriter
from bianlian.donors.notices import Notice
from bianlian.donors.papers import (
    CAPTURE,
    DONOR_KEY,
    NAME,
    NOTICE,
    RECEIPT,
    SCOPE,
    TEMPLATE,
    commitment,
    digest_of,
    evidence_of,
    papers_of,
)
from bianlian.donors.performer import Production
from bianlian.donors.receipts import Agreement, Evidence, Receipt, sign_receipt
from bianlian.donors.roll import Donor, Roll, tidy
from bianlian.donors.scope import Scope
from bianlian.donors.vault import Vault
from bianlian.donors.withdrawals import Withdrawals
from bianlian.errors import CallerError, ConsentRefused, Refusal
from bianlian.records.donor import Use
from bianlian.records.grant import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a donor brings to be enrolled."""

    name: str
    """For people on this machine only; encrypted, never in ledger, receipt or manifest."""
    capture: Path
    challenge: Challenge
    report: CaptureReport
    scope: Scope
    scope_text: str
    notice: Notice
    """As it was shown."""
    jurisdiction: str = "unknown"


class Donors:
    """All donors of an installation. Safe to use from several processes at once."""

    def __init__(self, home: Path, installation: Installation, ledger: Ledger, rng: Random) -> None:
        self.installation, self.ledger, self.vault = installation, ledger, Vault(home, installation)
        self._receipts, self._rng = home / "receipts", rng
        self._roll = Roll(self.vault, self._receipts, installation.public_key)
        self._withdrawals = Withdrawals(home / "status-list.jwt", installation, ledger)

    @classmethod
    def open(cls, home: Path, now: datetime, *, rng: Random, passphrase: str = "") -> Donors:
        """Open the donors under `home`; `rng` must not be predictable (`random.SystemRandom()`).

        Raises:
            InstallationError: keys or ledger are unreadable, exposed or altered.
        """
        installation = Installation.open(home, now, passphrase=passphrase)
        ledger = Ledger.open(home / "ledger.sqlite", installation)
        donors = cls(home, installation, ledger, rng)
        donors._receipts.mkdir(exist_ok=True, mode=0o700)
        donors._withdrawals.begin(now)
        donors._finish()
        return donors

    # Enrolling

    def new_challenge(self, now: datetime) -> Challenge:
        """Draw a challenge and note it; refuses with code challenge-rate after 600 in an hour."""
        with self._recording(now):
            self.ledger.refuse_old_clock(now)
            with self.ledger.exclusive(now) as writer:
                check_rate(writer.entries("challenge"), now)
                challenge = new_challenge(self.installation, now, self._rng)
                writer.append("challenge", {"challenge": challenge.id})
        return challenge

    def check_enrolment(self, name: str, challenge: Challenge, capture_sha256: str, now: datetime) -> None:
        """All that can be refused before the capture is looked at: name, challenge, clock, a capture that was seen before.

        Raises:
            CallerError: the name is taken or unfit.
            ConsentRefused: challenge-…, capture-replayed, clock-set-back.
        """
        with self._recording(now, challenge=challenge.id[:64]):
            self.ledger.refuse_old_clock(now)
            self._check_new(name, challenge, capture_sha256, now, self.ledger)

    def enrol(self, enrolment: Enrolment, now: datetime) -> Donor:
        """Store a donor whose capture passed `check_capture`, sign the receipt, and write it down.

        Raises:
            As `check_enrolment`, whose checks are made again: time has passed, and others may have enrolled.
        """
        donor_id, receipt_id = f"d-{self._rng.getrandbits(64):016x}", f"r-{self._rng.getrandbits(64):016x}"
        capture_sha256 = digest_of(enrolment.capture.open("rb"))
        if (enrolment.report.capture_sha256, enrolment.report.challenge) != (capture_sha256, enrolment.challenge.id):
            raise ConsentRefused(
                "The recording is not the one that was checked.",
                code="capture-changed",
                advice="Leave the file alone while it is enrolled.",
            )
        self.vault.create(donor_id)
        try:
            with self._recording(now, challenge=enrolment.challenge.id), self.ledger.exclusive(now) as writer:
                self._check_new(enrolment.name, enrolment.challenge, capture_sha256, now, writer)
                key = Ed25519PrivateKey.generate()
                taken = [int(entry.facts["status_index"]) for entry in writer.entries("enrol")]
                agreement = Agreement(
                    receipt_id=receipt_id, donor_id=donor_id, notice=enrolment.notice,
                    scope=enrolment.scope, challenge=enrolment.challenge, jurisdiction=enrolment.jurisdiction,
                    evidence=Evidence(
                        template_commitment=commitment(self.vault, donor_id, enrolment.report.template.tobytes()),
                        capture_sha256=capture_sha256,
                        notice_sha256=enrolment.notice.sha256,
                    ),
                    status_index=revocation.free_index(taken, self._rng),
                )  # fmt: skip
                receipt = sign_receipt(agreement, key, self.installation, now)
                self._store(donor_id, enrolment, receipt, key)
                writer.append("enrol", {
                    "donor": donor_id, "receipt": receipt_id, "receipt_sha256": receipt.sha256,
                    "status_index": receipt.status_index,
                    "challenge": enrolment.challenge.id, "capture": self._seen_mark(capture_sha256), "level": receipt.level,
                    "drawn_in_a_day": sum(entry.at > now - timedelta(days=1) for entry in writer.entries("challenge")),
                })  # fmt: skip
        except BaseException:
            self.vault.erase(donor_id)
            self._roll.receipt_path(receipt_id).unlink(missing_ok=True)
            raise
        return Donor(id=donor_id, name=enrolment.name, receipt=receipt)

    # Looking up

    def list(self) -> tuple[Donor, ...]:
        """All donors who can be opened, by name."""
        return self._roll.list()

    def find(self, name: str) -> Donor:
        """The donor of this name, pseudonym or id. Raises as `Roll.find`."""
        return self._roll.find(name)

    def receipt_document(self, receipt_id: str) -> bytes:
        """A receipt by its id, also of a donor who is gone. Raises as `Roll.receipt_document`."""
        return self._roll.receipt_document(receipt_id)

    def revoked_at(self, receipt_id: str) -> datetime | None:
        """When a consent was withdrawn; None while it stands."""
        return self._withdrawals.since(receipt_id)

    def status(self, now: datetime) -> bytes:
        """The signed status list of withdrawn consents. Raises as `Withdrawals.status`."""
        return self._withdrawals.status(now)

    # Using

    def authorise(self, donor_id: str, use: Use, now: datetime) -> Grant:
        """Decide on one use and write the decision down.

        Raises:
            ConsentRefused: see `consent`.
        """
        facts: dict[str, Fact] = {
            "donor": donor_id,
            "job": use.job_id,
            "source_sha256": use.source_sha256,
            "person": use.person,
        }
        with self._recording(now, **facts):
            status, evidence = self.status(now), evidence_of(self.vault, donor_id)
            with self.ledger.exclusive(now) as writer:
                grant = consent.authorise(self._papers(donor_id, status, evidence, writer), use, now)
                writer.append("grant", {**facts, "receipt": grant.receipt_id})
        return grant

    def release(self, pairs: Sequence[tuple[Grant, Use]], output_sha256: str, now: datetime) -> None:
        """Confirm every grant of a file and note the release, with nobody between; the caller then renames the file.

        Raises:
            ConsentRefused: see `consent`; nothing may be released.
        """
        job = pairs[0][1].job_id if pairs else ""
        with self._recording(now, job=job, output_sha256=output_sha256):
            status = self.status(now)
            found = [evidence_of(self.vault, grant.donor_id) for grant, _ in pairs]
            with self.ledger.exclusive(now) as writer:
                for (grant, use), evidence in zip(pairs, found, strict=True):
                    consent.confirm(grant, self._papers(grant.donor_id, status, evidence, writer), use, now)
                    writer.append("release", {
                        "donor": grant.donor_id, "receipt": grant.receipt_id, "job": use.job_id, "person": use.person,
                        "source_sha256": use.source_sha256, "output_sha256": output_sha256,
                    })  # fmt: skip

    def note_production(
        self, production: Production, job_id: str, source_sha256: str, persons: Sequence[int], now: datetime
    ) -> None:
        """Write down on what basis each person of a file is replaced; a basis "receipt" must be an enrolled, valid one.

        Raises:
            ConsentRefused: performer-missing, or why the performer's receipt does not cover it.
        """
        with self._recording(now, job=job_id, performer_sha256=production.sha256):
            for person in persons:
                basis = production.basis_of(person)
                facts: dict[str, Fact] = {
                    "job": job_id, "person": person, "source_sha256": source_sha256, "basis": basis.basis,
                    "performer_sha256": production.sha256,
                }  # fmt: skip
                if basis.basis == "receipt":
                    use = production.use(job_id, source_sha256, person)
                    facts["receipt"] = self._performer_receipt(basis.reference, use, now)
                self.ledger.append("performer", facts, now)

    def note_refusal(self, refusal: Refusal, now: datetime, **facts: Fact) -> None:
        """Write a refusal of another stage (content, marks, capture) into the ledger."""
        self.ledger.append("refusal", {"code": refusal.code, **facts}, now)

    def commitment_of(self, donor_id: str) -> str:
        """Commitment to the enrolled face template; an appearance learnt from the capture carries it."""
        return commitment(self.vault, donor_id, self.vault.read(donor_id, TEMPLATE))

    # Withdrawing

    def revoke(self, name_or_receipt: str, now: datetime) -> str:
        """Withdraw a consent by the donor's name, pseudonym or receipt id: listed, noted, key destroyed, files gone.

        Returns:
            The receipt's id. Withdrawing twice is no error.
        """
        donor_id, receipt = self._roll.by_any_name(name_or_receipt)
        self._withdrawals.add(receipt, now)
        self.vault.erase(donor_id)
        self.status(now)
        return receipt.id

    def erase(self, name: str, now: datetime) -> str:
        """Erase a donor's data; with the data the consent ends, so it is withdrawn as well. Returns the receipt's id."""
        receipt_id = self.revoke(name, now)
        self.ledger.append("erase", {"receipt": receipt_id}, now)
        return receipt_id

    # Parts

    def _papers(self, donor_id: str, status: bytes, evidence: Evidence, writer: LedgerWriter) -> Papers:
        return papers_of(
            self.vault, self.installation, donor_id, status=status, evidence=evidence, ledger=writer.entries()
        )

    def _check_new(
        self, name: str, challenge: Challenge, capture_sha256: str, now: datetime, ledger: Ledger | LedgerWriter
    ) -> None:
        name = tidy(name)
        if any(name == self._roll.name_of(donor_id) for donor_id in self._roll.ids()):
            raise CallerError(
                f"There is a donor {name!r} already.", advice="Choose another name, or first: bianlian donor erase"
            )
        enrolled = list(ledger.entries("enrol"))
        check_challenge(challenge, self.installation, now, enrolled)
        if any(entry.facts["capture"] == self._seen_mark(capture_sha256) for entry in enrolled):
            raise ConsentRefused(
                "This recording was already used for an enrolment.",
                code="capture-replayed",
                advice="Record a new take for a new challenge.",
            )

    def _finish(self) -> None:
        """Erase what a crash left: donors whose withdrawal is noted, and enrolments that never came into the ledger."""
        self.vault.sweep()
        withdrawn = {entry.facts["donor"] for entry in self.ledger.entries("revoke")}
        enrolled = {entry.facts["donor"] for entry in self.ledger.entries("enrol")}
        for donor_id in self.vault.donors():
            if donor_id in withdrawn or (donor_id not in enrolled and self.vault.is_abandoned(donor_id)):
                self.vault.erase(donor_id)

    def _store(self, donor_id: str, enrolment: Enrolment, receipt: Receipt, key: Ed25519PrivateKey) -> None:
        with enrolment.capture.open("rb") as capture:
            self.vault.write(donor_id, CAPTURE, capture)
        for name, content in (
            (TEMPLATE, enrolment.report.template.tobytes()),
            (NAME, tidy(enrolment.name).encode()),
            (NOTICE, enrolment.notice.text.encode()),
            (DONOR_KEY, key.private_bytes_raw()),
            (SCOPE, enrolment.scope_text.encode()),
            (RECEIPT, receipt.document),
        ):
            self.vault.write(donor_id, name, content)
        write_whole(self._roll.receipt_path(receipt.id), receipt.document)

    def _performer_receipt(self, name: str, use: Use, now: datetime) -> str:
        donor = self._roll.find(name)
        status, evidence = self.status(now), evidence_of(self.vault, donor.id)
        with self.ledger.exclusive(now) as writer:
            return consent.check(self._papers(donor.id, status, evidence, writer), use, now).id

    def _seen_mark(self, capture_sha256: str) -> str:
        """What the ledger remembers of a recording: only this installation can tell whether it saw it."""
        return hmac.digest(self.installation.derive("captures"), capture_sha256.encode(), "sha256").hex()

    @contextmanager
    def _recording(self, now: datetime, **facts: Fact) -> Generator[None]:
        """Write a refusal that passes through into the ledger."""
        try:
            yield
        except ConsentRefused as refusal:
            self.note_refusal(refusal, now, **facts)
            raise
