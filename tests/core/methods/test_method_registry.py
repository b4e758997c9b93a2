"""What the registry says of each method, and how it refuses what a method can't take."""

from __future__ import annotations

import pytest
import torch

from evomerge_core.errors import InputError
from evomerge_core.methods.registry import get_method, method_names

TENSORS = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])]
BASE = torch.zeros(2)

# Parameters and defaults as mergekit's users know them; None: must be given.
DOCUMENTED: dict[str, dict[str, float | bool | None]] = {
    "linear": {"weight": None, "normalize": True},
    "slerp": {"t": None},
    "nuslerp": {"weight": None, "nuslerp_flatten": True, "nuslerp_row_wise": False},
    "multislerp": {"weight": None, "normalize_weights": True},
    "karcher": {"max_iter": 10, "tol": 1e-5},
    "task_arithmetic": {"weight": None, "normalize": False, "lambda": 1.0},
    "ties": {"weight": None, "density": 1.0, "normalize": True, "rescale": False, "lambda": 1.0},
    "dare_linear": {"weight": None, "density": 1.0, "normalize": False, "rescale": True, "lambda": 1.0},
    "dare_ties": {"weight": None, "density": 1.0, "normalize": False, "rescale": True, "lambda": 1.0},
    "breadcrumbs": {"weight": None, "density": 1.0, "gamma": 0.01, "normalize": False, "rescale": False, "lambda": 1.0},
    "breadcrumbs_ties": {"weight": None, "density": 1.0, "gamma": 0.01, "normalize": False, "rescale": False, "lambda": 1.0},
    "della": {"weight": None, "density": 1.0, "epsilon": 0.15, "normalize": True, "rescale": True, "lambda": 1.0},
    "della_linear": {"weight": None, "density": 1.0, "epsilon": 0.15, "normalize": False, "rescale": True, "lambda": 1.0},
    "model_stock": {"filter_wise": False},
    "sce": {"select_topk": 1.0},
    "nearswap": {"t": None},
    "arcee_fusion": {},
    "passthrough": {"scale": 1.0},
}
PER_SOURCE = {"weight", "density", "gamma", "epsilon", "scale"}


def test_every_documented_method_is_there_and_no_other() -> None:
    assert set(method_names()) == set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_parameters_and_defaults_are_the_documented_ones(name: str) -> None:
    parameters = get_method(name).parameters
    assert {key: one.default for key, one in parameters.items()} == DOCUMENTED[name]
    assert {key for key, one in parameters.items() if one.per_source} == PER_SOURCE & DOCUMENTED[name].keys()
    assert all(parameter.required == (parameter.default is None) for parameter in parameters.values())


def test_a_base_is_required_optional_or_a_source_like_the_others() -> None:
    needed = {name for name in method_names() if get_method(name).needs_base}
    taken = {name for name in method_names() if get_method(name).takes_base}
    assert taken - needed == {"nuslerp", "multislerp"}
    assert set(method_names()) - taken == {"linear", "karcher", "passthrough"}


def test_only_dare_and_della_are_random() -> None:
    assert {name for name in method_names() if get_method(name).random} == {"dare_linear", "dare_ties", "della", "della_linear"}


@pytest.mark.parametrize(
    ("name", "count", "has_base"),
    [("slerp", 2, True), ("nuslerp", 1, True), ("model_stock", 1, True), ("passthrough", 2, False), ("ties", 0, True)],
)
def test_a_wrong_number_of_models_is_refused(name: str, count: int, has_base: bool) -> None:
    with pytest.raises(InputError, match=f"{name}: {count} models given; it merges "):
        get_method(name).require_sources(count, has_base)


def test_a_missing_base_is_refused() -> None:
    with pytest.raises(InputError, match="ties: base_model is missing"):
        get_method("ties").call(TENSORS, None, {"weight": [1.0, 1.0]}, {})


def test_a_base_for_a_method_without_one_is_a_mistake_of_the_callers() -> None:
    with pytest.raises(ValueError, match="among the tensors"):
        get_method("linear").call(TENSORS, BASE, {"weight": [1.0, 1.0]}, {})


@pytest.mark.parametrize(("wrong", "right"), [("tise", "ties"), ("dare-ties", "dare_ties"), ("modelstock", "model_stock")])
def test_an_unknown_method_is_refused_with_the_nearest_name(wrong: str, right: str) -> None:
    with pytest.raises(InputError, match=f"unknown merge method '{wrong}'; did you mean '{right}'"):
        get_method(wrong)


def test_a_name_near_to_none_is_refused_with_all_names() -> None:
    with pytest.raises(InputError, match=r"known: arcee_fusion, .*, ties"):
        get_method("xyzzy")


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="ties: unknown parameter 'densty'; did you mean 'density'"):
        get_method("ties").call(TENSORS, BASE, {"weight": [1.0, 1.0], "densty": [0.5, 0.5]}, {})


def test_a_parameter_without_effect_is_unknown() -> None:
    with pytest.raises(InputError, match="task_arithmetic: unknown parameter 'density'"):
        get_method("task_arithmetic").call(TENSORS, BASE, {"weight": [1.0, 1.0], "density": [0.5, 0.5]}, {})


def test_a_missing_parameter_is_refused() -> None:
    with pytest.raises(InputError, match="ties: weight is missing; give it for each model"):
        get_method("ties").call(TENSORS, BASE, {}, {})


@pytest.mark.parametrize(
    ("name", "parameter", "value", "remedy"),
    [
        ("ties", "density", 1.5, "give a number from 0 to 1"),
        ("ties", "density", "half", "give a number"),
        ("ties", "normalize", 1, "give true or false"),
        ("ties", "weight", float("nan"), "give a number"),
        ("ties", "weight", True, "give a number"),
        ("karcher", "max_iter", 2.5, "give a whole number"),
        ("karcher", "max_iter", -1, "give at least 0"),
    ],
)
def test_a_value_of_the_wrong_kind_or_size_is_refused(name: str, parameter: str, value: object, remedy: str) -> None:
    with pytest.raises(InputError, match=f"{name}: {parameter} is .*; {remedy}"):
        get_method(name).parameter(parameter).checked(value, name)


def test_values_come_back_as_the_parameters_kind() -> None:
    assert get_method("ties").parameter("weight").checked(1, "ties") == 1.0
    assert isinstance(get_method("ties").parameter("weight").checked(1, "ties"), float)
    assert isinstance(get_method("karcher").parameter("max_iter").checked(3.0, "karcher"), int)


def test_a_call_puts_each_number_with_its_source_and_lambda_with_its_argument() -> None:
    result = get_method("task_arithmetic").call(TENSORS, BASE, {"weight": [1.0, 10.0]}, {"lambda": 2.0})
    assert result.tolist() == [62.0, 84.0]


def test_a_number_too_few_is_a_mistake_of_the_callers() -> None:
    with pytest.raises(ValueError, match="1 numbers for 2 sources"):
        get_method("task_arithmetic").call(TENSORS, BASE, {"weight": [1.0]}, {})
