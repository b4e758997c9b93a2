"""Recipes of searches that breed: what is filled in, what is refused, and that they read back equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.stages import plan_stages

TASK = {"name": "sums", "file": "items.jsonl", "scorer": "final_number"}
RECIPE = {"evomerge": 1, "name": "x", "base": "b", "sources": ["f", "s"], "tasks": [TASK], "budget": {"evaluations": 10}}
TWO_TASKS = [TASK, {**TASK, "name": "more"}]
NO_MEAN = {"method": "linear", "fixed": {"normalize": False}}


def load(folder: Path, **changes: Any) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "search": {"algorithm": "niches"}, **changes}, sort_keys=False))
    return load_recipe(path)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"search": {"algorithm": "cells", "archive": 8}, "tasks": TWO_TASKS},
        {"search": {"algorithm": "niches", "population": 2, "racing": False, "tie_break": "none"}},
        {"search_space": NO_MEAN, "base": "f"},
        {"stages": [{"search_space": {}}, {"paths": {}}]},
    ],
)
def test_a_frozen_recipe_reads_back_equal(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = load(tmp_path, **changes)
    (tmp_path / "frozen.yaml").write_text(dump_recipe(recipe))
    frozen = load_recipe(tmp_path / "frozen.yaml")
    assert frozen == recipe
    assert dump_recipe(frozen) == dump_recipe(recipe)


def test_each_layer_is_a_group_unless_groups_are_given(tmp_path: Path) -> None:
    assert load(tmp_path).search_space.groups.band_layers == 1
    assert load(tmp_path, search_space={"groups": {"bands": 3}}).search_space.groups.bands == 3
    stages = load(tmp_path, stages=[{"search_space": {}}, {"paths": {}}]).stages
    assert stages[0].search_space is not None
    assert stages[0].search_space.groups.band_layers == 1
    assert load(tmp_path, search={}).search_space.groups.bands == "auto"


def test_a_stage_of_paths_is_searched_by_cma_es(tmp_path: Path) -> None:
    planned = plan_stages(load(tmp_path, stages=[{"search_space": {}}, {"paths": {}}]))
    assert [stage.search.algorithm for stage in planned] == ["niches", "cma-es"]
    assert (planned[0].search.archive, planned[0].search.population) == (15, 4)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"search": {"algorithm": "niches", "sigma": 0.1}}, "key 'search.sigma' has no effect"),
        ({"search": {"algorithm": "niches", "racing": True}}, "key 'search.racing' has no effect"),
        ({"search": {"archive": 9}}, "key 'search.archive' has no effect"),
        ({"search": {"algorithm": "niche"}}, "did you mean 'niches'?"),
        ({"search": {"algorithm": "cells"}}, "needs at least two tasks"),
        ({"search_space": {"method": "ties"}}, "niches breeds linear merges, and ties is none"),
        ({"search_space": {"preset": "paper"}}, "niches breeds linear merges, and dare_ties is none"),
        ({"search_space": {"method": "linear"}, "base": "f"}, "key 'search_space.fixed.normalize': must be false"),
        ({"search_space": {"fixed": {"lambda": 0.5}}}, "key 'search_space.fixed.lambda': must be 1"),
        ({"search_space": {"parameters": {"weight": {}, "lambda": {"low": 0.5, "high": 1.0}}}}, "niches breeds weights alone"),
        ({"search_space": {"parameters": {"weight": {"start": 1.0}}}}, "weight.start': has no effect"),
        ({"paths": {}}, "niches breeds weights, not paths"),
        ({"search": {"algorithm": "niches", "archive": 1}}, "key 'search.archive' must be at least 2"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_refused_in_one_line(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, **changes)
    message = str(caught.value)
    assert line in message
    assert message.startswith(str(tmp_path / "recipe.yaml"))
    assert "\n" not in message
