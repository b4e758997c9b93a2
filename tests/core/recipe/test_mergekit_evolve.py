"""mergekit-evolve's genome files as recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Recipe

GENOME = """\
genome:
  models:
    - owner/one
    - owner/two
  merge_method: dare_ties
  base_model: owner/base
  tokenizer_source: base
  layer_granularity: 8
  allow_negative_weights: false
  filters:
    - self_attn
    - mlp
tasks:
  - name: gsm8k
    weight: 0.5
    metric: exact_match,flexible-extract
  - mgsm_direct_ja
limit: 64
apply_chat_template: false
"""


def read(folder: Path, text: str) -> Recipe:
    path = folder / "genome.yml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path)


def test_a_genome_file_becomes_a_recipe(tmp_path: Path) -> None:
    recipe = read(tmp_path, GENOME)
    assert (recipe.name, recipe.base) == ("genome", "owner/base")
    assert [source.model for source in recipe.sources] == ["owner/one", "owner/two"]
    space = recipe.search_space
    assert space.method == "dare_ties"
    assert (space.groups.band_layers, space.groups.filters) == (8, ("self_attn", "mlp"))
    assert {name: (one.low, one.high) for name, one in space.parameters.items()} == {
        "weight": (0.0, 1.5),
        "density": (0.1, 1.0),
    }
    # mergekit-evolve normalises ties, dare_ties and linear unless told otherwise.
    assert space.fixed["normalize"] is True
    assert [(task.task, task.weight, task.chat) for task in recipe.tasks] == [("gsm8k", 0.5, False), ("mgsm-ja", 1.0, False)]
    assert (recipe.splits.search, recipe.budget.evaluations, recipe.folder) == (64, 100, tmp_path)


def test_the_recipe_of_a_genome_file_can_be_saved(tmp_path: Path) -> None:
    recipe = read(tmp_path, GENOME)
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_methods_and_their_normalisation(tmp_path: Path) -> None:
    arithmetic = read(tmp_path, GENOME.replace("dare_ties", "task_arithmetic"))
    assert (arithmetic.search_space.fixed["normalize"], set(arithmetic.search_space.parameters)) == (False, {"weight"})
    negative = read(tmp_path, GENOME.replace("weights: false", "weights: true"))
    assert negative.search_space.parameters["weight"].low == -1.5
    told = read(tmp_path, GENOME.replace("  filters", "  normalize: false\n  filters"))
    assert told.search_space.fixed["normalize"] is False
    linear = read(tmp_path, GENOME.replace("dare_ties", "linear").replace("  base_model: owner/base\n", ""))
    assert (linear.base, len(linear.sources)) == ("owner/one", 2)


def test_slerp_goes_from_the_base_to_the_other_model(tmp_path: Path) -> None:
    text = (
        GENOME.replace("dare_ties", "slerp")
        .replace("  base_model: owner/base\n", "")
        .split("  filters")[0]
        .replace("  allow_negative_weights: false\n", "")
    )
    recipe = read(tmp_path, text + GENOME[GENOME.index("tasks:") :])
    assert (recipe.base, [source.model for source in recipe.sources]) == ("owner/one", ["owner/two"])
    assert set(recipe.search_space.parameters) == {"t"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("limit: 64", "limt: 64", "18: key 'limt' is unknown; did you mean 'limit'?"),
        ("limit: 64", "limit: 0", "18: key 'limit' must be a whole number of items from 1"),
        ("  filters", "  smooth: true\n  filters", "10: key 'genome.smooth' isn't supported; remove it"),
        ("source: base", "source: union", "7: key 'genome.tokenizer_source' isn't supported"),
        ("dare_ties", "karcher", "5: key 'genome.merge_method' must be one of linear, task_arithmetic"),
        ("  base_model: owner/base\n", "", "1: key 'genome' lacks 'base_model', which dare_ties needs"),
        ("mgsm_direct_ja", "arc_easy", "17: the lm-eval task 'arc_easy' has no definition here"),
        ("name: gsm8k", "name: gsm8k_cot", "14: the lm-eval task 'gsm8k_cot' has no definition here"),
        ("flexible-extract", "strict-match", "16: key 'tasks[0].metric' isn't supported; use"),
        ("weight: 0.5", "weight: -1", "15: key 'tasks[0].weight' must be above 0, not -1"),
        ("limit: 64", "num_fewshot: 5", "18: key 'num_fewshot' isn't supported, as prompts have no worked examples"),
        ("limit: 64", "random_init: true", "18: key 'random_init' isn't supported"),
        ("limit: 64", "shuffle: false", "18: key 'shuffle' can't be false"),
        ("granularity: 8", "granularity: 2.5", "8: key 'genome.layer_granularity' must be a whole number"),
        ("- owner/two", "- owner/base", "2: key 'sources[1]': this is the base itself"),
        ("    - owner/one\n    - owner/two", "    []", "2: key 'genome.models' must be a list of models"),
        ("dare_ties", "slerp", "2: key 'genome.models' must be two models for slerp"),
    ],
)
def test_what_cannot_be_carried_over_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, GENOME.replace(old, new, 1))
    message = str(caught.value)
    assert "\n" not in message
    assert message.removeprefix(f"{tmp_path / 'genome.yml'}:").startswith(expected)
