"""Recipes with paths and stages: what is filled in, what comes back from a dump, and what is refused at which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.paths.spec import Paths
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.stages import plan_stages

HEAD = """evomerge: 1
name: cross
base: owner/base
sources:
  - {model: owner/one, name: one}
  - {model: owner/two, name: two}
tasks: [gsm8k]
budget: {evaluations: 10}
"""
STAGES = """stages:
  - search_space: {method: ties}
    budget: {evaluations: 64}
  - paths:
      sources: [weights, two]
      max_layers: 40
"""


def read(place: Path, text: str) -> Recipe:
    file = place / "recipe.yaml"
    file.write_text(text)
    return load_recipe(file)


def test_without_stages_there_is_one_of_weights(tmp_path: Path) -> None:
    recipe = read(tmp_path, HEAD)
    (stage,) = plan_stages(recipe)
    assert (stage.name, stage.searched, stage.pool) == ("weights", recipe.search_space, ())


@pytest.mark.parametrize("text", ["paths: {}\n", "paths:\n"])
def test_paths_alone_run_through_all_sources(tmp_path: Path, text: str) -> None:
    (stage,) = plan_stages(read(tmp_path, HEAD + text))
    assert (stage.name, stage.pool) == ("paths", ("one", "two"))
    assert isinstance(stage.searched, Paths)
    assert (stage.searched.encoding, stage.searched.scales, stage.searched.reach) == ("slots", "hop", 1)
    assert stage.searched.scale is not None
    assert (stage.searched.scale.low, stage.searched.scale.high, stage.searched.scale.start) == (0.4, 1.5, 1.0)


def test_the_papers_preset(tmp_path: Path) -> None:
    (stage,) = plan_stages(read(tmp_path, HEAD + "paths: {preset: paper}\n"))
    assert isinstance(stage.searched, Paths)
    assert (stage.searched.encoding, stage.searched.scales, stage.searched.repeats) == ("indicator", "matrix", 3)
    assert (stage.search.population, stage.search.sigma) == (128, 1 / 6)
    (own,) = plan_stages(read(tmp_path, HEAD + "search: {population: 20}\npaths: {preset: paper}\n"))
    assert own.search.population == 20


def test_stages_with_a_winner_in_the_pool(tmp_path: Path) -> None:
    recipe = read(tmp_path, HEAD + STAGES)
    weights, paths = plan_stages(recipe)
    assert isinstance(weights.searched, SearchSpace)
    assert (weights.name, weights.searched.method, weights.budget.evaluations) == ("weights", "ties", 64)
    assert (paths.name, paths.pool, paths.budget.evaluations) == ("paths", ("weights", "two"), 10)
    shorter = read(tmp_path, HEAD + STAGES.replace("      sources: [weights, two]\n", ""))
    assert plan_stages(shorter)[1].pool == ("weights", "one", "two")


@pytest.mark.parametrize(
    "text", ["", "paths: {scales: none, slots: 40}\n", "paths: {preset: paper, repeats: 2, max_parameters: 1.5e8}\n", STAGES]
)
def test_a_dumped_recipe_reads_back_equal(tmp_path: Path, text: str) -> None:
    recipe = read(tmp_path, HEAD + text)
    assert read(tmp_path, dump_recipe(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("paths: {encoding: slot}\n", ":9: key 'paths.encoding' must be slots or indicator, not 'slot'"),
        ("paths: {slot: 30}\n", ":9: key 'slot' is unknown in 'paths'; did you mean 'slots'"),
        ("paths: {repeats: 2}\n", ":9: key 'paths.repeats' has no effect with encoding: slots"),
        ("paths:\n  encoding: indicator\n  slots: 30\n", ":11: key 'paths.slots' has no effect with encoding: indicator"),
        ("paths: {scales: matrix}\n", ":9: key 'paths.scales' must be hop or none with encoding: slots"),
        ("paths: {scales: none, scale: {low: 0.5}}\n", ":9: key 'paths.scale' has no effect with scales: none"),
        ("paths:\n  scale: {low: 0.0}\n", ":10: key 'paths.scale' must be above 0"),
        ("paths:\n  scale: {low: 2.0}\n", ":10: key 'paths.scale' must be above low"),
        ("paths: {max_layers: 1}\n", ":9: key 'paths.max_layers' must be at least 2"),
        ("paths: {slots: 40, max_layers: 40}\n", ":9: key 'paths.slots' with both ends come to 42 layers, above max_layers"),
        ("paths: {sources: [one, one]}\n", ":9: key 'paths.sources' holds 'one' twice"),
        ("paths: {sources: [one, tow]}\n", r":9: key 'paths.sources\[1\]'.*'tow'.*did you mean 'two'"),
        ("paths: {preset: papers}\n", ":9: key 'paths.preset' must be default or paper"),
        ("paths: {}\nsearch_space: {method: ties}\n", "key 'paths' can't be combined with search_space"),
        ("paths: {}\n" + STAGES, "key 'stages' can't be combined with paths"),
        ("stages: []\n", ":9: key 'stages' must not be empty"),
        ("stages:\n  - budget: {evaluations: 3}\n", ":10: .*either 'search_space' .* or 'paths'"),
        ("stages:\n  - {paths: {}, search_space: {}}\n", ":10: .*either 'search_space' .* or 'paths'"),
        ("stages:\n  - paths: {}\n  - search_space: {}\n", r":10: key 'stages\[0\].paths': paths must come last"),
        ("stages:\n  - search_space: {}\n  - search_space: {}\n", ":9: key 'stages' holds 'weights' twice"),
        ("stages:\n  - {search_space: {}, name: two}\n", r":10: key 'stages\[0\].name': 'two' is a source's name"),
        ("stages:\n  - search_space:\n      method: tie\n", r":11: key 'stages\[0\].search_space.method'.*tie.*ties"),
        ("stages:\n  - search_space:\n      method: ties\n      fixed: {scale: 1}\n", r":12: key 'stages\[0\].*scale"),
        ("stages:\n  - search_space: {}\n  - paths:\n      sources: [wieghts, one]\n", ":12: .*'wieghts'.*'weights'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_at_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read(tmp_path, HEAD + text)
    assert "\n" not in str(caught.value)
