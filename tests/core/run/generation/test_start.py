"""Where a search of weights starts: at the best equal-weight merge, within the bounds of its search space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.generation.generations import make_optimizer
from evomerge_core.run.generation.start import best_start
from evomerge_core.run.references import add_references
from evomerge_core.run.setup import Setup, prepare
from evomerge_core.run.store.store import Store
from support.run_plans import save_score
from support.tiny_run import write_recipe


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("models")).parent


def started(file: Path, store: Store, right: tuple[int, ...]) -> tuple[Setup, list[float] | None]:
    """The start where the equal-weight merges have so many of twelve items right."""
    setup = prepare(load_recipe(file), file.parent)
    references = [one for one in add_references(setup, store) if one.kind == "uniform"]
    for one, count in zip(references, right, strict=False):
        save_score(store, one, count, 12, loss=1.0)
    return setup, best_start(setup, setup.stages[0], store)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db", create=True)


@pytest.mark.parametrize(("right", "weight"), [((3, 5, 4), 0.75), ((6, 6, 1), 0.5), ((0, 0, 1), 1.0)])
def test_it_is_the_equal_weight_merge_with_most_right_and_the_search_begins_there(
    place: Path, store: Store, right: tuple[int, ...], weight: float
) -> None:
    setup, start = started(place / "recipe.yaml", store, right)
    # task arithmetic by two bands, two sources: four weights
    assert start == [weight] * 4
    optimizer = make_optimizer(setup.stages[0], 0, whole_ranking=True, start=start)
    np.testing.assert_allclose(optimizer.mean, start)


def test_without_one_the_search_space_has_its_own(place: Path, store: Store) -> None:
    setup, start = started(place / "recipe.yaml", store, ())
    assert start is None
    np.testing.assert_allclose(make_optimizer(setup.stages[0], 0, whole_ranking=True).mean, setup.stages[0].space.start)


def test_it_lies_within_the_bounds(place: Path, store: Store) -> None:
    space = {"groups": "whole", "parameters": {"weight": {"low": 0.0, "high": 0.6}}}
    recipe = yaml.safe_load((place / "recipe.yaml").read_text(encoding="utf-8"))
    (place / "narrow.yaml").write_text(yaml.safe_dump({**recipe, "search_space": space}, sort_keys=False), encoding="utf-8")
    setup, start = started(place / "narrow.yaml", store, (1, 1, 9))
    assert start == [0.6, 0.6]
    genomes = make_optimizer(setup.stages[0], 0, whole_ranking=True, start=start).ask()
    assert all((genome >= 0).all() and (genome <= 0.6).all() for genome in genomes)


@pytest.mark.parametrize(
    "space",
    [
        {"groups": "whole", "parameters": {"weight": {"low": 0.0, "high": 2.0, "start": 1.0}}},
        {"preset": "paper"},
    ],
)
def test_a_start_that_the_recipe_names_stands(place: Path, store: Store, space: dict[str, object]) -> None:
    recipe = yaml.safe_load((place / "recipe.yaml").read_text(encoding="utf-8"))
    (place / "own.yaml").write_text(yaml.safe_dump({**recipe, "search_space": space}, sort_keys=False), encoding="utf-8")
    assert started(place / "own.yaml", store, (1, 9, 1))[1] is None


def test_a_search_of_paths_begins_with_the_first_models_own(place: Path, store: Store) -> None:
    stages = [{"search_space": {"groups": "whole"}}, {"paths": {"sources": ["weights", "first"]}}]
    recipe = yaml.safe_load((place / "recipe.yaml").read_text(encoding="utf-8"))
    del recipe["search_space"]
    (place / "stages.yaml").write_text(yaml.safe_dump({**recipe, "stages": stages}, sort_keys=False), encoding="utf-8")
    setup, _ = started(place / "stages.yaml", store, (1, 2, 3))
    assert best_start(setup, setup.stages[1], store) is None
