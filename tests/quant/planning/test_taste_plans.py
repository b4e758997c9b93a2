"""Preflight of a run by taste: its prompts are counted and measured, with and without tasks beside them."""

from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_quant.planning.preflight import preflight
from evomerge_quant.planning.workload import workload
from support.tasteful_runs import BY_TASTE, PROMPTS, write_recipe


@pytest.mark.parametrize("tasks", [False, True])
def test_prompts_are_part_of_what_is_asked(tmp_path: Path, tasks: bool) -> None:
    recipe = load_recipe(
        write_recipe(tmp_path, with_tasks=tasks, **{**BY_TASTE, "evaluation": {"precision": "auto", "device": "cpu"}})
    )
    asked = workload(recipe, "cpu")
    assert asked.search_items == asked.searched_items == len(PROMPTS) + (12 if tasks else 0)
    assert asked.test_items == (20 if tasks else 0)
    report = preflight(recipe, out=tmp_path / "run")
    told = {check.subject: check.text for check in report.checks}
    assert told["Taste"] == "4 prompts; you vote, 20 times in all"
    assert report.estimate is not None
