"""Donors on disk: enrolled, used, withdrawn, erased without a trace."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bianlian.donors import merkle
from bianlian.donors.export import export_donor
from bianlian.donors.performer import example_performer, parse_production
from bianlian.donors.scope import example_scope
from bianlian.errors import CallerError, ConsentRefused, InstallationError
from tests.unit.donors.house import CAPTURE, LATER, NAME, NOW, TEMPLATE, enrol, open_donors, use


def codes(donors) -> list[str]:
    return [str(entry.facts["code"]) for entry in donors.ledger.entries("refusal")]


def test_a_donor_is_found_again_by_name_and_pseudonym(tmp_path: Path) -> None:
    donor = enrol(open_donors(tmp_path / "home"), tmp_path)
    again = open_donors(tmp_path / "home", LATER)
    assert again.find(NAME).receipt == donor.receipt
    assert again.find(donor.id).name == NAME
    assert again.vault.read(donor.id, "capture") == CAPTURE


def test_nothing_about_the_donor_lies_open_on_the_disk(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    donors.vault.write(donor.id, "appearance-draft", TEMPLATE.tobytes() * 100)
    disk = _disk(tmp_path / "home")
    assert NAME.encode() not in disk
    assert b"the recorded face" not in disk
    assert all(TEMPLATE.tobytes()[i : i + 16] not in disk for i in range(0, 496, 16))


def test_erasing_leaves_neither_key_nor_sealed_bytes(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    folder = tmp_path / "home" / "donors" / donor.id
    sealed = {path.name: path.read_bytes() for path in folder.iterdir()}
    donors.erase(NAME, LATER)
    disk = _disk(tmp_path / "home")
    for content in sealed.values():
        assert all(content[i : i + 24] not in disk for i in range(0, min(len(content), 4096) - 24, 24))
    assert not folder.exists()
    assert not list(donors.list())
    with pytest.raises(CallerError, match="withdrawn"):
        donors.find(NAME)
    assert donors.receipt_document(donor.receipt.id) == donor.receipt.document


def test_one_use_is_permitted_and_released(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    grant = donors.authorise(donor.id, use(), LATER)
    assert grant.receipt_sha256 == donor.receipt.sha256
    assert grant.template_commitment == donors.commitment_of(donor.id)
    donors.release([(grant, use())], "e" * 64, LATER)
    assert [entry.kind for entry in donors.ledger.entries()] == ["challenge", "enrol", "grant", "release"]


def test_withdrawal_stops_running_and_new_jobs_and_is_seen_by_all(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    grant = donors.authorise(donor.id, use(), NOW)
    other = open_donors(tmp_path / "home", LATER)
    assert other.revoke(NAME, LATER) == donor.receipt.id
    for attempt in (
        lambda: donors.release([(grant, use())], "e" * 64, LATER),
        lambda: donors.authorise(donor.id, use("job-2"), LATER),
    ):
        with pytest.raises(ConsentRefused) as refusal:
            attempt()
        assert refusal.value.code == "revoked"
    assert donors.revoked_at(donor.receipt.id) == LATER
    assert other.revoke(donor.receipt.id, LATER) == donor.receipt.id
    assert codes(donors) == ["revoked", "revoked"]


def test_consent_is_used_up_by_results_not_by_attempts(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path, scope=example_scope(NOW).replace("max_uses = 100", "max_uses = 1"))
    first, second = donors.authorise(donor.id, use("a"), NOW), donors.authorise(donor.id, use("b"), NOW)
    donors.release([(first, use("a"))], "e" * 64, NOW)
    donors.release([(first, use("a"))], "e" * 64, NOW)  # the same job resumed
    with pytest.raises(ConsentRefused, match="as many were released"):
        donors.release([(second, use("b"))], "f" * 64, NOW)


def test_a_grant_serves_its_own_use_only(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    grant = donors.authorise(donor.id, use(), NOW)
    for other in (use("job-2"), use(person=2), use(source_sha256="6" * 64)):
        with pytest.raises(ConsentRefused) as refusal:
            donors.release([(grant, other)], "e" * 64, NOW)
        assert refusal.value.code == "grant-mismatch"


@pytest.mark.parametrize("name", ["capture", "template", "notice.md", "receipt.json"])
def test_one_changed_byte_in_the_vault_stops_everything(tmp_path: Path, name: str) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    path = tmp_path / "home" / "donors" / donor.id / f"{name}.sealed"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InstallationError, match="changed or damaged"):
        donors.authorise(donor.id, use(), NOW)


def test_evidence_exchanged_by_who_has_the_keys_does_not_fit_the_receipt(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    for name, code in (
        ("capture", "capture-mismatch"),
        ("notice.md", "notice-mismatch"),
        ("template", "template-mismatch"),
    ):
        kept = donors.vault.read(donor.id, name)
        donors.vault.write(donor.id, name, kept[:-1] + b"?")
        with pytest.raises(ConsentRefused) as refusal:
            donors.authorise(donor.id, use(), NOW)
        assert refusal.value.code == code
        donors.vault.write(donor.id, name, kept)
    assert donors.authorise(donor.id, use(), NOW)


def test_one_donors_receipt_does_not_open_anothers_face(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    one = enrol(donors, tmp_path)
    two = enrol(donors, tmp_path, name="Two", capture=CAPTURE + b"2")
    donors.vault.write(two.id, "receipt.json", one.receipt.document)
    with pytest.raises(ConsentRefused) as refusal:
        donors.authorise(two.id, use(), NOW)
    assert refusal.value.code == "receipt-unknown"


def test_challenge_capture_and_name_serve_once(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    enrol(donors, tmp_path)
    with pytest.raises(CallerError, match="already"):
        enrol(donors, tmp_path, capture=CAPTURE + b"2")
    with pytest.raises(ConsentRefused) as refusal:
        enrol(donors, tmp_path, name="Other")
    assert refusal.value.code == "capture-replayed"
    assert len(list(donors.list())) == 1
    assert len(list((tmp_path / "home" / "receipts").iterdir())) == 1


def test_challenges_cannot_be_picked(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    with donors.ledger.exclusive(NOW) as writer:
        for number in range(600):
            writer.append("challenge", {"challenge": str(number)})
    with pytest.raises(ConsentRefused) as refusal:
        donors.new_challenge(NOW + timedelta(minutes=59))
    assert refusal.value.code == "challenge-rate"
    enrol(donors, tmp_path, now=NOW + timedelta(minutes=61))
    assert next(donors.ledger.entries("enrol")).facts["drawn_in_a_day"] == 601


def test_a_clock_set_back_is_refused_and_noted(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    early = NOW - timedelta(days=1)
    for attempt in (lambda: donors.new_challenge(early), lambda: donors.authorise(donor.id, use(), early)):
        with pytest.raises(ConsentRefused) as refusal:
            attempt()
        assert refusal.value.code == "clock-set-back"
    assert codes(donors) == ["clock-set-back"] * 2
    donors.ledger.check()


def test_an_expired_consent_is_refused_and_the_status_list_renewed(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    assert donors.authorise(donor.id, use(), NOW + timedelta(days=300))
    with pytest.raises(ConsentRefused) as refusal:
        donors.authorise(donor.id, use(), NOW + timedelta(days=400))
    assert refusal.value.code == "scope-expired"


def test_status_list_missing_tampered_or_ahead_of_the_ledger(tmp_path: Path) -> None:
    from bianlian.donors import revocation  # noqa: PLC0415

    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    path = tmp_path / "home" / "status-list.jwt"
    good = path.read_bytes()
    ahead = revocation.issue(donors.installation, {5}, NOW)
    for content, code in ((b"", "status-bad"), (good[:-2] + b"AA", "status-bad"), (ahead, "status-mismatch")):
        path.write_bytes(content)
        with pytest.raises(ConsentRefused) as refusal:
            donors.authorise(donor.id, use(), NOW)
        assert refusal.value.code == code
        assert path.read_bytes() == content
    path.unlink()
    with pytest.raises(ConsentRefused) as refusal:
        donors.authorise(donor.id, use(), NOW)
    assert refusal.value.code == "status-missing"
    with pytest.raises(ConsentRefused):
        open_donors(tmp_path / "home").authorise(donor.id, use(), NOW)


def test_an_older_status_list_brings_no_consent_back(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    path = tmp_path / "home" / "status-list.jwt"
    old = path.read_bytes()
    donors.revoke(NAME, LATER)
    path.write_bytes(old)
    from bianlian.donors import revocation  # noqa: PLC0415

    listed = revocation.read(donors.status(LATER), donors.installation.public_key)
    assert listed.is_revoked(donor.receipt.status_index)


def test_the_performer_is_noted_and_a_receipt_of_their_own_is_checked(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    performer = enrol(donors, tmp_path)
    production = parse_production(example_performer().encode())
    donors.note_production(production, "job-1", "5" * 64, [1], NOW)
    own = example_performer().replace('basis = "synthetic"', f'basis = "receipt"\ndonor = "{NAME}"')
    donors.note_production(parse_production(own.encode()), "job-2", "5" * 64, [1], NOW)
    noted = list(donors.ledger.entries("performer"))
    assert [entry.facts["basis"] for entry in noted] == ["synthetic", "receipt"]
    assert noted[1].facts["receipt"] == performer.receipt.id
    elsewhere = own.replace('project = "Bianlian demo"', 'project = "Another"')
    with pytest.raises(ConsentRefused) as refusal:
        donors.note_production(parse_production(elsewhere.encode()), "job-3", "5" * 64, [1], NOW)
    assert refusal.value.code == "scope-project"


def test_the_donor_gets_everything_in_open_formats(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    target = tmp_path / "mine.zip"
    export_donor(donors, donor, target)
    with zipfile.ZipFile(target) as archive:
        assert archive.read("capture.mp4") == CAPTURE
        assert archive.read("receipt.json") == donor.receipt.document
        assert np.allclose(json.loads(archive.read("template.json"))["embedding"], TEMPLATE)
        lines = json.loads(archive.read("ledger.json"))
    assert [line["entry"]["kind"] for line in lines] == ["enrol"]
    content = next(entry.content for entry in donors.ledger.entries("enrol"))
    proof = [bytes.fromhex(step) for step in lines[0]["inclusion"]]
    head = lines[0]["head"]
    assert merkle.proves_inclusion(proof, merkle.leaf_hash(content), 1, head["size"], bytes.fromhex(head["root"]))
    assert target.stat().st_mode & 0o077 == 0
    with pytest.raises(CallerError, match="exists already"):
        export_donor(donors, donor, target)


def test_a_crash_between_ledger_and_erasure_is_made_good(tmp_path: Path) -> None:
    donors = open_donors(tmp_path / "home")
    donor = enrol(donors, tmp_path)
    facts = {"donor": donor.id, "receipt": donor.receipt.id, "status_index": donor.receipt.status_index}
    donors.ledger.append("revoke", facts, LATER)  # and then the power failed
    again = open_donors(tmp_path / "home", LATER)
    assert not list(again.list())
    assert not (tmp_path / "home" / "donors" / donor.id).exists()


def _disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
