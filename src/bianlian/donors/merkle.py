"""Merkle trees as in RFC 6962, 2.1: leaves and nodes are hashed with different prefixes, so neither passes for the other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree's head over leaf hashes; SHA-256 of nothing for an empty tree."""
    return fold(peaks(leaves))


def peaks(leaves: Sequence[bytes]) -> list[bytes]:
    """Roots of the perfect subtrees, largest first: all that is needed to append."""
    found: list[bytes] = []
    for count, leaf in enumerate(leaves):
        found = push(found, count, leaf)
    return found


def push(found: Sequence[bytes], count: int, leaf: bytes) -> list[bytes]:
    """The peaks after appending `leaf` to a tree of `count` leaves."""
    grown = [*found, leaf]
    while count & 1:
        right, left = grown.pop(), grown.pop()
        grown.append(node_hash(left, right))
        count >>= 1
    return grown


def fold(found: Sequence[bytes]) -> bytes:
    """The head of a tree from its peaks."""
    if not found:
        return hashlib.sha256(b"").digest()
    head = found[-1]
    for peak in reversed(found[:-1]):
        head = node_hash(peak, head)
    return head


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path of leaf `index` (RFC 6962, 2.1.1), from the leaf upwards."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def proves_inclusion(proof: Sequence[bytes], leaf: bytes, index: int, size: int, head: bytes) -> bool:
    """Whether `proof` shows that `leaf` is number `index` of the tree of `size` leaves with this head (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, running = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            running = node_hash(step, running)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            running = node_hash(running, step)
        number, last = number >> 1, last >> 1
    return last == 0 and running == head


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Proof that the first `size` leaves are a prefix of all (RFC 6962, 2.1.2); `size` is at least 1."""
    return _subproof(leaves, size, whole=True)


def proves_consistency(proof: Sequence[bytes], old: tuple[int, bytes], new: tuple[int, bytes]) -> bool:
    """Whether `proof` shows that the tree `old` (size, head) grew into `new` by appending (RFC 9162, 2.1.4.2)."""
    (size, head), (grown, grown_head) = old, new
    if size == grown:
        return not proof and head == grown_head
    if not 0 < size < grown or not proof:
        return False
    path = list(proof) if size & (size - 1) else [head, *proof]
    number, last = size - 1, grown - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            after = node_hash(after, step)
        number, last = number >> 1, last >> 1
    return last == 0 and before == head and after == grown_head


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(leaves[:split], size, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, whole=False), root(leaves[:split])]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
