"""A work order is good for one worker, one job, one version and a while; whatever else is tried is refused."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bianlian.donors import delegation
from bianlian.donors.consent import delegated
from bianlian.donors.delegation import LIFETIME, issue, new_key, seal, unseal
from bianlian.donors.installation import Installation
from bianlian.errors import ConsentRefused, InternalError
from bianlian.records.grant import Grant
from tests.faces import grant

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)


@pytest.fixture
def head(tmp_path) -> Installation:
    return Installation.open(tmp_path, NOW)


def facts(one: Grant) -> tuple:
    return tuple(getattr(one, name) for name in Grant.__slots__)


def given_to(head: Installation, worker: X25519PrivateKey, key: bytes, *grants: Grant) -> bytes:
    return issue(head, worker.public_key().public_bytes_raw(), key, grants, NOW)


def refusal(*arguments) -> str:
    with pytest.raises(ConsentRefused) as refused:
        delegated(*arguments)
    return refused.value.code


def test_an_order_gives_its_worker_the_grants_and_the_key_of_the_job(head):
    worker, key, grants = X25519PrivateKey.generate(), new_key(), (grant(person=1), grant(person=2))
    order, found = delegated(given_to(head, worker, key, *grants), head.public_key, worker, NOW)
    assert order.key == key
    assert [facts(one) for one in found] == [facts(one) for one in grants]
    assert key.hex() not in repr(order)


def test_nobody_else_can_use_an_order(head, tmp_path):
    worker, key = X25519PrivateKey.generate(), new_key()
    order = given_to(head, worker, key, grant())
    assert key not in order
    assert key.hex().encode() not in order
    assert refusal(order, head.public_key, X25519PrivateKey.generate(), NOW) == "order-bad"
    other = Installation.open(tmp_path / "other", NOW)
    assert refusal(order, other.public_key, worker, NOW) == "order-bad"


def test_an_order_ends_with_its_time_and_with_the_grant(head):
    worker = X25519PrivateKey.generate()
    order = given_to(head, worker, new_key(), grant())
    ends = min(NOW + LIFETIME, grant().expires)
    delegated(order, head.public_key, worker, ends - timedelta(seconds=1))
    assert refusal(order, head.public_key, worker, ends) == "order-expired"


def test_an_order_for_another_version_of_the_program_is_refused(head, monkeypatch):
    worker = X25519PrivateKey.generate()
    order = given_to(head, worker, new_key(), grant())
    monkeypatch.setattr(delegation, "version", lambda _: "9.9")
    assert refusal(order, head.public_key, worker, NOW) == "order-bad"


def test_no_byte_of_an_order_can_change(head):
    worker, random = X25519PrivateKey.generate(), Random(5)
    order = given_to(head, worker, new_key(), grant())
    for _ in range(60):
        place = random.randrange(len(order))
        altered = order[:place] + bytes([order[place] ^ (1 << random.randrange(8))]) + order[place + 1 :]
        assert refusal(altered, head.public_key, worker, NOW) == "order-bad"


def test_a_part_opens_under_its_own_key_and_name_only():
    key = new_key()
    part = seal(key, "footage/1", b"pictures")
    assert unseal(key, "footage/1", part) == b"pictures"
    for other_key, name, content in (
        (new_key(), "footage/1", part), (key, "footage/2", part), (key, "footage/1", part[:-1]), (key, "footage/1", b""),
    ):  # fmt: skip
        with pytest.raises(ConsentRefused) as refused:
            unseal(other_key, name, content)
        assert refused.value.code == "order-part"


def test_a_grant_itself_still_does_not_leave_its_process():
    with pytest.raises(TypeError, match="does not leave its process"):
        pickle.dumps(grant())


@pytest.mark.parametrize(
    "error", [ConsentRefused("no", code="revoked", advice="ask"), InternalError("oh", advice="tell")]
)
def test_errors_cross_processes_whole(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
