"""Paths as files: they come back equal, rebuild the child byte for byte, and are refused with their line when wrong."""

from __future__ import annotations

from pathlib import Path as Folder

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.fixed_merge.fixed_merge import open_fixed, write_fixed
from evomerge_core.fixed_merge.merge_file import fixed_in, write_fixed_file
from evomerge_core.fixed_merge.mergekit import merge_in
from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.merge import write_merge
from evomerge_core.paths.path_merge import PathMerge
from support.path_children import child_of, files, llama, open_models, save

HOPS = [(0, 0), (0, 1), (1, 2, 1 / 3), (1, 3), (0, 1), (0, 3, 0.8)]


@pytest.fixture
def place(tmp_path: Folder) -> Folder:
    for name, seed in (("base", 3), ("first", 1), ("second", 2)):
        save(tmp_path / name, llama(), seed)
    return tmp_path


def evolved() -> MergeConfig:
    """What a stage of weights leaves behind."""
    sources = tuple(SliceSource(f"./{name}", None, {"weight": (Setting((0.1, 1 / 3)),)}) for name in ("first", "second"))
    return MergeConfig("task_arithmetic", (Slice(sources),), "./base", {"normalize": (Setting((False,)),)}, seed=7)


def test_a_scaled_path_over_a_merge_comes_back_and_rebuilds_its_child(place: Folder) -> None:
    child = PathMerge((evolved(), child_of([], "./second").members[0]), child_of(HOPS).path, seed=7, tokenizer="./base")
    written = write_fixed_file(child)
    assert written.name == "evomerge_path.yml"
    (place / written.name).write_text(written.text)
    again = fixed_in(read_yaml(place / written.name))
    assert isinstance(again.fixed, PathMerge)
    assert again.fixed.path == child.path
    assert write_fixed_file(again.fixed).text == written.text
    for out, fixed in (("ours", child), ("theirs", again.fixed)):
        write_fixed(place / out, fixed, open_fixed(fixed, relative_to=place), written.text, written.name)
    assert files(place / "ours") == files(place / "theirs")
    assert "evomerge_path.yml" in files(place / "ours")


def test_a_path_without_scales_is_mergekits_passthrough(place: Folder) -> None:
    child = child_of([hop[:2] for hop in HOPS], "./first", "./second")
    written = write_fixed_file(child)
    assert written.name == "mergekit_config.yml"
    data = yaml.safe_load(written.text)
    assert data["merge_method"] == "passthrough"
    ranges = [(piece["sources"][0]["model"], piece["sources"][0]["layer_range"]) for piece in data["slices"]]
    assert ranges == [("./first", [0, 2]), ("./second", [2, 4]), ("./first", [1, 2]), ("./first", [3, 4])]
    (place / written.name).write_text(written.text)
    again = fixed_in(read_yaml(place / written.name))
    assert isinstance(again.fixed, PathMerge)
    assert again.fixed.path == child.path


def test_a_frankenmerge_through_the_paths_code_is_the_one_through_the_merges(place: Folder) -> None:
    text = (
        "merge_method: passthrough\nslices:\n"
        "- {sources: [{model: ./first, layer_range: [0, 3]}]}\n- {sources: [{model: ./second, layer_range: [1, 4]}]}\n"
        "dtype: bfloat16\n"
    )
    file = place / "mergekit_config.yml"
    file.write_text(text)
    read = fixed_in(read_yaml(file))
    assert isinstance(read.fixed, PathMerge)
    sources = open_models(place, "./first", "./second")
    write_fixed(place / "path", read.fixed, sources, read.text, read.name)
    write_merge(place / "merge", merge_in(read_yaml(file)), sources, text)
    assert files(place / "path") == files(place / "merge")


@pytest.mark.parametrize("extra", ["parameters: {scale: 0.5}", "tokenizer_source: ./second"])
def test_a_passthrough_that_says_more_than_a_path_stays_a_merge(place: Folder, extra: str) -> None:
    file = place / "mergekit_config.yml"
    file.write_text(f"merge_method: passthrough\nslices: [{{sources: [{{model: ./first, layer_range: [0, 2]}}]}}]\n{extra}\n")
    assert isinstance(fixed_in(read_yaml(file)).fixed, MergeConfig)


GOOD = """evomerge_path: 1
models:
  A: ./first
  B:
    merge_method: linear
    models:
    - {model: ./first, parameters: {weight: 1.0}}
    - {model: ./second, parameters: {weight: 0.5}}
path:
- {model: A, layers: [0, 2]}
- {model: B, layers: [2, 3], scale: 0.5}
- {model: A, layers: [3, 4]}
dtype: float32
seed: 0
"""


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("evomerge_path: 1", "evomerge_path: 2", ":1: key 'evomerge_path' must be 1, not 2"),
        ("models:\n  A", "model:\n  A", ":2: key 'model' is unknown; did you mean 'models'"),
        ("A: ./first", "A: 3", ":3: key 'models.A' must be a model's folder"),
        ("merge_method: linear", "merge_method: linea", ":5: .*linea.*linear"),
        ("weight: 0.5", "wait: 0.5", ":8: .*wait"),
        ("linear\n", "linear\n    dtype: float32\n", ":6: .*no effect on one model"),
        ("model: B, l", "model: C, l", r":11: key 'path\[1\].model' must be one of A, B, not 'C'"),
        ("[0, 2]", "[2, 2]", r":10: key 'path\[0\].layers' must be two layers"),
        ("[2, 3], scale: 0.5", "[1, 3], scale: 0.5", r":11: key 'path\[1\].scale' is for one layer"),
        ("scale: 0.5", "scale: -1", r":11: .*must be a number above 0, not -1"),
        ("scale: 0.5", "scael: 0.5", r":11: key 'scael' is unknown.*did you mean 'scale'"),
        ("dtype: float32", "dtype: int8", ":13: key 'dtype' must be one of float32"),
        ("seed: 0", "seed: -1", ":14: key 'seed' must be a whole number from 0"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(place: Folder, old: str, new: str, problem: str) -> None:
    file = place / "evomerge_path.yml"
    file.write_text(GOOD)
    assert isinstance(fixed_in(read_yaml(file)).fixed, PathMerge)
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=problem) as caught:
        fixed_in(read_yaml(file))
    assert "\n" not in str(caught.value)
