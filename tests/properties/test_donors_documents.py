"""No byte of a signed or sealed file can change unnoticed, and what is sealed comes back as it was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.donors import merkle, revocation
from bianlian.donors.challenge import check_challenge, new_challenge, parse_challenge
from bianlian.donors.installation import Installation
from bianlian.donors.ledger import Ledger
from bianlian.donors.receipts import verify_receipt
from bianlian.donors.vault import CHUNK, Vault
from bianlian.errors import BianlianError, ConsentRefused, InstallationError
from tests.unit.donors.house import CAPTURE, NOW, enrol, open_donors

FLIPS = st.integers(1, 255)
PLACES = st.integers(0, 1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One installation for all examples of this module."""

    home: Path
    installation: Installation
    ledger: Ledger
    receipt: bytes
    status: bytes
    challenge: bytes
    donor_id: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("donors")
    donors = open_donors(folder / "home")
    donor = enrol(donors, folder)
    return Made(
        home=folder / "home",
        installation=donors.installation,
        ledger=donors.ledger,
        receipt=donor.receipt.document,
        status=donors.status(NOW),
        challenge=new_challenge(donors.installation, NOW, Random(3)).document,
        donor_id=donor.id,
    )


def flipped(content: bytes, place: int, flip: int) -> bytes:
    changed = bytearray(content)
    changed[place % len(changed)] ^= flip
    return bytes(changed)


@settings(max_examples=150, deadline=None)
@given(place=PLACES, flip=FLIPS)
def test_receipt(made: Made, place: int, flip: int) -> None:
    with pytest.raises(ConsentRefused, match="receipt"):
        verify_receipt(flipped(made.receipt, place, flip), made.installation.public_key)


@settings(max_examples=150, deadline=None)
@given(place=PLACES, flip=FLIPS)
def test_status_list(made: Made, place: int, flip: int) -> None:
    with pytest.raises(ConsentRefused) as refusal:
        revocation.read(flipped(made.status, place, flip), made.installation.public_key)
    assert refusal.value.code == "status-bad"


@settings(max_examples=150, deadline=None)
@given(place=PLACES, flip=FLIPS)
def test_challenge_means_the_same_or_is_refused(made: Made, place: int, flip: int) -> None:
    """White space between fields is not signed, so a change there may pass; the challenge is the same then."""
    try:
        challenge = parse_challenge(flipped(made.challenge, place, flip))
        check_challenge(challenge, made.installation, NOW, ())
    except ConsentRefused:
        return
    assert challenge == parse_challenge(made.challenge)


@settings(max_examples=60, deadline=None)
@given(table=st.sampled_from(["entries", "heads"]), row=st.integers(0, 1), place=PLACES, flip=FLIPS)
def test_ledger(made: Made, table: str, row: int, place: int, flip: int) -> None:
    key, column = ("seq", "entry") if table == "entries" else ("size", "head")
    with closing(sqlite3.connect(made.home / "ledger.sqlite", isolation_level=None)) as database:
        where, kept = database.execute(f"SELECT {key}, {column} FROM {table} ORDER BY {key}").fetchall()[row]
        change = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
        database.execute(change, (flipped(kept, place, flip), where))
        try:
            with pytest.raises(InstallationError, match="altered"):
                made.ledger.check()
        finally:
            database.execute(change, (kept, where))
    made.ledger.check()


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(["capture", "template", "notice.md", "receipt.json", "name"]), place=PLACES, flip=FLIPS)
def test_capture_notice_and_everything_in_the_vault(made: Made, name: str, place: int, flip: int) -> None:
    path = made.home / "donors" / made.donor_id / f"{name}.sealed"
    kept = path.read_bytes()
    path.write_bytes(flipped(kept, place, flip))
    try:
        with pytest.raises(InstallationError):
            Vault(made.home, made.installation).read(made.donor_id, name)
    finally:
        path.write_bytes(kept)


@settings(max_examples=40, deadline=None)
@given(place=PLACES, cut=st.integers(1, 200))
def test_a_sealed_file_can_be_neither_cut_nor_lengthened(made: Made, place: int, cut: int) -> None:
    path = made.home / "donors" / made.donor_id / "capture.sealed"
    kept = path.read_bytes()
    for content in (kept[:-cut], kept + b"\0" * cut, kept[: place % len(kept)]):
        path.write_bytes(content)
        try:
            with pytest.raises(InstallationError):
                Vault(made.home, made.installation).read(made.donor_id, "capture")
        finally:
            path.write_bytes(kept)


@settings(max_examples=25, deadline=None)
@given(
    size=st.sampled_from([0, 1, 7, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]),
    reads=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3000)), max_size=6),
)
def test_what_is_sealed_comes_back_in_any_order(made: Made, size: int, reads: list[tuple[float, int]]) -> None:
    content = Random(size).randbytes(size)
    vault = Vault(made.home, made.installation)
    vault.write(made.donor_id, "scratch", content)
    assert vault.read(made.donor_id, "scratch") == content
    with vault.open(made.donor_id, "scratch") as file:
        for where, length in reads:
            start = int(where * size)
            file.seek(start)
            assert file.read(length) == content[start : start + length]
    with vault.borrowed(made.donor_id, "scratch") as path:
        assert path.read_bytes() == content
    assert vault.read(made.donor_id, "capture") == CAPTURE


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, revocation.LENGTH - 1), max_size=40))
def test_a_status_list_says_what_was_put_in(made: Made, revoked: set[int]) -> None:
    document = revocation.issue(made.installation, revoked, NOW)
    assert revocation.read(document, made.installation.public_key).revoked == revoked


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=33), st.data())
def test_merkle_trees_agree_with_pymerkle(entries: list[bytes], data: st.DataObject) -> None:
    pymerkle = pytest.importorskip("pymerkle")
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    for entry in entries:
        tree.append_entry(entry)
    assert merkle.root(leaves) == tree.get_root()
    size = data.draw(st.integers(1, len(entries)))
    proof = merkle.consistency_proof(leaves, size)
    assert merkle.proves_consistency(proof, (size, merkle.root(leaves[:size])), (len(leaves), merkle.root(leaves)))
    index = data.draw(st.integers(0, len(entries) - 1))
    audit = merkle.inclusion_proof(leaves, index)
    assert merkle.proves_inclusion(audit, leaves[index], index, len(leaves), merkle.root(leaves))
    other = merkle.leaf_hash(entries[index] + b"!")
    assert not merkle.proves_inclusion(audit, other, index, len(leaves), merkle.root(leaves))


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_hostile_json_is_refused_in_words(made: Made, value: object) -> None:
    document = json.dumps(value).encode()
    for read in (
        lambda: verify_receipt(document, made.installation.public_key),
        lambda: revocation.read(document, made.installation.public_key),
        lambda: parse_challenge(document),
    ):
        with pytest.raises(BianlianError):
            read()
