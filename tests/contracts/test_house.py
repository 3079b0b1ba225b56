"""The rules of the house, read from the source: imports, who makes what, who may touch what."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "bianlian").rglob("*.py"))


def test_import_contracts_hold():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize(
    ("record", "only_maker"),
    [("Grant", "donors/consent.py"), ("MarkedFrame", "marking/stage.py")],
)
def test_rights_are_made_in_one_place(record, only_maker):
    makers = {
        path.relative_to(ROOT / "src" / "bianlian").as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _name(node.func) == record
    }
    assert makers == {only_maker}


@pytest.mark.parametrize("record", ["Grant", "MarkedFrame"])
def test_rights_are_never_aliased_or_built_behind_the_constructor(record):
    """`x = Grant`, `object.__new__(Grant)`, `getattr(grant_module, ...)` would walk round the test above."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert not any(alias.name == record and alias.asname for alias in node.names), path
            if isinstance(node, ast.Assign):
                assert _name(node.value) != record, path
            if isinstance(node, ast.Call) and _name(node.func) in {"__new__", "replace", "copy", "deepcopy"}:
                assert not any(_name(argument) == record for argument in node.args), path


def test_the_library_neither_prints_nor_exits():
    for path in SOURCES:
        if "cli" in path.parts:
            continue
        calls = {_name(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
        assert not calls & {"print", "exit", "_exit", "breakpoint"}, path


def test_no_state_is_global():
    for path in SOURCES:
        assert not any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(path.read_text()))), path


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
