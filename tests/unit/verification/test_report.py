"""The page shows the verdict, every line and the frames, and loads nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bianlian.verification.pixels import NoWatermarkKeys
from bianlian.verification.report import verdict_page
from bianlian.verification.verifier import Examination, Verifier
from tests.unit.verification.marked_file import NOW, Workshop


@pytest.fixture(scope="module")
def examination(workshop: Workshop) -> Examination:
    references = replace(workshop.references(), watermark=NoWatermarkKeys(reason="no <key>"))
    return Verifier(references).examine(workshop.sealed)


def test_the_page_says_it_all_and_stands_alone(examination: Examination) -> None:
    page = verdict_page(examination, now=NOW)
    assert "valid · 有效" in page
    for finding in examination.verdict.findings:
        assert finding.check in page
    assert page.count("data:image/jpeg;base64,") == len(examination.stills) == 2
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "<script" not in page
    assert "no &lt;key&gt;" in page


def test_a_hostile_file_name_stays_text(examination: Examination) -> None:
    verdict = replace(examination.verdict, file='<img src="http://x">.mp4')
    page = verdict_page(replace(examination, verdict=verdict), now=NOW)
    sources: list[str | None] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            sources.extend(value for name, value in attrs if name in ("src", "href"))

    Reader().feed(page)
    assert all((source or "").startswith("data:") for source in sources)
