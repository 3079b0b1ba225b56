"""Scope and performer files: readable, strict, and clear about what is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bianlian.donors.performer import example_performer, parse_production
from bianlian.donors.scope import check_scope, example_scope, parse_scope, scope_from_json, scope_to_json
from bianlian.errors import CallerError, ConsentRefused
from tests.unit.donors.house import NOW, use

EXAMPLE = example_scope(NOW)


def test_the_example_is_a_scope_that_allows_the_demo() -> None:
    scope = parse_scope(EXAMPLE)
    check_scope(scope, use(), NOW)
    assert scope_from_json(scope_to_json(scope)) == scope


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("purposes =", "porpoises ="), "porpoises"),
        (('["film", "test"]', '["films"]'), "purposes"),
        (('["film", "test"]', "[]"), "purposes"),
        (('publication = "public"', ""), "publication"),
        (('publication = "public"', 'publication = "everywhere"'), "publication"),
        (('["worldwide"]', '["Germany"]'), "regions"),
        (('projects = ["Bianlian demo"]', ""), "projects"),
        (('projects = ["Bianlian demo"]', 'files = ["abc"]'), "files"),
        (("until = 2027-11-22", "until = 2020-01-01"), "until"),
        (("until = 2027-11-22", "until = 2099-01-01"), "until"),
        (("until = 2027-11-22", 'until = "soon"'), "until"),
        (("max_uses = 100", "max_uses = 0"), "max_uses"),
        (("max_uses = 100", ""), "max_uses"),
        (("artistic_work = false", 'artistic_work = "no"'), "artistic_work"),
    ],
)
def test_a_wrong_scope_names_the_key(change: tuple[str, str], key: str) -> None:
    assert change[0] in EXAMPLE
    with pytest.raises(CallerError, match=f'"{key}"'):
        parse_scope(EXAMPLE.replace(*change))


def test_what_is_not_toml_names_the_line() -> None:
    with pytest.raises(CallerError, match="line 3"):
        parse_scope("adult = true\n\npurposes = film\n")


@pytest.mark.parametrize("said", ["", "adult = false", 'adult = "true"', "adult = 1"])
def test_minors_cannot_be_donors_whoever_signs(said: str) -> None:
    with pytest.raises(ConsentRefused) as refusal:
        parse_scope(EXAMPLE.replace("adult = true", said))
    assert refusal.value.code == "minor"
    with pytest.raises(CallerError, match="guardian"):
        parse_scope(EXAMPLE + 'guardian = "a parent"\n')


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": "news"}, "scope-purpose"),
        ({"purpose": "advertising"}, "scope-forbidden"),
        ({"contains": ("intimate",)}, "scope-forbidden"),
        ({"contains": ("violence", "political-advertising")}, "scope-forbidden"),
        ({"project": "bianlian demo"}, "scope-project"),
        ({"publication": "television"}, "scope-publication"),
        ({"regions": ()}, "scope-region"),
    ],
)
def test_uses_outside_are_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(ConsentRefused) as refusal:
        check_scope(parse_scope(EXAMPLE), use(**changes), NOW)
    assert refusal.value.code == code


def test_files_publication_and_regions_limit() -> None:
    text = EXAMPLE.replace('"public"', '"internal"').replace('["worldwide"]', '["EU", "CN"]')
    scope = parse_scope(text.replace('projects = ["Bianlian demo"]', f'files = ["{"5" * 64}"]'))
    fits = {"publication": "internal", "regions": ("CN", "DE", "EU"), "project": "whatever"}
    check_scope(scope, use(**fits), NOW)
    for change, code in (
        ({"publication": "public"}, "publication"),
        ({"regions": ("CN", "US")}, "region"),
        ({"regions": ("worldwide",)}, "region"),
        ({"source_sha256": "6" * 64}, "file"),
    ):
        with pytest.raises(ConsentRefused) as refusal:
            check_scope(scope, use(**{**fits, **change}), NOW)
        assert refusal.value.code == f"scope-{code}"


def test_the_first_day_begins_everywhere_and_the_last_one_ends() -> None:
    scope = parse_scope(EXAMPLE)
    for moment, code in (
        (NOW - timedelta(days=2), "scope-not-yet-valid"),
        (scope.until + timedelta(seconds=1), "scope-expired"),
    ):
        with pytest.raises(ConsentRefused) as refusal:
            check_scope(scope, use(), moment)
        assert refusal.value.code == code


def test_the_example_performer_file_says_who_and_what_for() -> None:
    production = parse_production(example_performer().encode())
    assert production.use("j", "5" * 64, 2).project == "Bianlian demo"
    assert production.basis_of(7).basis == "synthetic"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('basis = "synthetic"', 'basis = "found online"'), "basis"),
        (('basis = "synthetic"', 'basis = "contract"'), "reference"),
        (('basis = "synthetic"', 'basis = "receipt"'), "donor"),
        (('statement = "A rendered figure; no person was filmed."', ""), "statement"),
        (("[use]", "[usage]"), "usage"),
        (('regions = ["worldwide"]', ""), "regions"),
        (("[[performer]]", "[[use.x]]"), "performer"),
        (('purpose = "film"', 'purpose = "fun"'), "purpose"),
    ],
)
def test_a_wrong_performer_file_names_the_key(change: tuple[str, str], message: str) -> None:
    assert change[0] in example_performer()
    with pytest.raises(CallerError, match=message):
        parse_production(example_performer().replace(*change).encode())


def test_performers_are_adults_and_each_person_has_a_basis() -> None:
    with pytest.raises(ConsentRefused) as refusal:
        parse_production(example_performer().replace("adult = true", "").encode())
    assert refusal.value.code == "performer-minor"
    one = parse_production(example_performer().replace("# persons = [1]", "persons = [1] #").encode())
    with pytest.raises(ConsentRefused) as refusal:
        one.basis_of(2)
    assert refusal.value.code == "performer-missing"
