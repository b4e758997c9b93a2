"""What a merge method is: a typed pure function of tensors, and what its signature says about its configuration."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from torch import Tensor

from evomerge_core.errors import InputError, unknown_name

Value = float | int | bool
Function = TypeVar("Function", bound=Callable[..., Tensor])


@dataclass(frozen=True)
class Bounds:
    """The values that a parameter may take, ends included."""

    low: float = -math.inf
    high: float = math.inf


class _EachSource:
    """Marks an argument that holds one number per source."""


# One number per source, in the order of `tensors`; a single number stands for all of them.
PerSource = Annotated[Sequence[float] | float, _EachSource]
Density = Annotated[Sequence[float] | float, _EachSource, Bounds(0.0, 1.0)]


def for_each(value: Sequence[float] | float, tensors: Sequence[Tensor]) -> list[float]:
    """`value` as one number per tensor; ValueError when there are more or fewer."""
    values = [float(value)] * len(tensors) if isinstance(value, (int, float)) else [float(number) for number in value]
    if len(values) != len(tensors):
        raise ValueError(f"{len(values)} numbers for {len(tensors)} sources")
    return values


@dataclass(frozen=True)
class Parameter:
    """One parameter, named as in YAML; `default` is None when it must be given."""

    name: str
    default: Value | None
    per_source: bool
    kind: type[float] | type[int] | type[bool]
    low: float
    high: float

    @property
    def required(self) -> bool:
        return self.default is None

    def checked(self, value: object, method: str) -> Value:
        """`value` as this parameter's kind; InputError when it's of another kind or out of bounds."""
        if self.kind is bool:
            if not isinstance(value, bool):
                raise InputError(f"{self.name} is {value!r}", where=method, remedy="give true or false")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InputError(f"{self.name} is {value!r}", where=method, remedy="give a number")
        if self.kind is int and value != int(value):
            raise InputError(f"{self.name} is {value!r}", where=method, remedy="give a whole number")
        if not self.low <= value <= self.high:
            raise InputError(f"{self.name} is {value!r}", where=method, remedy=f"give {self._range()}")
        return self.kind(value)

    def _range(self) -> str:
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Method:
    """A merge method.

    `min_sources` and `max_sources` (None: any number) count `tensors`, so not the base of a method that takes one.
    A method with `takes_base` False sees a base model as one of its `tensors`; `random` methods take one key per source. Where
    it is `entrywise`, each entry of the result depends on the sources' entries there alone.
    """

    name: str
    function: Callable[..., Tensor]
    parameters: Mapping[str, Parameter]
    takes_base: bool
    needs_base: bool
    min_sources: int
    max_sources: int | None
    random: bool
    entrywise: bool = False

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name; InputError with the nearest one when there is none."""
        if name not in self.parameters:
            raise unknown_name("parameter", name, self.parameters, where=self.name)
        return self.parameters[name]

    def require_sources(self, count: int, has_base: bool) -> None:
        """InputError unless `count` sources, the base not counted where the method takes one, are what it merges."""
        if self.needs_base and not has_base:
            raise InputError("base_model is missing", where=self.name, remedy="say which model the others are compared with")
        if count < self.min_sources or (self.max_sources is not None and count > self.max_sources):
            raise InputError(f"{count} models given", where=self.name, remedy=f"it merges {self._source_range()}")

    def call(
        self,
        tensors: Sequence[Tensor],
        base: Tensor | None,
        per_source: Mapping[str, Sequence[float]],
        parameters: Mapping[str, Value],
        keys: Sequence[int] = (),
    ) -> Tensor:
        """Merges tensors of one shape and dtype; the result has both.

        `per_source` holds one number per tensor for each name; what isn't given takes its default.
        """
        self.require_sources(len(tensors), base is not None)
        arguments = self._arguments(per_source, parameters)
        if self.random:
            arguments["keys"] = list(keys)
        if self.takes_base:
            return self.function(list(tensors), base, **arguments)
        if base is not None:
            raise ValueError(f"{self.name} takes no base: give it among the tensors")
        return self.function(list(tensors), **arguments)

    def _arguments(self, per_source: Mapping[str, Sequence[float]], parameters: Mapping[str, Value]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, values in per_source.items():
            parameter = self.parameter(name)
            given[name] = [parameter.checked(value, self.name) for value in values]
        for name, value in parameters.items():
            given[name] = self.parameter(name).checked(value, self.name)
        for name, parameter in self.parameters.items():
            if parameter.required and name not in given:
                raise InputError(
                    f"{name} is missing",
                    where=self.name,
                    remedy=f"give it{(' for each model' if parameter.per_source else '')}",
                )
        return {_argument_name(name): value for name, value in given.items()}

    def _source_range(self) -> str:
        also = " and a base_model" if self.needs_base else ""
        if self.max_sources is None:
            return f"{self.min_sources} or more{also}"
        if self.min_sources == self.max_sources:
            return f"exactly {self.min_sources}{also}"
        return f"{self.min_sources} to {self.max_sources}{also}"


registered: dict[str, Method] = {}


def register(
    name: str, *, min_sources: int = 1, max_sources: int | None = None, entrywise: bool = False
) -> Callable[[Function], Function]:
    """Makes a function a merge method: its keyword arguments are the parameters, their annotations kind and bounds."""

    def add(function: Function) -> Function:
        registered[name] = _from_signature(name, function, min_sources, max_sources, entrywise=entrywise)
        return function

    return add


def _from_signature(
    name: str, function: Callable[..., Tensor], min_sources: int, max_sources: int | None, *, entrywise: bool
) -> Method:
    arguments = inspect.signature(function).parameters
    hints = get_type_hints(function, include_extras=True)
    options = [
        option for option in arguments.values() if option.kind is inspect.Parameter.KEYWORD_ONLY and option.name != "keys"
    ]
    found = [_parameter(option, hints[option.name]) for option in options]
    takes_base = "base" in arguments
    return Method(
        name=name,
        function=function,
        parameters=MappingProxyType({parameter.name: parameter for parameter in found}),
        takes_base=takes_base,
        needs_base=takes_base and arguments["base"].default is inspect.Parameter.empty,
        min_sources=min_sources,
        max_sources=max_sources,
        random="keys" in arguments,
        entrywise=entrywise,
    )


def _parameter(argument: inspect.Parameter, hint: Any) -> Parameter:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    plain = get_args(hint)[0] if marks else hint
    per_source = _EachSource in marks
    bounds = next((mark for mark in marks if isinstance(mark, Bounds)), Bounds())
    return Parameter(
        name=argument.name.rstrip("_"),
        default=None if argument.default is inspect.Parameter.empty else argument.default,
        per_source=per_source,
        kind=float if per_source else plain,
        low=bounds.low,
        high=bounds.high,
    )


def _argument_name(name: str) -> str:
    # `lambda` is a word of Python's.
    return "lambda_" if name == "lambda" else name
