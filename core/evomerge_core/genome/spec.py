"""What a recipe says about merge weights: the method, which tensors share their numbers, and what is evolved in which range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, model_serializer, model_validator

from evomerge_core.files.fields import Count, Flag, Frozen, ParameterRange, Text, key_problem
from evomerge_core.genome.presets import complete, usual_start


def _bands(value: Any) -> Any:
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise key_problem(None, f"must be a whole number from 1, or auto, not {value!r}")
    return value


class Groups(Frozen):
    """Which tensors share their numbers.

    Instead of a mapping, a word: `whole` (all of them), `parts` (attention, MLP and the rest), `layers` (each layer on its own)
    or `auto` (as many bands of layers as keep the search at 20 numbers or fewer).
    """

    parts: Flag = False
    """Whether attention, MLP and everything else have their own numbers in each band."""
    filters: tuple[Text, ...] = ()
    """Texts: the tensors whose name contains one share its numbers, and all others share theirs."""
    bands: Annotated[int | Literal["auto"], BeforeValidator(_bands)] = 1
    """How many bands of consecutive layers there are, of equal size. `auto`: as many as keep the search at 20 numbers or
    fewer."""
    band_layers: Count | None = None
    """How many layers a band has, instead of `bands`."""

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in _GROUP_WORDS:
            words = ", ".join(_GROUP_WORDS)
            raise key_problem(None, f"must be one of {words}, or a mapping such as {{bands: 4}}, not {value!r}")
        return _GROUP_WORDS[value]

    @model_validator(mode="after")
    def _one_way(self) -> Groups:
        if self.parts and self.filters:
            raise key_problem("filters", "can't be combined with parts", "keep one")
        if len(set(self.filters)) < len(self.filters):
            raise key_problem("filters", "names a text twice", "keep one")
        if self.band_layers is not None and "bands" in self.model_fields_set:
            raise key_problem("band_layers", "can't be combined with bands", "keep one")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> Any:
        fields = type(self).model_fields
        return {name: value for name, value in handler(self).items() if getattr(self, name) != fields[name].default}


_GROUP_WORDS: Mapping[str, Mapping[str, Any]] = {
    "whole": {},
    "parts": {"parts": True},
    "layers": {"band_layers": 1},
    "auto": {"bands": "auto"},
}


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float):
        raise key_problem(None, f"must be a number, true or false, not {value!r}")
    return value


class SearchSpace(Frozen):
    """What is evolved in a search of weights: a number per parameter, source and group.

    Keys that aren't given come from the preset, as far as the method has them.
    """

    preset: Literal["default", "paper"] = "default"
    """Where keys that aren't given come from. `default`: task arithmetic, weights by bands. `paper`: DARE-TIES, one weight
    and one density per source."""
    method: Text
    """The merge method."""
    groups: Groups
    """Which tensors share their numbers."""
    parameters: Mapping[str, ParameterRange]
    """The method's parameters that are evolved, each with its range; an empty range is the usual one."""
    fixed: Mapping[str, Annotated[bool | int | float, BeforeValidator(_scalar)]]
    """The method's other parameters."""

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: Any) -> Any:
        return complete(value) if isinstance(value, Mapping) else value

    @property
    def has_own_start(self) -> bool:
        """Whether it says where the search starts: as the paper does, or by a start that isn't the usual one."""
        ranges = self.parameters.items()
        return self.preset == "paper" or any(one.start != usual_start(name, one.low, one.high) for name, one in ranges)

    @model_validator(mode="after")
    def _apart(self) -> SearchSpace:
        both = sorted(set(self.parameters) & set(self.fixed))
        if both:
            raise key_problem("fixed", f"holds {both[0]}, which is evolved under 'parameters'", "keep one")
        return self
