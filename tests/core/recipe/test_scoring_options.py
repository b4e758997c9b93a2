"""Racing, coherence and early ends in a recipe: words and mappings, and nothing without effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Racing
from evomerge_core.run.generation.judging import race_sizes

RECIPE: dict[str, Any] = {
    "evomerge": 1,
    "name": "options",
    "base": "./base",
    "sources": ["./first", "./second"],
    "tasks": [{"name": "words", "file": "items.jsonl", "prompt": "{question}", "scorer": "exact"}],
    "splits": {"search": 40, "validation": 20, "test": 50},
    "budget": {"evaluations": 10},
}


def load(place: Path, text: str = "", **changes: Any) -> Any:
    file = place / "recipe.yaml"
    file.write_text(yaml.safe_dump({**RECIPE, **changes}, sort_keys=False) + text)
    return load_recipe(file)


@pytest.mark.parametrize(
    ("text", "racing"),
    [
        ("", None),
        ("search: {racing: off}", Racing(enabled=False)),
        ("search: {racing: on}", Racing()),
        ("search: {racing: {items: 8, first: 4, error: 0.2}}", Racing(items=8, first=4, error=0.2)),
    ],
)
def test_racing_is_read_and_written_again(tmp_path: Path, text: str, racing: Racing | None) -> None:
    recipe = load(tmp_path, text)
    assert recipe.search.racing == racing
    (tmp_path / "again.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.yaml").search.racing == racing


def test_racing_is_on_where_there_is_something_to_save(tmp_path: Path) -> None:
    def sizes(**changes: Any) -> tuple[int, ...] | None:
        recipe = load(tmp_path, **changes)
        splits = recipe.splits
        return race_sizes(recipe.search, items=splits.search, validated=splits.validation > 0, load=0.0)

    assert sizes() == (9,)
    assert sizes(splits={"search": 10, "validation": 20, "test": 50}) is None
    assert sizes(splits={"search": 40, "validation": 0, "test": 50}) is None
    assert sizes(search={"racing": False}) is None
    assert sizes(search={"racing": {"items": 40}}) == (8, 16, 32, 40)
    assert sizes(search={"racing": {"first": 12}}) == (12,)


@pytest.mark.parametrize(
    ("changes", "key", "remedy"),
    [
        ({"search": {"racing": {"items": 41}}}, "search.racing.items", "splits: search: 40"),
        ({"search": {"racing": {"items": 4, "first": 8}}}, "search.racing.first", "at most items"),
        ({"search": {"racing": {"enabled": False, "items": 4}}}, "search.racing.enabled", "no effect"),
        ({"search": {"racing": True}, "splits": {"search": 40, "validation": 0, "test": 9}}, "search.racing", "validation"),
        ({"evaluation": {"early_end": True}}, "evaluation.early_end", "coherence: false"),
    ],
)
def test_what_has_no_effect_is_refused_in_one_line(tmp_path: Path, changes: dict[str, Any], key: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        load(tmp_path, **changes)
    assert f"'{key}'" in str(refused.value)
    assert remedy in str(refused.value)
    assert "\n" not in str(refused.value)


def test_early_ends_need_a_task_whose_score_can_be_certain(tmp_path: Path) -> None:
    evaluation = {"early_end": True, "coherence": False}
    assert load(tmp_path, evaluation=evaluation).evaluation.early_end
    number = {**RECIPE["tasks"][0], "scorer": "final_number"}
    japanese = {**RECIPE["tasks"][0], "language": "ja"}
    for task in (number, japanese):
        with pytest.raises(InputError, match=r"evaluation\.early_end.*no effect"):
            load(tmp_path, evaluation=evaluation, tasks=[task])
