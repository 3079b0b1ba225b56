"""The decision whether a donor's face may be used: a pure function of signed papers, the use, and the time.

In this order, each step refusing with a code of its own:
 1. the receipt is signed by the donor and by the installation that is trusted                receipt-bad
 2. the clock does not stand before the ledger's last entry                                   clock-set-back
 3. the status list is that installation's, unchanged and fresh                              status-bad, status-stale
 4. the consent is not withdrawn, by the list or by the ledger                                revoked
 5. notice, recording and enrolled face are those that the receipt names                      notice-, capture-, template-mismatch
 6. the use is within scope and term                                                          scope-…
 7. the consent is not used up                                                                used-up

This module alone makes a `Grant`. `confirm` takes the same steps again before a file is released. `delegated` hands grants on
to a worker on another machine; what it draws is confirmed at home like everything else.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bianlian.donors import delegation, revocation
from bianlian.donors.ledger import CLOCK_TOLERANCE
from bianlian.donors.receipts import Evidence, Receipt, verify_receipt
from bianlian.donors.scope import check_scope
from bianlian.errors import ConsentRefused
from bianlian.records.donor import Use, stamp
from bianlian.records.grant import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the ledger says about one receipt."""

    last_entry: datetime
    is_revoked: bool
    released: frozenset[tuple[str, str, int]]
    """(job, SHA-256 of the footage, person) of each result that was released under the receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """Everything that the decision rests on, as it lies on disk now."""

    receipt: bytes
    status: bytes
    trust: Ed25519PublicKey
    """Key of the installation."""
    evidence: Evidence
    """Calculated afresh from the vault."""
    history: History


def authorise(papers: Papers, use: Use, now: datetime) -> Grant:
    """Permit one use, or refuse it.

    Raises:
        ConsentRefused: with the code of the first step that failed.
    """
    receipt = check(papers, use, now)
    return Grant(
        donor_id=receipt.donor_id,
        receipt_id=receipt.id,
        receipt_sha256=receipt.sha256,
        template_commitment=receipt.evidence.template_commitment,
        job_id=use.job_id,
        source_sha256=use.source_sha256,
        person=use.person,
        purpose=use.purpose,
        permits_opening_label=receipt.scope.artistic_work,
        expires=receipt.scope.until,
    )


def confirm(grant: Grant, papers: Papers, use: Use, now: datetime) -> None:
    """Decide again before release, and that the grant is for this very use.

    Raises:
        ConsentRefused: as `authorise`; grant-mismatch when the grant says otherwise than the papers.
    """
    receipt = check(papers, use, now)
    granted = (
        grant.donor_id,
        grant.receipt_sha256,
        grant.template_commitment,
        grant.job_id,
        grant.source_sha256,
        grant.person,
    )
    found = (
        receipt.donor_id,
        receipt.sha256,
        receipt.evidence.template_commitment,
        use.job_id,
        use.source_sha256,
        use.person,
    )
    rights = (grant.purpose, grant.permits_opening_label, grant.expires)
    if granted != found or rights != (use.purpose, receipt.scope.artistic_work, receipt.scope.until):
        raise ConsentRefused("The grant is for another use than this one.", code="grant-mismatch")


def delegated(
    document: bytes, head: Ed25519PublicKey, worker: X25519PrivateKey, now: datetime
) -> tuple[delegation.WorkOrder, tuple[Grant, ...]]:
    """The grants that a work order of `head` states, for this worker alone.

    Raises:
        ConsentRefused: order-bad, order-expired.
    """
    order = delegation.read(document, head, worker, now)
    return order, tuple(Grant(**facts) for facts in order.grants)


def check(papers: Papers, use: Use, now: datetime) -> Receipt:
    """Take the steps without making a grant: for a performer, whose consent is asked for as well.

    Raises:
        ConsentRefused: with the code of the first step that failed.
    """
    receipt = verify_receipt(papers.receipt, papers.trust)
    if now < papers.history.last_entry - CLOCK_TOLERANCE:
        raise ConsentRefused(
            f"The clock says {stamp(now)}, but the ledger was already written at {stamp(papers.history.last_entry)}.",
            code="clock-set-back",
            advice="Set this machine's clock right.",
        )
    status = revocation.read(papers.status, papers.trust)
    status.require_fresh(now)
    if status.is_revoked(receipt.status_index) or papers.history.is_revoked:
        raise ConsentRefused("The donor has withdrawn this consent.", code="revoked", advice="Cast another donor.")
    _check_evidence(receipt.evidence, papers.evidence)
    check_scope(receipt.scope, use, now)
    others = papers.history.released - {(use.job_id, use.source_sha256, use.person)}
    if len(others) >= receipt.scope.max_uses:
        raise ConsentRefused(
            f"The donor allows {receipt.scope.max_uses} results; as many were released.",
            code="used-up",
            advice="Ask the donor for a new consent.",
        )
    return receipt


def _check_evidence(signed: Evidence, found: Evidence) -> None:
    for name, expected, present in (
        ("notice", signed.notice_sha256, found.notice_sha256),
        ("capture", signed.capture_sha256, found.capture_sha256),
        ("template", signed.template_commitment, found.template_commitment),
    ):
        if not hmac.compare_digest(expected, present):
            raise ConsentRefused(
                f"The {name} in the vault is not the one that the receipt was signed for.",
                code=f"{name}-mismatch",
                advice="Restore the data folder from your backup, or enrol the donor again.",
            )
