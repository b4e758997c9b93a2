"""Search spaces to start from, and the usual ranges of the numbers that are evolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evomerge_core.errors import InputError

Range = Mapping[str, float]


@dataclass(frozen=True)
class Preset:
    """A method, how tensors are grouped, what is evolved in which range, and the method's other parameters."""

    method: str
    groups: str
    parameters: Mapping[str, Range]
    fixed: Mapping[str, bool | float]


PRESETS: Mapping[str, Preset] = {
    # Of the classic methods only task arithmetic gains reliably (arXiv 2511.21437). Weights may sum to more than one.
    "default": Preset(
        method="task_arithmetic",
        groups="auto",
        parameters={"weight": {"low": 0.0, "high": 1.5, "start": 0.5}},
        fixed={"normalize": False, "lambda": 1.0},
    ),
    # arXiv 2403.13187: DARE-TIES, one weight and one density a source, x0 = 0.5, sigma = 1/6 of a range of one.
    "paper": Preset(
        method="dare_ties",
        groups="whole",
        parameters={
            "weight": {"low": 0.0, "high": 1.0, "start": 0.5},
            "density": {"low": 0.0, "high": 1.0, "start": 0.5},
        },
        fixed={"normalize": False, "lambda": 1.0},
    ),
}

USUAL_RANGES: Mapping[str, Range] = {
    "weight": {"low": 0.0, "high": 1.5, "start": 0.5},
    "density": {"low": 0.1, "high": 1.0, "start": 0.5},
    "t": {"low": 0.0, "high": 1.0, "start": 0.5},
}


def complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """A search space's keys as the user gave them, with the rest filled in from the preset.

    Values that are wrong stay as they are, for the schema to refuse.
    """
    preset = PRESETS.get(str(given.get("preset", "default")))
    own_fixed = given.get("fixed", {})
    if preset is None or not isinstance(own_fixed, Mapping):
        return dict(given)
    method = given.get("method", preset.method)
    ranges, fixed = _for_method(preset, method)
    parameters = _parameters(given, ranges, own_fixed)
    unclaimed = {name: value for name, value in fixed.items() if name not in parameters}
    filled = {"preset": "default", "method": method, "groups": preset.groups, **given, "fixed": {**unclaimed, **own_fixed}}
    return {**filled, "parameters": parameters} if isinstance(given.get("parameters", {}), Mapping) else filled


def _for_method(preset: Preset, method: object) -> tuple[Mapping[str, Range], Mapping[str, bool | float]]:
    """The usual ranges and fixed parameters that a method has."""
    if method == preset.method or not isinstance(method, str):
        return preset.parameters, preset.fixed
    from evomerge_core.methods.registry import get_method  # imports torch

    try:
        known = get_method(method)
    except InputError:
        return preset.parameters, preset.fixed
    wanted = (*preset.parameters, "t")
    ranges = {name: preset.parameters.get(name, USUAL_RANGES[name]) for name in wanted if name in known.parameters}
    # Whole models must be averaged; only task vectors may be added up.
    fixed = {name: value for name, value in preset.fixed.items() if known.takes_base and name in known.parameters}
    return ranges, fixed


def _parameters(given: Mapping[str, Any], ranges: Mapping[str, Range], own_fixed: Mapping[str, Any]) -> dict[str, Any]:
    own = given.get("parameters")
    if not isinstance(own, Mapping):
        return {name: value for name, value in ranges.items() if name not in own_fixed}
    usual = {**USUAL_RANGES, **ranges}
    return {name: _range(value, usual.get(name)) for name, value in own.items()}


def _range(given: object, usual: Range | None) -> object:
    """A range with what is missing filled in: the usual bounds, the usual start or the middle."""
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        return given
    filled = {**(usual or {}), **given}
    low, high, start = filled.get("low"), filled.get("high"), filled.get("start")
    if isinstance(low, int | float) and isinstance(high, int | float) and "start" not in given:
        filled["start"] = _start_within(start, low, high)
    return filled


def usual_start(parameter: str, low: float, high: float) -> float:
    """Where the search of a parameter within these bounds starts when a recipe doesn't say."""
    return _start_within(USUAL_RANGES.get(parameter, {}).get("start"), low, high)


def _start_within(start: object, low: float, high: float) -> float:
    return start if isinstance(start, int | float) and low <= start <= high else (low + high) / 2
