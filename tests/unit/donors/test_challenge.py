"""Challenges: drawn by chance, signed, short-lived, used once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from itertools import product
from pathlib import Path
from random import Random

import pytest

from bianlian.donors.acts import ACTS, draw, is_legal
from bianlian.donors.challenge import Challenge, check_challenge, instructions, new_challenge, parse_challenge
from bianlian.donors.installation import Installation
from bianlian.errors import ConsentRefused
from tests.unit.donors.house import NOW


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation.open(tmp_path, NOW)


def refused(challenge: Challenge, installation: Installation, now=NOW) -> str:
    with pytest.raises(ConsentRefused) as refusal:
        check_challenge(challenge, installation, now, ())
    assert refusal.value.advice
    return refusal.value.code


def test_the_file_has_exactly_the_promised_fields(installation: Installation) -> None:
    challenge = new_challenge(installation, NOW, Random(1))
    body = json.loads(challenge.document)
    assert list(body) == ["id", "issued", "expires", "nonce", "acts", "signature"]
    assert len(body["acts"]) == 5
    assert parse_challenge(challenge.document) == challenge
    check_challenge(challenge, installation, NOW + timedelta(minutes=14), ())


def test_there_are_as_many_sequences_as_the_threat_model_says() -> None:
    assert sum(map(is_legal, product(ACTS, repeat=5))) == 15_136


def test_every_act_comes_up_and_draws_are_legal() -> None:
    random = Random(5)
    drawn = [draw(random) for _ in range(800)]
    assert all(map(is_legal, drawn))
    assert set(Counter(act for acts in drawn for act in acts)) == set(ACTS)
    assert len(set(drawn)) > 700


@pytest.mark.parametrize("field", ["id", "issued", "expires", "nonce", "acts", "signature"])
def test_a_tampered_challenge_is_refused(installation: Installation, field: str) -> None:
    body = json.loads(new_challenge(installation, NOW, Random(1)).document)
    body[field] = {
        "id": "0" * 16, "issued": "2026-11-22T19:00:01.000Z", "expires": "2026-12-22T19:15:00.000Z", "nonce": "0" * 32,
        "acts": ["smile", "turn-left", "smile", "turn-left", "smile"], "signature": "0" * 128,
    }[field]  # fmt: skip
    assert refused(parse_challenge(json.dumps(body).encode()), installation) == "challenge-tampered"


def test_another_installations_challenge_is_refused(installation: Installation, tmp_path: Path) -> None:
    other = Installation.open(tmp_path / "other", NOW)
    assert refused(new_challenge(other, NOW, Random(1)), installation) == "challenge-tampered"


def test_expired_and_future_challenges_are_refused(installation: Installation) -> None:
    challenge = new_challenge(installation, NOW, Random(1))
    assert refused(challenge, installation, NOW + timedelta(minutes=15, seconds=1)) == "challenge-expired"
    assert refused(challenge, installation, NOW - timedelta(minutes=1)) == "challenge-not-yet"


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b"\xff", b'{"id": 1}', b"null"])
def test_a_file_that_is_no_challenge_is_refused(document: bytes) -> None:
    with pytest.raises(ConsentRefused) as refusal:
        parse_challenge(document)
    assert refusal.value.code == "challenge-malformed"


def test_instructions_name_acts_code_and_time_in_both_languages(installation: Installation) -> None:
    challenge = new_challenge(installation, NOW, Random(1))
    for language in ("en", "zh"):
        text = instructions(challenge, language)
        assert " ".join(challenge.spoken_code) in text
        assert all(f"{number}. " in text for number in range(1, 6))
        assert "19:15" in text
