"""A run whose store or result holds values of another kind is said to be damaged, in one line."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evomerge_tui.cli.main import main

FACTS: dict[str, Any] = {
    "state": 7,
    "precision": ["nf4"],
    "weights": "none",
    "items": 3,
    "stage_starts": [[]],
    "stages": ["x"],
    "sigma": {},
    "winner": "x",
    "dimensions": [1],
    "races": {"a": 1},
    "pid": 2**70,
    "active_seconds": float("inf"),
    "expected": {"nf4": {"expected": float("nan")}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run."""
    return Path(shutil.copytree(Path(__file__).parents[1] / "data" / "quickstart", tmp_path / "run"))


def _told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command says; it ends with a result or with one line."""
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    assert status in (0, 2)
    lines = said.err.splitlines()
    assert len(lines) == (1 if status == 2 else 0), said.err
    return said.err


@pytest.mark.parametrize("words", [("status",), ("status", "--plain"), ("candidate",), ("report",)], ids=" ".join)
@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_of_another_kind(fact: str, words: tuple[str, ...], run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(run / "run.db")) as store:
        store.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (fact, json.dumps(FACTS[fact])))
        store.commit()
    _told(capsys, words[0], run, *words[1:], "--json")


@pytest.mark.parametrize(
    "key", ["winner", "parents", "uniform", "confirmed", "precision", "verdict", "items", "files", "child"]
)
@pytest.mark.parametrize("value", [None, 7, [[]], {"x": {}}], ids=["missing", "number", "list", "object"])
def test_a_result_of_another_kind(key: str, value: Any, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "winner" / "result.json"
    result = json.loads(path.read_text())
    kept = {name: stated for name, stated in result.items() if name != key}
    path.write_text(json.dumps(kept if value is None else {**kept, key: value}))
    for words in (("status",), ("report",)):
        _told(capsys, *words, run)


def test_it_names_the_store_and_what_helps(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "winner" / "result.json").write_text("{}")
    told = _told(capsys, "report", run)
    assert f"{run / 'run.db'}: is damaged" in told
    assert "resume" in told
