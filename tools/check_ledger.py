#!/usr/bin/env python3
"""Check a Bianlian ledger without Bianlian: only Python and `cryptography` are needed.

    check_ledger.py ledger.sqlite [--key HEX] [--head OLD.head.json] [--proof EXPORT/ledger.json]

Checks each entry's form, the hash chain, the Merkle tree (RFC 6962), every signed head, the head beside the database, any
older head kept elsewhere (--head) and the proofs of a donor's export (--proof). --key: the installation's Ed25519 public key,
64 hex digits; without it no signature is checked, and the answer says so. Exit 0: whole. Exit 1: altered. Exit 2: wrong use.
"""

import argparse
import hashlib
import json
import pathlib
import sqlite3
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Altered(Exception):
    """The ledger is not what was signed."""


def canonical(value):
    """RFC 8785 for what a ledger holds: objects of strings, whole numbers and truth values, with ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots_of(leaves):  # the tree's head after each leaf
    peaks, roots = [], []
    for count, leaf in enumerate(leaves):
        peaks.append(leaf)
        level = 0
        while count >> level & 1:
            right, left = peaks.pop(), peaks.pop()
            peaks.append(node(left, right))
            level += 1
        root = peaks[-1]
        for peak in reversed(peaks[:-1]):
            root = node(peak, root)
        roots.append(root.hex())
    return roots


def check_entries(rows):
    previous, at, leaves = "", "", []
    for number, (seq, content) in enumerate(rows):
        entry = json.loads(content)
        if canonical(entry) != content or set(entry) != {"at", "facts", "kind", "previous", "seq"}:
            raise Altered(f"entry {number} is not in canonical form")
        if seq != number or entry["seq"] != number:
            raise Altered(f"entry {number} is missing or out of order")
        if entry["previous"] != previous:
            raise Altered(f"entry {number} does not follow from the one before")
        if entry["at"] < at:
            raise Altered(f"entry {number} is older than the one before")
        leaves.append(hashlib.sha256(b"\x00" + content).digest())
        previous, at = leaves[-1].hex(), entry["at"]
    return leaves


def check_head(document, roots, key):
    head = json.loads(document)
    signature = bytes.fromhex(head.pop("signature"))
    if canonical({**head, "signature": signature.hex()}) != document.rstrip(b"\n"):
        raise Altered("a head is not in canonical form")
    if not 0 < head["size"] <= len(roots) or roots[head["size"] - 1] != head["root"]:
        raise Altered(f"the head over {head['size']} entries does not belong to these entries")
    if key is not None:
        try:
            key.verify(signature, b"bianlian/ledger-head\n" + canonical(head))
        except InvalidSignature:
            raise Altered(f"the head over {head['size']} entries carries a wrong signature") from None
        if head["installation"] != hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]:
            raise Altered(f"the head over {head['size']} entries is another installation's")


def check_proof(line, roots):  # RFC 9162, 2.1.3.2
    index, size = line["entry"]["seq"], line["head"]["size"]
    number, last = index, size - 1
    running = hashlib.sha256(b"\x00" + canonical(line["entry"])).digest()
    for step in map(bytes.fromhex, line["inclusion"]):
        if last == 0:
            raise Altered(f"the proof for entry {index} is too long")
        if number & 1 or number == last:
            running = node(step, running)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            running = node(running, step)
        number, last = number >> 1, last >> 1
    if (
        last
        or running.hex() != line["head"]["root"]
        or not size <= len(roots)
        or roots[size - 1] != line["head"]["root"]
    ):
        raise Altered(f"entry {index} of the export is not in this ledger")


def check(arguments):
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(arguments.key)) if arguments.key else None
    database = sqlite3.connect(f"file:{arguments.ledger}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT seq, entry FROM entries ORDER BY seq").fetchall()
        heads = database.execute("SELECT size, head FROM heads ORDER BY size").fetchall()
    finally:
        database.close()
    roots = roots_of(check_entries(rows))
    if [size for size, _ in heads] != list(range(1, len(rows) + 1)):
        raise Altered("signed heads are missing, or too many")
    beside = arguments.ledger.with_suffix(".head.json")
    if rows and not beside.exists():
        raise Altered(f"the signed head {beside.name} is gone")
    kept = ([beside] if beside.exists() else []) + arguments.head
    documents = [document for _, document in heads] + [path.read_bytes() for path in kept]
    for document in documents:
        check_head(document, roots, key)
    for path in arguments.proof:
        for line in json.loads(path.read_bytes()):
            check_proof(line, roots)
    return (
        f"whole: {len(rows)} entries, {len(documents)} heads, signatures {'right' if key else 'NOT CHECKED (no --key)'}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ledger", type=pathlib.Path)
    parser.add_argument("--key")
    parser.add_argument("--head", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--proof", type=pathlib.Path, action="append", default=[])
    arguments = parser.parse_args()
    try:
        print(check(arguments))
    except (Altered, ValueError, KeyError, TypeError, sqlite3.Error, OSError) as error:
        print(f"altered: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
