"""The methods that add task vectors to a base, against the formulas in numpy, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from evomerge_core.methods.parts.random_field import uniform_field
from evomerge_core.methods.registry import get_method

Array = npt.NDArray[np.float64]
KEYS = [101, 2**40 + 7, 2**64 - 3]
WEIGHTS = [0.7, 1.3, -0.4]
DENSITIES = [0.6, 0.3, 0.8]
SETTINGS: list[dict[str, bool | float]] = [
    {},
    {"normalize": True},
    {"normalize": False, "lambda": 0.5},
    {"rescale": True},
    {"rescale": False, "normalize": True, "lambda": 1.7},
]


def made(shape: tuple[int, ...]) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(3)
    base = torch.randn(shape, generator=generator)
    return base, [base + torch.randn(shape, generator=generator) * 0.1 for _ in KEYS]


def thin_largest(delta: Array, first: int, last: int) -> Array:
    """Keeps the entries of rank first .. last - 1 by magnitude."""
    order = np.argsort(-np.abs(delta).ravel(), kind="stable")
    kept = np.zeros(delta.size, dtype=bool)
    kept[order[first:last]] = True
    return np.where(kept.reshape(delta.shape), delta, 0)


def trim(delta: Array, density: float, _key: int) -> Array:
    return thin_largest(delta, 0, int(density * delta.size))


def dare(delta: Array, density: float, key: int) -> Array:
    return np.where(uniform_field(key, delta.shape).numpy() < density, delta, 0)


def breadcrumbs(delta: Array, density: float, _key: int) -> Array:
    top, kept = int(0.05 * delta.size), int(density * delta.size)
    start = min(top, delta.size - kept)
    return thin_largest(delta, start, start + kept)


def della(delta: Array, density: float, key: int) -> Array:
    rows = delta.reshape(delta.shape[0] if delta.ndim > 1 else 1, -1)
    ranks = np.argsort(np.argsort(np.abs(rows), axis=1), axis=1)
    chance = density - 0.1 + 0.2 * ranks / (rows.shape[1] - 1)
    return np.where(uniform_field(key, delta.shape).numpy() < chance.reshape(delta.shape), delta, 0)


def whole(delta: Array, _density: float, _key: int) -> Array:
    return delta


# Method: (how it thins, whether it elects signs, normalize and rescale by default, parameters beside weight and density).
METHODS: dict[str, tuple[Callable[[Array, float, int], Array], bool, bool, bool, dict[str, float]]] = {
    "task_arithmetic": (whole, False, False, False, {}),
    "ties": (trim, True, True, False, {}),
    "dare_linear": (dare, False, False, True, {}),
    "dare_ties": (dare, True, False, True, {}),
    "breadcrumbs": (breadcrumbs, False, False, False, {"gamma": 0.05}),
    "breadcrumbs_ties": (breadcrumbs, True, False, False, {"gamma": 0.05}),
    "della": (della, True, True, True, {"epsilon": 0.1}),
    "della_linear": (della, False, False, True, {"epsilon": 0.1}),
}


def oracle(name: str, base: Tensor, tensors: list[Tensor], settings: Mapping[str, bool | float]) -> Array:
    thin, elects, normalize, rescale, _ = METHODS[name]
    normalize, rescale = bool(settings.get("normalize", normalize)), bool(settings.get("rescale", rescale))
    # Task vectors are taken in float32, as merging does, so that ranks are the same.
    raw = [(tensor - base).double().numpy() for tensor in tensors]
    deltas = [thin(delta, density, key) for delta, density, key in zip(raw, DENSITIES, KEYS, strict=True)]
    if rescale:
        deltas = [kept * np.abs(delta).sum() / np.abs(kept).sum() for kept, delta in zip(deltas, raw, strict=True)]
    weighted = [weight * delta for weight, delta in zip(WEIGHTS, deltas, strict=True)]
    if elects:
        elected = np.where(np.sum(weighted, axis=0) >= 0, 1, -1)
        agrees = [np.sign(delta) == elected for delta in weighted]
        divisor = np.sum([weight * one for weight, one in zip(WEIGHTS, agrees, strict=True)], axis=0)
        total = np.sum([delta * one for delta, one in zip(weighted, agrees, strict=True)], axis=0)
        divisor = np.where(divisor == 0, 1, divisor)
    else:
        divisor, total = np.asarray(sum(WEIGHTS)), np.sum(weighted, axis=0)
    if normalize:
        total = total / divisor
    return np.asarray(base.double().numpy() + total * settings.get("lambda", 1.0))


def merged(name: str, base: Tensor, tensors: list[Tensor], settings: Mapping[str, bool | float]) -> Tensor:
    others: dict[str, list[float]] = {key: [value] * len(tensors) for key, value in METHODS[name][4].items()}
    if name != "task_arithmetic":
        others["density"] = DENSITIES
    return get_method(name).call(tensors, base, {"weight": WEIGHTS, **others}, settings, KEYS)


@pytest.mark.parametrize("shape", [(24, 40), (331,), (6, 7, 8)], ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_method_equals_its_formula(name: str, settings: dict[str, bool | float], shape: tuple[int, ...]) -> None:
    if name == "task_arithmetic":
        settings = {key: value for key, value in settings.items() if key != "rescale"}
    base, tensors = made(shape)
    result = merged(name, base, tensors, settings)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), oracle(name, base, tensors, settings), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_inputs_are_left_as_they_were(name: str) -> None:
    base, tensors = made((8, 9))
    copies = [base.clone(), *(tensor.clone() for tensor in tensors)]
    merged(name, base, tensors, {})
    assert all(torch.equal(copy, tensor) for copy, tensor in zip(copies, [base, *tensors], strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_models_equal_to_the_base_give_the_base(name: str) -> None:
    base, _ = made((8, 9))
    assert torch.equal(merged(name, base, [base, base, base], {}), base)


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_tensors_give_a_bfloat16_tensor(name: str) -> None:
    base, tensors = made((8, 9))
    assert merged(name, base.bfloat16(), [tensor.bfloat16() for tensor in tensors], {}).dtype == torch.bfloat16


def test_ties_elects_plus_on_a_tie_and_zeros_never_agree() -> None:
    base = torch.zeros(3)
    tensors = [torch.tensor([1.0, -2.0, 0.0]), torch.tensor([-1.0, 0.0, 0.0])]
    result = get_method("ties").call(tensors, base, {"weight": [1.0, 1.0]}, {})
    assert result.tolist() == [1.0, -2.0, 0.0]


def test_ties_elects_on_weighted_task_vectors_and_divides_by_signed_weights() -> None:
    base = torch.zeros(1)
    tensors = [torch.tensor([1.0]), torch.tensor([-0.5]), torch.tensor([0.25])]
    # Weighted: 1, 1.5 (weight -3), 0.5: all agree on +; the weights sum to 0, which divides by 1.
    result = get_method("ties").call(tensors, base, {"weight": [1.0, -3.0, 2.0]}, {})
    assert result.tolist() == [3.0]


def test_task_arithmetic_with_weights_that_cancel_divides_by_1() -> None:
    base, tensors = torch.zeros(2), [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])]
    result = get_method("task_arithmetic").call(tensors, base, {"weight": [-1.0, 1.0]}, {"normalize": True})
    assert result.tolist() == [2.0, 3.0]


def test_dare_keys_give_each_source_its_own_mask() -> None:
    base = torch.zeros(4096)
    masks = [
        get_method("dare_linear").call([torch.ones(4096)], base, {"weight": [1.0], "density": [0.5]}, {}, [key]) != 0
        for key in KEYS[:2]
    ]
    # Two independent halves meet in a quarter.
    assert int((masks[0] & masks[1]).sum()) == pytest.approx(1024, abs=6 * 28)
