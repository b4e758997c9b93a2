"""What a rehearsal foretells, against the run that then took place."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.rehearsal import estimate_run, rehearse
from evomerge_core.run.report.content import read_report
from evomerge_core.run.setup import Setup, create_run, prepare
from evomerge_quant.resident.model import evaluators
from support.tiny_run import write_recipe

Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


def rehearsed(folder: Path) -> tuple[Setup, dict[str, Any]]:
    setup = prepare(load_recipe(folder / "recipe.yaml"), folder)
    return setup, estimate_run(setup, rehearse(setup, evaluators(setup.base_folder, "cpu", "float32")))


def test_tokens_are_those_that_the_run_wrote(finished: Finished) -> None:
    """The tiny model never ends an answer, so every one of them has the limit's four tokens."""
    _, parts = rehearsed(finished[0])
    report = read_report(finished[0])
    spent = {spending.part: spending.tokens for spending in report.spent}
    for part in ("references", "validation", "test"):
        assert parts[part].tokens == pytest.approx(spent[part])
    # the search's centre is scored in the end as well
    assert spent["search"] == pytest.approx(parts["search"].tokens, rel=0.1)
    assert all(part.seconds > 0 for part in parts.values())
    assert report.foretold is not None


def test_minutes_bound_what_is_estimated(tmp_path: Path) -> None:
    folder = create_run(load_recipe(write_recipe(tmp_path, budget={"minutes": 30})), out=tmp_path / "run")
    _, parts = rehearsed(folder)
    assert sum(part.seconds for part in parts.values()) == pytest.approx(30 * 60)
