"""A budget that can't tell anything is said before it is spent, with the number that would do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from evomerge_core.discovery.headers import look_at
from evomerge_core.recipe.schema import Recipe
from evomerge_quant.planning.check import PreflightCheck
from evomerge_quant.planning.checks.budget import budget_checks, fewest_items
from evomerge_quant.planning.estimate import RunEstimate, estimate
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.plan import plan_of
from support.tiny_models import make_folder

LAPTOP = Capacity("cpu", "a laptop", 4, 16 * 10**9, 12 * 10**9)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for seed in range(2):
        make_folder(place, "llama", seed)
    return place


def checked(models: Path, tasks: int = 1, **changes: Any) -> tuple[dict[str, PreflightCheck], RunEstimate]:
    """The checks by subject."""
    names = [f"task-{n}" for n in range(tasks)]
    data: dict[str, Any] = {
        "evomerge": 1,
        "name": "cross",
        "base": str(models / "llama-0"),
        "sources": [str(models / "llama-1")],
        "search_space": {"groups": "whole"},
        "tasks": [{"name": name, "file": "items.jsonl", "fields": {"answer": "answer"}} for name in names],
        "splits": {"search": 40, "validation": 60, "test": 100},
        "budget": {"evaluations": 100},
        "search": {"population": 10},
    }
    if "stages" in changes:
        del data["search_space"]
    recipe = Recipe.model_validate({**data, **changes})
    looked = look_at([recipe.base, *(source.model for source in recipe.sources)], relative_to=models)
    found = estimate(recipe, plan_of(recipe, looked), LAPTOP, (), 50.0)
    return {check.subject: check for check in budget_checks(recipe, found)}, found


@pytest.mark.parametrize("difference", [0.05, 0.1, 0.15, 0.3, 1.0])
def test_the_fewest_items_are_those_of_the_exact_test(difference: float) -> None:
    """At most the difference's share of the items can be won without a loss; scipy's binomial test is McNemar's."""

    def reached(items: int) -> bool:
        wins = int(difference * items + 1e-9)
        return wins > 0 and binomtest(wins, wins).pvalue < 0.05

    assert fewest_items(difference) == next(items for items in range(1, 1000) if reached(items))


@pytest.mark.parametrize(("split", "subject"), [("validation", "Final"), ("test", "Verdict")])
@pytest.mark.parametrize(("items", "state"), [(1, "warning"), (39, "warning"), (40, "ok"), (200, "ok")])
def test_too_few_items_are_told_with_the_number_that_would_do(
    models: Path, split: str, subject: str, items: int, state: str
) -> None:
    found = checked(models, splits={"search": 40, "validation": 60, "test": 100, split: items})[0][subject]
    assert found.state == state
    if state == "warning":
        assert f"{items} {split} items" in found.text
        assert f"raise splits: {split} to 40 or more" in found.remedy


def test_items_of_all_tasks_count_together(models: Path) -> None:
    splits = {"search": 40, "validation": 60, "test": 14}
    assert checked(models, tasks=3, splits=splits)[0]["Verdict"].state == "ok"
    two = checked(models, tasks=2, splits=splits)[0]["Verdict"]
    assert two.state == "warning"
    assert "to 20 or more" in two.remedy


def test_without_validation_there_is_no_final(models: Path) -> None:
    changes = {"splits": {"search": 40, "validation": 0, "test": 100}, "search": {"population": 10, "racing": "off"}}
    assert "Final" not in checked(models, **changes)[0]


def test_too_few_candidates_are_told_with_the_number_that_would_do(models: Path) -> None:
    few = checked(models, budget={"evaluations": 29})[0]["Search"]
    assert few.state == "warning"
    assert "2.9 generations" in few.text
    assert "at least 30 candidates" in few.remedy
    assert checked(models, budget={"evaluations": 30})[0]["Search"].state == "ok"


def test_stages_need_three_generations_each(models: Path) -> None:
    stages = [{"name": "weights", "search_space": {"groups": "whole"}}, {"name": "paths", "paths": {}}]
    few = checked(models, stages=stages, budget={"evaluations": 20})[0]["Search"]
    assert "at least 60 candidates" in few.remedy


def test_the_minutes_that_would_do_are_enough(models: Path) -> None:
    few, _ = checked(models, budget={"minutes": 0.01})
    assert few["Search"].state == "warning"
    (minutes,) = re.findall(r"about (\d+) minutes", few["Search"].remedy)
    assert checked(models, budget={"minutes": int(minutes)})[0]["Search"].state == "ok"
