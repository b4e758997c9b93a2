"""The methods that treat a tensor as a direction and a length: slerp, nuslerp, multislerp, karcher."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.methods.karcher import karcher
from evomerge_core.methods.multislerp import multislerp
from evomerge_core.methods.nuslerp import nuslerp
from evomerge_core.methods.slerp import slerp

Array = npt.NDArray[np.float64]


def at(degrees: float, length: float = 1.0) -> Tensor:
    return torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]) * length


def random_tensors(count: int, shape: tuple[int, ...] = (12, 10)) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(shape, generator=generator) + 0.5 for _ in range(count)]


def great_circle(t: float, start: Array, end: Array) -> Array:
    """The textbook formula, on vectors as they are, the angle that of their directions."""
    angle = np.arccos(np.vdot(start, end) / np.linalg.norm(start) / np.linalg.norm(end))
    return np.asarray((np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle))


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_slerp_moves_evenly_along_the_unit_circle(t: float) -> None:
    np.testing.assert_allclose(slerp([at(110)], at(20), t=t).numpy(), at(20 + 90 * t).numpy(), atol=1e-6)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_slerp_equals_the_textbook_formula_on_the_whole_tensor(t: float) -> None:
    base, other = random_tensors(2)
    expected = great_circle(t, base.double().numpy(), other.double().numpy())
    np.testing.assert_allclose(slerp([other], base, t=t).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("degrees", [0.0, 1.7, 178.5, 180.0])
def test_slerp_takes_the_line_when_directions_almost_agree_or_oppose(degrees: float) -> None:
    expected = 0.75 * at(0, 2.0) + 0.25 * at(degrees)
    np.testing.assert_allclose(slerp([at(degrees)], at(0, 2.0), t=0.25).numpy(), expected.numpy(), atol=1e-6)


def test_slerp_with_a_zero_tensor_is_finite() -> None:
    # The angle to a vector of no direction counts as a right one.
    expected = math.sin(math.pi / 8) * at(30)
    np.testing.assert_allclose(slerp([at(30)], torch.zeros(2), t=0.25).numpy(), expected.numpy(), atol=1e-6)


def test_slerp_keeps_bfloat16() -> None:
    assert slerp([at(90).bfloat16()], at(0).bfloat16(), t=0.5).dtype == torch.bfloat16


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 3.0), (0.2, 0.0), (1.0, -1.0)])
def test_nuslerp_takes_its_place_from_the_weights(weights: tuple[float, float]) -> None:
    first, second = random_tensors(2)
    t = weights[1] / sum(weights) if sum(weights) else 0.5
    expected = great_circle(t, first.double().numpy(), second.double().numpy())
    np.testing.assert_allclose(nuslerp([first, second], weight=weights).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("row_wise", [False, True])
def test_nuslerp_interpolates_each_vector_along_its_dimension(row_wise: bool) -> None:
    first, second = random_tensors(2)
    result = nuslerp([first, second], weight=(1.0, 2.0), nuslerp_flatten=False, nuslerp_row_wise=row_wise)
    if row_wise:
        first, second, result = first.T, second.T, result.T
    for row in range(len(result)):
        expected = great_circle(2 / 3, first[row].double().numpy(), second[row].double().numpy())
        np.testing.assert_allclose(result[row].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_nuslerp_with_a_base_interpolates_task_vectors() -> None:
    base, first, second = random_tensors(3)
    expected = base + nuslerp([first - base, second - base], weight=(1.0, 2.0))
    torch.testing.assert_close(nuslerp([first, second], base, weight=(1.0, 2.0)), expected)


def test_nuslerp_takes_the_line_between_vectors_of_one_direction() -> None:
    first, second = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 2.0])
    torch.testing.assert_close(nuslerp([first, second], weight=(1.0, 1.0)), torch.tensor([1.5, 3.0]))
    zeros = torch.zeros(2)
    torch.testing.assert_close(nuslerp([zeros, zeros], weight=(1.0, 1.0)), zeros)


def test_nuslerp_refuses_a_row_option_without_effect() -> None:
    with pytest.raises(InputError, match="nuslerp_flatten: false"):
        nuslerp(random_tensors(2), weight=1.0, nuslerp_row_wise=True)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 3.0)])
def test_multislerp_of_two_equal_lengths_stays_on_the_circle_between_them(weights: tuple[float, float]) -> None:
    result = multislerp([at(10, 2.0), at(50, 2.0)], weight=weights)
    assert float(result.norm()) == pytest.approx(2.0, rel=1e-5)
    angle = math.degrees(math.atan2(float(result[1]), float(result[0])))
    # Near the geodesic share; equal weights land in the middle.
    assert angle == pytest.approx(10 + 40 * weights[1] / sum(weights), abs=0.6)


@pytest.mark.parametrize("with_base", [False, True])
@pytest.mark.parametrize("normalize_weights", [False, True])
def test_multislerp_equals_tangent_space_averaging(with_base: bool, normalize_weights: bool) -> None:
    tensors, weights = random_tensors(4), np.array([0.5, 0.4, 0.3])
    base = tensors.pop() if with_base else None
    points = [(tensor if base is None else tensor - base).double().numpy().ravel() for tensor in tensors[:3]]
    shares = weights / weights.sum() if normalize_weights else weights
    lengths = np.array([np.linalg.norm(point) for point in points])
    units = np.array(points) / lengths[:, None]
    pole = shares @ units
    pole /= np.linalg.norm(pole)
    tangent = shares @ (units - np.outer(units @ pole, pole))
    angle = np.linalg.norm(tangent)
    expected = (pole * np.cos(angle) + tangent / angle * np.sin(angle)) * (shares @ lengths)
    expected = expected.reshape(12, 10) + (0 if base is None else base.double().numpy())
    result = multislerp(tensors[:3], base, weight=weights.tolist(), normalize_weights=normalize_weights)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_multislerp_of_opposites_takes_the_line_when_two_and_refuses_when_more() -> None:
    torch.testing.assert_close(multislerp([at(0, 3.0), at(180)], weight=1.0), at(0), atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="cancel out"):
        multislerp([at(0), at(120), at(240)], weight=1.0)
    with pytest.raises(InputError, match="sum to 0"):
        multislerp([at(0), at(90)], weight=(1.0, -1.0))


def cost(point: Array, units: list[Array]) -> float:
    return float(sum(np.arccos(np.clip(point @ unit, -1, 1)) ** 2 for unit in units))


def test_karcher_minimises_the_sum_of_squared_angles() -> None:
    tensors = [tensor * scale for tensor, scale in zip(random_tensors(4), (1.0, 2.0, 0.5, 3.0), strict=True)]
    result = karcher(tensors, max_iter=50, tol=1e-7).double().numpy().ravel()
    units = [tensor.double().numpy().ravel() / tensor.double().norm().item() for tensor in tensors]
    mean = result / np.linalg.norm(result)
    least = cost(mean, units)
    generator = np.random.default_rng(0)
    for _ in range(50):
        nudged = mean + generator.normal(size=mean.size) * 1e-3
        assert cost(nudged / np.linalg.norm(nudged), units) > least
    lengths = [float(tensor.double().norm()) for tensor in tensors]
    assert np.linalg.norm(result) == pytest.approx(sum(lengths) / 4, rel=1e-6)


def test_karcher_differs_from_the_normalised_sum_on_uneven_directions() -> None:
    # On the circle the mean direction is the mean angle: (0 + 0 + 90) / 3 = 30 degrees; the sum points to 26.6.
    result = karcher([at(0), at(0), at(90)], max_iter=50, tol=1e-7)
    np.testing.assert_allclose(result.numpy(), at(30).numpy(), atol=1e-5)


def test_karcher_leaves_tensors_without_direction_out_of_the_mean_direction() -> None:
    result = karcher([at(40), at(40), torch.zeros(2)])
    np.testing.assert_allclose(result.numpy(), at(40, 2 / 3).numpy(), atol=1e-6)
    assert karcher([torch.zeros(2), torch.zeros(2)]).tolist() == [0.0, 0.0]


def test_karcher_of_opposites_is_finite() -> None:
    assert torch.isfinite(karcher([at(0), at(180)])).all()
    assert torch.isfinite(karcher([at(0), at(180), at(0)])).all()


@pytest.mark.parametrize("method", [multislerp, karcher])
def test_one_model_is_returned_as_it_is(method: object) -> None:
    tensor = at(30, 2.0)
    result = multislerp([tensor], weight=0.3) if method is multislerp else karcher([tensor])
    assert torch.equal(result, tensor)
