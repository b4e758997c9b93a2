"""Whatever stands in a file, the answer is a recipe or a merge, or one line that says what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.fixed_merge.mergekit import merge_in
from evomerge_core.recipe.load import load_recipe

RECIPE = {
    "evomerge": 1,
    "name": "some",
    "base": "base",
    "sources": ["one", {"model": "two", "name": "second"}],
    "search_space": {
        "preset": "paper",
        "method": "ties",
        "groups": {"parts": True, "bands": 2},
        "parameters": {"weight": {"low": 0.0, "high": 1.0, "start": 0.5}, "density": {}},
        "fixed": {"lambda": 1.0},
    },
    "tasks": [
        {"task": "gsm8k", "stop": ["x"], "fields": {"question": "q", "answer": "a"}},
        {
            "name": "own",
            "files": {"search": "a", "validation": "b", "test": "c"},
            "scorer": "multiple_choice",
            "choices": ["a", "b"],
        },
    ],
    "splits": {"search": 4, "seed": 1},
    "budget": {"minutes": 2.5},
    "search": {"population": 4, "sigma": 0.1},
    "evaluation": {"confirm": ["bf16"]},
}
GENOME = {
    "genome": {"models": ["one", "two"], "merge_method": "ties", "base_model": "b", "layer_granularity": 2, "filters": ["mlp"]},
    "tasks": ["gsm8k", {"name": "mgsm_direct_ja", "weight": 1.0, "metric": "exact_match,flexible-extract"}],
    "limit": 3,
}
MERGE = {
    "merge_method": "ties",
    "base_model": "b",
    "slices": [
        {
            "sources": [
                {"model": "b", "layer_range": [0, 2]},
                {"model": "one", "layer_range": [0, 2], "parameters": {"weight": [0.5, 1]}},
            ],
            "parameters": {"weight": [{"filter": "mlp", "value": [1, 2]}, {"value": 3}]},
        }
    ],
    "parameters": {"normalize": True},
    "dtype": "float32",
    "tokenizer": {"source": "base"},
    "chat_template": "{{ x }}",
}

odd = st.sampled_from(
    [None, True, 0, -1, 3, 1.5, float("nan"), float("inf"), "", "x", "gsm8k", [], [1], ["a", "a"], {}, {"x": 1}, [[]], [{}]]
)


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in the data with every key in it."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield data, key
        if isinstance(value, dict | list):
            yield from places(value)


def read_merge(path: Path) -> object:
    return merge_in(read_yaml(path))


FILES = [(RECIPE, load_recipe), (GENOME, load_recipe), (MERGE, read_merge)]


@pytest.mark.parametrize(("data", "read"), FILES)
def test_the_files_that_are_bent_below_are_sound(tmp_path: Path, data: dict[str, Any], read: Callable[[Path], object]) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    read(path)


@pytest.mark.parametrize(("data", "read"), FILES)
@given(drawn=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_odd_values_end_in_one_line(
    tmp_path: Path, data: dict[str, Any], read: Callable[[Path], object], drawn: st.DataObject
) -> None:
    bent = copy.deepcopy(data)
    container, key = drawn.draw(st.sampled_from(list(places(bent))), label="place")
    container[key] = drawn.draw(odd)
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(bent, sort_keys=False))
    try:
        read(path)
    except InputError as error:
        assert str(error).startswith(f"{path}:")  # noqa: PT017 - what is read may also be right
        assert "\n" not in str(error)  # noqa: PT017
