"""What mergekit 0.1.5 passes over in published files is left out, and told."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.files.yaml_file import parse_yaml
from evomerge_core.fixed_merge.merge_file import fixed_in
from evomerge_core.fixed_merge.mergekit import merge_in
from evomerge_core.merging.config import MergeConfig, Setting

# `Parameters` of a base are of scope NON_BASE in mergekit's specs: they are never read for the base.
DARE = """\
merge_method: dare_ties
base_model: base
models:
  - model: base
    parameters: {weight: 0.3, density: 0.35}
  - model: a
    parameters: {weight: 0.25, density: 0.5}
parameters: {int8_mask: true}
"""
SLICES = """\
merge_method: slerp
base_model: a
slices:
  - sources:
      - {model: a, layer_range: [0, 2]}
      - {model: b, layer_range: [0, 2]}
  - base_model: b
    sources:
      - {model: a, layer_range: [2, 4]}
      - {model: b, layer_range: [2, 4], parameters: {t: 0.9}}
parameters: {t: 0.5}
"""


def read(text: str) -> tuple[MergeConfig, tuple[str, ...]]:
    file = parse_yaml(text, Path("merge.yml"))
    return merge_in(file), fixed_in(file).notices


def test_the_parameters_of_a_listed_base_are_passed_over_with_a_notice() -> None:
    config, notices = read(DARE)
    assert config == read(DARE.replace("    parameters: {weight: 0.3, density: 0.35}\n", ""))[0]
    (notice,) = notices
    assert notice.startswith("merge.yml:5: key 'models[0].parameters' has no effect and is passed over")


def test_a_slice_has_the_base_that_it_names() -> None:
    config, notices = read(SLICES)
    assert not any(source.parameters for part in config.slices for source in part.sources)
    (notice,) = notices
    assert "slices[1].sources[1].parameters" in notice


def test_a_model_that_is_no_base_keeps_its_parameters() -> None:
    linear = "merge_method: linear\nbase_model: a\nmodels:\n  - {model: a, parameters: {weight: 0.5}}\n  - {model: b}\n"
    config, notices = read(linear + "parameters: {weight: 1}\n")
    assert config.slices[0].sources[0].parameters == {"weight": (Setting((0.5,)),)}
    assert notices == ()


def test_what_older_mergekits_had_is_passed_over_with_a_notice() -> None:
    config, notices = read(DARE.replace("int8_mask", "embed_slerp"))
    assert config.parameters == {}
    assert any("embed_slerp" in notice and notice.startswith("merge.yml:8: ") for notice in notices)


@pytest.mark.parametrize("value", ["true", "1", "1.0", "0"])
@pytest.mark.parametrize("method", ["linear", "ties", "karcher"])
def test_int8_mask_only_saves_memory_in_mergekit(method: str, value: str) -> None:
    weight = "" if method == "karcher" else ", parameters: {weight: 1}"
    text = (
        f"merge_method: {method}\nbase_model: c\nmodels: [{{model: a{weight}}}, {{model: b{weight}}}, {{model: c{weight}}}]\n"
    )
    assert read(text + f"parameters: {{int8_mask: {value}}}\n")[0] == read(text)[0]


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("1.0", True), ("0", False), ("true", True)])
def test_flags_are_written_as_numbers_too(value: str, meant: bool) -> None:
    assert read(DARE.replace("int8_mask: true", f"normalize: {value}"))[0].parameters == {"normalize": (Setting((meant,)),)}
