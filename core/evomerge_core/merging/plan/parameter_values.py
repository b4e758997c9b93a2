"""What a merge parameter's value is for one tensor: filters, gradients over the layers, and what overrides what."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.errors import InputError
from evomerge_core.merging.config import Parameters, Scalar, Setting

# t * (n - 1) this close to a whole number means that entry itself, so that one number per layer is exact.
_EXACT = 1e-9


def find_setting(levels: Sequence[Parameters], name: str, tensor: str) -> Setting | None:
    """The first setting of parameter `name` whose filter is part of the tensor's name; earlier levels override later ones."""
    for parameters in levels:
        for setting in parameters.get(name, ()):
            if _matches(setting, tensor):
                return setting
    return None


def _matches(setting: Setting, tensor: str) -> bool:
    # `*` is mergekit's other word for all.
    return setting.filter is None or setting.filter == "*" or setting.filter in tensor


def evaluate(setting: Setting, t: float) -> Scalar:
    """The setting's value at t, from 0 (first layer) to 1 (last): linear between the gradient's entries.

    InputError when there are several values and one is no number.
    """
    values = setting.values
    if len(values) == 1:
        return values[0]
    numbers = [_number(value) for value in values]
    if not numbers:
        raise InputError("an empty list", remedy="give a number, or one number and more for a gradient over the layers")
    place = t * (len(numbers) - 1)
    nearest = round(place)
    if abs(place - nearest) < _EXACT:
        return numbers[nearest]
    below = int(place)
    part = place - below
    return (1 - part) * numbers[below] + part * numbers[below + 1]


def _number(value: Scalar) -> float:
    if isinstance(value, (bool, str)):
        raise InputError(f"{value!r} in a list", remedy="a gradient over the layers is made of numbers")
    return value
