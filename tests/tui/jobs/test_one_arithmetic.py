"""The same recipe and seed give the same scores, genomes and bytes, whatever threads and instruction sets a machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RESULT, WINNER
from support.tiny_run import scores, timeless, write_recipe

# What is left of a processor with AVX2 and one core; what the program sets itself is set here to something else.
LIMITS = {
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+sse4.2,+popcnt,+f16c",
    "OPENBLAS_CORETYPE": "Nehalem",
}


def finished_run(recipe: Path, run: Path, environment: dict[str, str]) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "evomerge_tui", "run", str(recipe), "--out", str(run), "--json"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return run


@pytest.mark.parametrize(("method", "precision"), [("task_arithmetic", "nf4"), ("nuslerp", "int8")])
def test_a_run_with_one_thread_and_avx2_is_the_run_without_limits(tmp_path: Path, method: str, precision: str) -> None:
    evaluation = {"precision": precision, "confirm": ["bf16"], "device": "cpu"}
    space = {"method": method, "groups": {"bands": 2}}
    recipe = write_recipe(tmp_path / "recipe", search_space=space, evaluation=evaluation)
    free = finished_run(recipe, tmp_path / "free", {})
    limited = finished_run(recipe, tmp_path / "limited", LIMITS | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")})
    assert scores(limited) == scores(free)
    results = [timeless(json.loads((run / WINNER / RESULT).read_text())) for run in (free, limited)]
    assert results[0] == results[1]
    assert results[0]["scored_on"] == "CPU, float32 in fixed order"
    weights = [(run / WINNER / "model" / "model.safetensors").read_bytes() for run in (free, limited)]
    assert weights[0] == weights[1]


def test_a_run_keeps_the_arithmetic_that_it_began_with(tmp_path: Path) -> None:
    """`auto` is written into the run as what it meant; bfloat16 is the user's to ask for, and is shown."""
    evaluation = {"precision": "bf16", "device": "cpu", "arithmetic": "bfloat16"}
    asked = finished_run(write_recipe(tmp_path / "asked", evaluation=evaluation), tmp_path / "in-bfloat16", {})
    left = finished_run(write_recipe(tmp_path / "left", evaluation={"device": "cpu"}), tmp_path / "left-alone", {})
    assert "arithmetic: bfloat16" in (asked / "recipe.yaml").read_text()
    assert "arithmetic: float32" in (left / "recipe.yaml").read_text()
    store = open_store(asked)
    devices = [data["device"] for _, _, kind, data in store.events() if kind == "scored_on"]
    store.close()
    assert len(devices) == 1
    assert devices[0].endswith(", bfloat16")
