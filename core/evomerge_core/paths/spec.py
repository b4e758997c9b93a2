"""What a recipe says about paths: which models' layers, how paths are written as numbers, and how long they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from evomerge_core.files.fields import Count, Frozen, ParameterRange, Positive, Text, Whole, key_problem

# arXiv 2403.13187: all layers laid out three times, a matrix of scales; and SMM-Bench-DFS's slots, which are easier to search.
_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {"encoding": "slots", "scales": "hop"},
    "paper": {"encoding": "indicator", "scales": "matrix"},
}
_OF_ENCODING: Mapping[str, Mapping[str, Any]] = {"slots": {"reach": 1}, "indicator": {"repeats": 3}}
_SCALE: Mapping[str, float] = {"low": 0.4, "high": 1.5, "start": 1.0}


class Paths(Frozen):
    """A search for a path through the layers of several models (the data flow space of arXiv 2403.13187)."""

    preset: Literal["default", "paper"] = "default"
    """Where keys that aren't given come from. `default`: slots, a scale per hop. `paper`: indicator, a matrix of scales."""
    sources: tuple[Text, ...] = ()
    """Names of sources, or of earlier stages, whose winner is then meant; the first gives both ends of the path. Without
    it: the last stage's winner and every source."""
    encoding: Literal["slots", "indicator"]
    """How a path is written as numbers. `slots`: a fixed number of slots, each a layer or none. `indicator`: all layers
    laid out several times, each in or out."""
    scales: Literal["hop", "matrix", "none"]
    """What a hop's input is multiplied by. `hop`: one number per hop; `matrix`: one per pair of layers; `none`: nothing."""
    scale: ParameterRange | None = None
    """The range of the scales."""
    slots: Count | None = None
    """`slots` only: how many slots there are between both ends. Without it: two for each layer between the first model's
    ends, within `max_layers`."""
    reach: Whole | None = None
    """`slots` only: how far from its own depth a slot's layer may be."""
    repeats: Count | None = None
    """`indicator` only: how many times all layers are laid out."""
    max_layers: Count | None = None
    """The most layers that a path may have."""
    max_parameters: Positive | None = None
    """The most parameters that its child may have."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        """What isn't given comes from the preset, as far as the encoding has it; wrong values stay for the schema to refuse."""
        if not isinstance(value, Mapping):
            return value
        preset = _PRESETS.get(str(value.get("preset", "default")), {})
        encoding = value.get("encoding", preset.get("encoding"))
        filled = {**preset, **_OF_ENCODING.get(str(encoding), {}), **value}
        if "scales" not in value and encoding != "indicator" and filled.get("scales") == "matrix":
            filled["scales"] = "hop"
        given = value.get("scale", None if filled.get("scales") == "none" else {})
        if isinstance(given, Mapping):
            filled["scale"] = {**_SCALE, **given}
        return filled

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Paths:
        other = "indicator" if self.encoding == "slots" else "slots"
        for key in ("repeats",) if self.encoding == "slots" else ("slots", "reach"):
            if getattr(self, key) is not None:
                raise key_problem(key, f"has no effect with encoding: {self.encoding}", f"remove it, or use encoding: {other}")
        if self.encoding == "slots" and self.scales == "matrix":
            raise key_problem("scales", "must be hop or none with encoding: slots", "a matrix needs encoding: indicator")
        if self.scales == "none" and self.scale is not None:
            raise key_problem("scale", "has no effect with scales: none", "remove it")
        if self.scale is not None and self.scale.low <= 0:
            raise key_problem("scale", f"must be above 0, or scales can't be folded into weights; low is {self.scale.low:g}")
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Paths:
        if self.max_layers is not None and self.max_layers < 2:
            raise key_problem("max_layers", "must be at least 2: both ends of a path are fixed")
        if self.slots is not None and self.max_layers is not None and self.slots + 2 > self.max_layers:
            raise key_problem("slots", f"with both ends come to {self.slots + 2} layers, above max_layers ({self.max_layers})")
        twice = [name for index, name in enumerate(self.sources) if name in self.sources[:index]]
        if twice:
            raise key_problem(
                "sources", f"holds {twice[0]!r} twice", "remove one: a path may visit a layer several times anyway"
            )
        return self
