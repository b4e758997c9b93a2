"""Benchmarks and campaigns are run by hand: what they import is there nevertheless."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SCRIPTS = [path for place in ("benchmarks", "faults", "fuzz") for path in sorted((TESTS / place).rglob("*.py"))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(TESTS)))
def test_what_a_script_imports_of_ours_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("evomerge_"):
            continue
        module = import_module(node.module or "")
        for name in node.names:
            assert hasattr(module, name.name) or import_module(f"{node.module}.{name.name}"), name.name
