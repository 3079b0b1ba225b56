"""Pages, letters and fingerprints that leave the program."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bianlian.donors.notices import Controller, notice
from bianlian.donors.page import receipt_page
from bianlian.donors.takedown import COLUMNS, Claimant, export_csv, export_jsonl, takedown_letter
from bianlian.errors import CallerError
from bianlian.records.donor import OutputRecord
from tests.unit.donors.house import LATER, NAME, NOW, enrol, open_donors

VIDEO = OutputRecord(
    job_id="j", donor_id="d-1", created=NOW, sha256="a" * 64, md5="b" * 32, is_image=False,
    pdq=((0.0, "c" * 64, 90), (1.0, "d" * 64, 30), (2.0, "e" * 64, 70)),
)  # fmt: skip
IMAGE = replace(VIDEO, is_image=True, pdq=((0.0, "f" * 64, 99),))
CLAIMANT = Claimant(name="Somebody Depicted", contact="me@example.org", where=("https://example.org/1",))


def test_fingerprints_come_in_the_formats_that_platforms_load() -> None:
    lines = [json.loads(line) for line in export_jsonl([VIDEO, IMAGE], "case-7").splitlines()]
    kinds = [line["signal_type"] for line in lines]
    assert kinds == ["sha256", "md5", "pdq", "pdq", "vpdq", "sha256", "md5", "pdq"]
    frames = json.loads(lines[4]["value"])
    assert [frame["timestamp"] for frame in frames.values()] == [0.0, 2.0]
    assert {line["case_id"] for line in lines} == {"case-7"}
    rows = list(csv.DictReader(io.StringIO(export_csv([VIDEO, IMAGE], "case-7"))))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["value"] for row in rows] == [line["value"] for line in lines]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_letter_has_what_a_platform_must_answer(language: str) -> None:
    text = takedown_letter([VIDEO], CLAIMANT, language=language, receipt_id="r-1", revoked_at=NOW, now=LATER)
    for needed in (CLAIMANT.name, CLAIMANT.contact, CLAIMANT.where[0], VIDEO.sha256, VIDEO.md5, "48", "r-1"):
        assert needed in text
    assert "{" not in text


def test_nothing_to_remove_is_a_clear_error() -> None:
    with pytest.raises(CallerError):
        export_csv([], "case")
    with pytest.raises(CallerError, match="address"):
        takedown_letter([VIDEO], replace(CLAIMANT, where=()), language="en", receipt_id="r", revoked_at=NOW, now=NOW)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_receipt_page_is_whole_and_names_nobody(tmp_path: Path, language: str) -> None:
    donor = enrol(open_donors(tmp_path / "home"), tmp_path)
    page = receipt_page(donor.receipt, language)
    HTMLParser().feed(page)
    assert NAME not in page
    for needed in (donor.receipt.id, donor.id, "Bianlian demo", "intimate", donor.receipt.evidence.capture_sha256):
        assert needed in page
    assert "src=" not in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_notice_names_who_asks_and_how_to_withdraw(language: str) -> None:
    text = notice(language, Controller(name="Example Studio", contact="office@example.org")).text
    assert "Example Studio" in text
    assert "office@example.org" in text
    assert "bianlian donor revoke" in text
    assert "{" not in text


def test_a_language_that_is_not_there_is_said() -> None:
    with pytest.raises(CallerError, match="fr"):
        notice("fr", Controller())
