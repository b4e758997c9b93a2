"""`kill -9` at any moment, then `resume`: nothing is lost or done again, and the result is the uninterrupted run's."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import create_run
from support.tiny_run import scores, timeless, write_recipe

HARNESS = Path(__file__).parents[2] / "support" / "kill_harness.py"
ROUNDS = 30
RACES = {"racing": {"first": 4, "items": 8, "error": 0.5}}


def harness(run: Path, rounds: int, seed: int) -> str:
    done = subprocess.run([sys.executable, str(HARNESS), str(run), str(rounds), str(seed)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(os.name == "nt", reason="the harness forks; Windows has no fork")
@pytest.mark.parametrize(("rounds", "evaluations", "search"), [(ROUNDS, 120, {}), (ROUNDS // 6, 40, RACES)])
def test_kills_change_nothing(tmp_path: Path, rounds: int, evaluations: int, search: dict[str, object]) -> None:
    recipe = load_recipe(write_recipe(tmp_path, budget={"evaluations": evaluations}, search=search))
    whole = create_run(recipe, out=tmp_path / "whole")
    harness(whole, 0, 0)
    killed = create_run(recipe, out=tmp_path / "killed")
    kills = int(harness(killed, rounds, 1).split()[0])
    assert kills >= rounds - 2, "the job ended before it could be killed: give the recipe more evaluations"

    assert scores(killed) == scores(whole)
    results = [json.loads((run / "winner" / "result.json").read_text()) for run in (whole, killed)]
    assert timeless(results[0]) == timeless(results[1])
    models = [(run / "winner" / "model" / "model.safetensors").read_bytes() for run in (whole, killed)]
    assert models[0] == models[1]
    started = sqlite3.connect(killed / "run.db").execute("SELECT count(*) FROM events WHERE kind = 'evaluation'").fetchone()[0]
    evaluated = sqlite3.connect(whole / "run.db").execute("SELECT count(*) FROM evaluations").fetchone()[0]
    assert started == evaluated, "an evaluation was finished twice"
