"""A grant is made in one place, and cannot be bent."""

from __future__ import annotations

import ast
import copy
import dataclasses
import pickle
from pathlib import Path

import pytest

import bianlian
from bianlian.records.grant import Grant
from tests.unit.donors.house import NOW, enrol, open_donors, use


@pytest.fixture
def grant(tmp_path: Path) -> Grant:
    donors = open_donors(tmp_path / "home")
    return donors.authorise(enrol(donors, tmp_path).id, use(), NOW)


def test_only_consent_makes_grants() -> None:
    source = Path(bianlian.__path__[0])
    makers = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _name(node.func) in {"Grant", "Grant.__new__"}
    }
    assert makers == {"donors/consent.py"}


def test_grant_is_never_renamed_on_import() -> None:
    source = Path(bianlian.__path__[0])
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not any(name.name == "Grant" and name.asname for name in node.names), path


def test_a_grant_cannot_be_changed(grant: Grant) -> None:
    with pytest.raises(AttributeError):
        grant.person = 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError):
        del grant.person
    with pytest.raises(AttributeError):
        grant.more = True  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        dataclasses.replace(grant, person=2)  # pyright: ignore[reportArgumentType]


def test_a_grant_cannot_be_copied_out_or_subclassed(grant: Grant) -> None:
    assert copy.copy(grant) is grant
    with pytest.raises(TypeError):
        pickle.dumps(grant)
    with pytest.raises(TypeError):
        copy.deepcopy(grant)
    with pytest.raises(TypeError):
        type("Forged", (Grant,), {})


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr == "Grant" else f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
