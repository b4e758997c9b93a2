"""`precision: auto` in a recipe: what it becomes, and what is dropped beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.precision_choice import PrecisionChoice, with_precision
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.store.facts import read_facts
from support.tiny_run import write_recipe


def chosen(tmp_path: Path, precision: Any, reason: str = "a reason", **evaluation: Any) -> Path:
    """A run of a recipe with these settings, on a machine where `auto` is that precision."""
    recipe = load_recipe(write_recipe(tmp_path, evaluation={"device": "cpu", **evaluation}))
    return create_run(recipe, out=tmp_path / "run", choose=lambda *_: PrecisionChoice(precision, reason))


def frozen(run: Path) -> dict[str, Any]:
    evaluation: dict[str, Any] = yaml.safe_load((run / RECIPE).read_text())["evaluation"]
    return evaluation


def test_auto_is_what_a_recipe_means_that_says_nothing(tmp_path: Path) -> None:
    assert load_recipe(write_recipe(tmp_path, evaluation={"device": "cpu"})).evaluation.precision == "auto"


@pytest.mark.parametrize("precision", ["bf16", "int8", "nf4"])
def test_the_choice_is_frozen_into_the_run_with_its_reason(tmp_path: Path, precision: str) -> None:
    run = chosen(tmp_path, precision, "16 GB are free")
    assert frozen(run)["precision"] == precision
    store = open_store(run)
    assert read_facts(store).precision_choice == f"{precision}: 16 GB are free"
    assert ("precision", {"text": f"{precision}: 16 GB are free"}) in [(kind, data) for _, _, kind, data in store.events()]
    # a resumed run asks nobody
    setup = prepare(load_recipe(run / RECIPE), run, lambda *_: pytest.fail("it was chosen before"))
    assert (setup.plan.precision, setup.choice) == (precision, None)


def test_a_precision_that_the_recipe_names_is_kept_without_a_word(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, evaluation={"device": "cpu", "precision": "int8"}))
    run = create_run(recipe, out=tmp_path / "run", choose=lambda *_: pytest.fail("the recipe names it"))
    assert frozen(run)["precision"] == "int8"
    store = open_store(run)
    assert read_facts(store).precision_choice is None
    assert [kind for _, _, kind, _ in store.events() if kind == "precision"] == []


def test_whoever_knows_no_memory_gets_what_ships(tmp_path: Path) -> None:
    run = create_run(load_recipe(write_recipe(tmp_path, evaluation={"device": "cpu"})), out=tmp_path / "run")
    assert frozen(run)["precision"] == "bf16"


@pytest.mark.parametrize(("precision", "confirm"), [("bf16", ["nf4"]), ("int8", ["bf16", "nf4"]), ("nf4", ["bf16"])])
def test_the_chosen_precision_is_left_out_of_confirm(tmp_path: Path, precision: str, confirm: list[str]) -> None:
    run = chosen(tmp_path, precision, confirm=["bf16", "nf4"])
    assert frozen(run)["confirm"] == confirm
    assert prepare(load_recipe(run / RECIPE), run).plan.precisions == (precision, *confirm)


def test_a_named_precision_in_confirm_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation\.confirm.*holds int8"):
        load_recipe(write_recipe(tmp_path, evaluation={"precision": "int8", "confirm": ["int8"]}))


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_leaving_the_comparison_out_where_there_is_none_is_refused(tmp_path: Path, precision: str) -> None:
    with pytest.raises(InputError, match=r"evaluation\.agreement.*no effect"):
        load_recipe(write_recipe(tmp_path, evaluation={"precision": precision, "agreement": False}))


@pytest.mark.parametrize(("precision", "agreement"), [("bf16", True), ("int8", False), ("nf4", False)])
def test_a_frozen_recipe_reads_back_whatever_auto_became(tmp_path: Path, precision: Any, agreement: bool) -> None:
    run = chosen(tmp_path, precision, agreement=False)
    assert load_recipe(run / RECIPE).evaluation.agreement is agreement
    plan = prepare(load_recipe(run / RECIPE), run).plan
    assert plan.compared is False


@pytest.mark.parametrize(("precision", "compared"), [("nf4", True), ("int8", True), ("bf16", False), ("fp32", False)])
def test_few_bits_are_compared_with_what_ships(tmp_path: Path, precision: str, compared: bool) -> None:
    recipe = load_recipe(write_recipe(tmp_path, evaluation={"precision": precision, "device": "cpu"}))
    assert prepare(recipe, tmp_path).plan.compared is compared


def test_other_settings_stay(tmp_path: Path) -> None:
    recipe: Recipe = load_recipe(write_recipe(tmp_path, evaluation={"device": "cpu", "coherence": False}))
    changed = with_precision(recipe, "int8").evaluation
    assert (changed.device, changed.coherence, changed.precision) == ("cpu", False, "int8")
