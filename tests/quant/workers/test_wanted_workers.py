"""Workers as a recipe and a command line ask for them, with and without the extra."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_quant.planning.machine import ray_extra
from evomerge_quant.workers.wanted import with_workers
from support.tiny_run import write_recipe

WITH_RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipe")


@pytest.mark.parametrize("wanted", [0, -1, True, 1.5, "two", "ray://", "ray://host", "10.0.0.1:6379", []])
def test_what_cant_be_meant_is_refused_at_its_line(place: Path, wanted: Any) -> None:
    with pytest.raises(InputError, match=r"recipe.yaml:\d+: key 'search.workers' must be a number above 0, auto or ray://"):
        load_recipe(write_recipe(place, search={"workers": wanted}))


def test_workers_of_a_stage_are_refused(place: Path) -> None:
    recipe = write_recipe(place, stages=[{"search_space": {}, "search": {"workers": 2}}])
    recipe.write_text(recipe.read_text().replace("search_space:\n  groups:\n    bands: 2\n", ""))
    with pytest.raises(InputError, match=r"'stages\[0\].*search' has workers, which are the whole run's"):
        load_recipe(recipe)


def test_a_recipe_of_an_earlier_version_wants_none(place: Path) -> None:
    assert load_recipe(write_recipe(place)).search.workers is None


@pytest.mark.skipif(not WITH_RAY, reason="needs the extra ray")
def test_the_command_line_comes_first(place: Path) -> None:
    recipe = load_recipe(write_recipe(place, search={"workers": 3}))
    found = {text: with_workers(recipe, text).search.workers for text in (None, "2", "auto", "ray://[::1]:10001", "none")}
    assert found == {None: 3, "2": 2, "auto": "auto", "ray://[::1]:10001": "ray://[::1]:10001", "none": None}


def test_without_the_extra_one_line_says_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_extra, "find_spec", lambda _: None)
    recipe = load_recipe(write_recipe(place))
    assert with_workers(recipe, None) == recipe
    with pytest.raises(InputError, match=r"^workers need Ray, which isn't installed; .*pip install 'evomerge-tui\[ray\]'"):
        with_workers(recipe, "2")
