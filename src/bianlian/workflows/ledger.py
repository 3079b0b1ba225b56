"""Look at the ledger: whole or altered, what it says, and proofs to take away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bianlian.donors import merkle
from bianlian.errors import CallerError
from bianlian.records.donor import stamp
from bianlian.workflows.house import House


def check(house: House) -> dict[str, Any]:
    """Check every entry, the chain, the tree and the signed heads.

    Raises:
        InstallationError: with the first thing that does not fit.
    """
    count = house.donors.ledger.check()
    if not count:
        return {"entries": 0}
    head = house.donors.ledger.head()
    return {"entries": count, "root": head.root, "installation": house.donors.installation.id}


def entries(house: House, kind: str) -> Iterator[dict[str, Any]]:
    """Entries as JSON records, oldest first."""
    for entry in house.donors.ledger.entries(kind):
        yield {"seq": entry.seq, "at": stamp(entry.at), "kind": entry.kind, **entry.facts}


def proof(house: House, seq: int) -> dict[str, Any]:
    """An entry with its inclusion proof (RFC 6962) under the newest signed head; `tools/check_ledger.py` checks it.

    Raises:
        CallerError: there is no such entry.
    """
    ledger = house.donors.ledger
    entry = next((entry for entry in ledger.entries() if entry.seq == seq), None)
    if entry is None:
        raise CallerError(f"There is no entry {seq} in the ledger.", advice="See: bianlian ledger show")
    head, steps = ledger.inclusion(seq)
    return {
        "entry": json.loads(entry.content),
        "leaf": merkle.leaf_hash(entry.content).hex(),
        "head": json.loads(head.document),
        "inclusion": [step.hex() for step in steps],
    }
