"""Plans: which tensors of which models make the child, with which numbers (mergekit's rules)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.plan.parameter_values import evaluate
from evomerge_core.merging.plan.plan import TensorMerge, make_plan
from evomerge_core.sources.source import Source, open_sources
from support.merging_models import merge_of, parameters, write_base

EMBEDDING = "model.embed_tokens.weight"
Sources = Mapping[str, Source]


def by_name(config: MergeConfig, sources: Sources) -> dict[str, TensorMerge]:
    return {merge.name: merge for merge in make_plan(config, sources)}


def layer(index: int, rest: str = "mlp.up_proj.weight") -> str:
    return f"model.layers.{index}.{rest}"


def sliced(
    method: str, *slices: tuple[tuple[str, tuple[int, int]], ...], base: str | None = None, **shared: Any
) -> MergeConfig:
    made = tuple(Slice(tuple(SliceSource(model, layers) for model, layers in models)) for models in slices)
    return MergeConfig(method, made, base, parameters(**shared))


def test_every_tensor_of_the_base_is_merged_once_with_the_methods_defaults(sources: Sources) -> None:
    plan = make_plan(merge_of("ties", {"first": {"weight": 0.5}, "second": {"weight": 1.0, "density": 0.2}}, "base"), sources)
    assert sorted(merge.name for merge in plan) == sorted(sources["base"].names)
    for merge in plan:
        assert merge.base is not None
        assert (merge.base.model, merge.base.name) == ("base", merge.name)
        assert [(taken.model, taken.name) for taken in merge.inputs] == [("first", merge.name), ("second", merge.name)]
        assert [taken.parameters for taken in merge.inputs] == [
            {"weight": 0.5, "density": 1.0},
            {"weight": 1.0, "density": 0.2},
        ]
        assert merge.parameters == {"normalize": True, "rescale": False, "lambda": 1.0}


def test_a_base_listed_among_the_models_is_no_task_vector(sources: Sources) -> None:
    plan = make_plan(merge_of("task_arithmetic", {"base": {}, "first": {"weight": 0.5}}, "base"), sources)
    assert {tuple(taken.model for taken in merge.inputs) for merge in plan} == {("first",)}


def test_a_method_without_base_counts_it_among_the_models(sources: Sources) -> None:
    plan = make_plan(merge_of("linear", {"base": {"weight": 0.5}, "first": {"weight": 0.5}}, "base"), sources)
    assert {(merge.base, *(taken.model for taken in merge.inputs)) for merge in plan} == {(None, "base", "first")}


def test_a_sources_parameter_overrides_the_slices_that_the_merges_that_the_default(sources: Sources) -> None:
    members = (SliceSource("first", (0, 3), parameters(weight=1.0)), SliceSource("second", (0, 3)))
    one = Slice(members, parameters(weight=2.0, density=0.5))
    config = MergeConfig("ties", (one,), "base", parameters(lambda_=3.0))
    merge = by_name(config, sources)[layer(0)]
    assert [dict(taken.parameters) for taken in merge.inputs] == [
        {"weight": 1.0, "density": 0.5},
        {"weight": 2.0, "density": 0.5},
    ]
    assert merge.parameters["lambda"] == 3.0


def test_the_first_filter_that_is_part_of_the_name_counts(sources: Sources) -> None:
    filters = {"self_attn": 0.1, "mlp.up": 0.2, "layers.1.mlp": 0.3, "": 0.4}
    plan = by_name(merge_of("task_arithmetic", {"first": {"weight": filters}}, "base"), sources)
    values = {name: merge.inputs[0].parameters["weight"] for name, merge in plan.items()}
    assert values[layer(2, "self_attn.q_proj.weight")] == 0.1
    assert values[layer(1)] == 0.2
    assert values[layer(1, "mlp.down_proj.weight")] == 0.3
    assert values[layer(0, "mlp.down_proj.weight")] == 0.4
    assert values[EMBEDDING] == 0.4


def test_gradients_run_over_the_layers_and_start_outside_them(sources: Sources) -> None:
    plan = by_name(merge_of("slerp", {"first": {}}, "base", t=[0.0, 0.3, 1.0, 0.2]), sources)
    values = [plan[layer(index)].parameters["t"] for index in range(3)]
    assert values == pytest.approx(list(np.interp([0, 1.5, 3], [0, 1, 2, 3], [0.0, 0.3, 1.0, 0.2])))
    assert plan[EMBEDDING].parameters["t"] == plan["model.norm.weight"].parameters["t"] == 0.0


@pytest.mark.parametrize("layers", [2, 3, 7, 30, 49, 80])
def test_one_number_per_layer_is_exact(layers: int) -> None:
    numbers = tuple(0.1 + 0.7 / (index + 1) for index in range(layers))
    values = [evaluate(Setting(numbers), index / (layers - 1)) for index in range(layers)]
    assert values == list(numbers)


def test_slices_stack_layers_and_renumber_them(sources: Sources) -> None:
    config = sliced("passthrough", (("first", (0, 2)),), (("second", (1, 3)),), (("first", (2, 3)),))
    plan = by_name(config, sources)
    assert sorted({int(name.split(".")[2]) for name in plan if ".layers." in name}) == [0, 1, 2, 3, 4]
    origins = [(plan[layer(index)].inputs[0].model, plan[layer(index)].inputs[0].name) for index in range(5)]
    assert origins == [
        ("first", layer(0)),
        ("first", layer(1)),
        ("second", layer(1)),
        ("second", layer(2)),
        ("first", layer(2)),
    ]
    assert plan[EMBEDDING].inputs[0].model == "first"
    assert plan["model.norm.weight"].inputs[0].model == "first"


def test_tensors_after_the_layers_come_from_the_last_slice(sources: Sources) -> None:
    plan = by_name(sliced("passthrough", (("first", (0, 2)),), (("second", (1, 3)),)), sources)
    assert plan[EMBEDDING].inputs[0].model == "first"
    assert plan["model.norm.weight"].inputs[0].model == "second"


def test_a_gradient_starts_anew_in_each_slice_and_a_slice_of_one_layer_ends_it(sources: Sources) -> None:
    two, one = (("base", (0, 2)), ("first", (0, 2))), (("base", (2, 3)), ("first", (1, 2)))
    plan = by_name(sliced("slerp", two, one, base="base", t=[0.25, 0.75]), sources)
    assert [plan[layer(index)].parameters["t"] for index in range(3)] == [0.25, 0.75, 0.75]
    assert (plan[layer(2)].base.name, plan[layer(2)].inputs[0].name) == (layer(2), layer(1))  # type: ignore[union-attr]


def test_a_slice_may_have_a_method_and_a_base_of_its_own(sources: Sources) -> None:
    first = Slice((SliceSource("first", (0, 2)),), method="passthrough")
    second = Slice((SliceSource("second", (2, 3)), SliceSource("third", (2, 3))), parameters(weight=0.5), base="third")
    plan = by_name(MergeConfig("task_arithmetic", (first, second), "base"), sources)
    assert (plan[layer(1)].method, plan[layer(1)].base) == ("passthrough", None)
    assert plan[layer(2)].method == "task_arithmetic"
    assert (plan[layer(2)].base.model, [taken.model for taken in plan[layer(2)].inputs]) == ("third", ["second"])  # type: ignore[union-attr]


@pytest.mark.parametrize(("base_tied", "other_tied"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_head_is_merged_unless_all_models_are_tied(tmp_path: Path, base_tied: bool, other_tied: bool) -> None:
    write_base(tmp_path / "base", tie_word_embeddings=base_tied)
    write_base(tmp_path / "other", tie_word_embeddings=other_tied)
    sources = open_sources(["base", "other"], relative_to=tmp_path)
    plan = by_name(merge_of("task_arithmetic", {"other": {"weight": 0.5}}, "base"), sources)
    if base_tied and other_tied:
        assert "lm_head.weight" not in plan
    else:
        head = plan["lm_head.weight"]
        assert head.base is not None
        assert head.base.name == (EMBEDDING if base_tied else "lm_head.weight")
        assert head.inputs[0].name == (EMBEDDING if other_tied else "lm_head.weight")


@pytest.mark.parametrize(
    ("own", "shared", "message"),
    [
        ({"weight": 0.5, "densty": 0.5}, {}, "first: ties: unknown parameter 'densty'; did you mean 'density'?"),
        ({"weight": 0.5}, {"normalise": True}, "parameters: ties: unknown parameter 'normalise'; did you mean 'normalize'?"),
        ({}, {}, "weight is missing"),
        ({"weight": {"mlp": 0.5}}, {}, "weight is missing for model.embed_tokens.weight"),
        ({"weight": {"moe": 0.5, "": 1.0}}, {}, "first: weight with filter 'moe' has no effect: no tensor's name"),
        ({"weight": {"": 1.0, "mlp": 0.5}}, {}, "weight with filter 'mlp' has no effect: other settings override it"),
        ({"weight": 1.0}, {"weight": 2.0}, "parameters: weight has no effect: other settings override it"),
        ({"weight": 1.0, "normalize": False}, {}, "first: normalize has no effect: it is one value for the whole merge"),
        ({"weight": "much"}, {}, "first: ties: weight is 'much'; give a number"),
        ({"weight": 1.0, "density": 1.5}, {}, "first: ties: density is 1.5; give a number from 0 to 1"),
        ({"weight": [0.5, True]}, {}, "first: True in a list"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    sources: Sources, own: dict[str, Any], shared: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        make_plan(merge_of("ties", {"first": own}, "base", **shared), sources)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameters_of_the_base_have_no_effect(sources: Sources) -> None:
    config = merge_of("ties", {"base": {"weight": 1.0}, "first": {"weight": 1.0}}, "base")
    with pytest.raises(InputError, match="base: weight has no effect: ties takes no parameters for the base"):
        make_plan(config, sources)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (sliced("passthrough", (("first", (0, 9)),)), r"first: layer_range \[0, 9\] is not in its 3 layers"),
        (sliced("passthrough", (("first", (2, 2)),)), r"layer_range \[2, 2\]"),
        (sliced("passthrough", (("fourth", (0, 3)),)), "fourth: .* not opened"),
        (sliced("slerp", (("base", (0, 3)), ("first", (0, 2))), base="base", t=0.5), "first: gives 2 layers where base"),
        (sliced("nuslerp", (("first", (0, 2)), ("second", (1, 3))), base="base", weight=1.0), "base: .* list it in the slice"),
        (sliced("slerp", (("first", (0, 3)),), t=0.5), "base_model is missing"),
        (sliced("slrp", (("first", (0, 3)),)), "did you mean 'slerp'"),
        (MergeConfig("linear", ()), "models: none given"),
    ],
)
def test_slices_that_do_not_fit_are_refused(sources: Sources, config: MergeConfig, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(config, sources)


def test_models_of_other_shapes_are_refused_with_the_tensor(tmp_path: Path, models: Path) -> None:
    write_base(tmp_path / "wide", intermediate_size=192)
    sources = open_sources([str(models / "base"), str(tmp_path / "wide")], relative_to=tmp_path)
    base, wide = sources
    with pytest.raises(InputError, match=r"wide: model.layers.0.mlp.\w+.weight is \[.*192.*\], but \[.*160.*\]"):
        make_plan(merge_of("task_arithmetic", {wide: {"weight": 1.0}}, base), sources)


def test_a_tensor_that_only_one_model_has_is_refused(tmp_path: Path, models: Path) -> None:
    write_base(tmp_path / "biased", attention_bias=True)
    sources = open_sources([str(models / "base"), str(tmp_path / "biased")], relative_to=tmp_path)
    base, biased = sources
    with pytest.raises(InputError, match=r"biased: has self_attn.k_proj.bias, which .*base lacks"):
        make_plan(merge_of("task_arithmetic", {biased: {"weight": 1.0}}, base), sources)
