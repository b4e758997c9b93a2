"""How our own source asks libraries for models and starts processes: in no way that would run a stranger's code."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Here the refusal of code is said once for all; the quickstart reads a GGUF, and says it too.
READERS = {"core/evomerge_core/sources/pretrained.py", "recipes/evomerge_recipes/quickstart/base.py"}


def expressions() -> Iterator[tuple[str, ast.expr]]:
    """Every expression of our own source, with its file."""
    for part in ("core", "quant", "tui", "recipes"):
        for file in sorted((ROOT / part).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.expr):
                    yield file.relative_to(ROOT).as_posix(), node


def attribute(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else None


def test_models_are_read_in_one_place() -> None:
    """Elsewhere read_tokenizer, read_config and load_network are to be called."""
    assert {file for file, node in expressions() if attribute(node) == "from_pretrained"} == READERS
    assert all("trust_remote_code" in (ROOT / file).read_text(encoding="utf-8") for file in READERS)


def test_no_process_is_started_that_looks_for_modules_in_the_working_folder() -> None:
    """`python -m` puts that folder, which may be a downloaded model's, before all others; `-P` keeps it out."""
    started = []
    for file, node in expressions():
        words = node.elts if isinstance(node, ast.List | ast.Tuple) else node.args if isinstance(node, ast.Call) else []
        started += [
            (file, getattr(after, "value", None))
            for word, after in itertools.pairwise(words)
            if attribute(word) == "executable"
        ]
    assert len(started) > 5
    assert [command for command in started if command[1] != "-P"] == []
