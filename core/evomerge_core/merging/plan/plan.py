"""Which tensors make each tensor of the child, by which method and with what numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig, Parameters, Setting
from evomerge_core.merging.plan.eyes import KeptRows, eyes_of, kept_rows
from evomerge_core.merging.plan.origins import Origin, find_origins
from evomerge_core.merging.plan.parameter_values import evaluate, find_setting
from evomerge_core.merging.plan.slices import PlannedSlice, SliceMember, plan_slices, references
from evomerge_core.methods.method import Method, Parameter, Value
from evomerge_core.sources.source import Source


@dataclass(frozen=True)
class TensorInput:
    """A tensor to merge: a model's reference, the tensor's name in it, and the method's numbers for this source."""

    model: str
    name: str
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class TensorMerge:
    """One tensor of the child: its name, how it is merged and from what. Every parameter of the method has its value.

    `kept` are rows that aren't merged.
    """

    name: str
    method: str
    base: TensorInput | None
    inputs: tuple[TensorInput, ...]
    parameters: Mapping[str, Value]
    kept: KeptRows | None = None


def make_plan(config: MergeConfig, sources: Mapping[str, Source], eyes: str | None = None) -> tuple[TensorMerge, ...]:
    """The child's tensors: those before the layers, layer by layer in the order of the base's checkpoint, those after.

    `sources` holds an open source for every reference in `config`. As in mergekit, a parameter given with a source
    overrides the slice's, the slice's the merge's, that the method's default. `eyes` is the model whose picture tokens the
    child has; None: the merge's first with eyes. Raises InputError for models that don't fit, for parameters that the method
    doesn't have or whose values it can't take, and for settings without effect.
    """
    slices = plan_slices(config, sources)
    _require_known_parameters(config, slices)
    origins = find_origins(slices, sources)
    used: set[int] = set()
    plan = tuple(_tensor_merge(origin, config.parameters, used) for origin in origins)
    _require_effect(config, slices, origins, used)
    eyes = eyes_of(references(config), sources) if eyes is None else eyes
    return plan if eyes is None else tuple(replace(merge, kept=kept_rows(merge.name, eyes, sources)) for merge in plan)


def _tensor_merge(origin: Origin, shared: Parameters, used: set[int]) -> TensorMerge:
    """`used` collects the identities of the settings that count for some tensor."""
    part = origin.part
    levels = (part.parameters, shared)
    single = {
        parameter.name: _value(part.method, parameter, levels, origin.name, origin.t, used)
        for parameter in part.method.parameters.values()
        if not parameter.per_source
    }
    inputs = tuple(_input(member, origin, levels, used) for member in part.sources)
    base = TensorInput(part.base.model, origin.names[part.base.model], {}) if part.base else None
    return TensorMerge(origin.name, part.method.name, base, inputs, single)


def _input(member: SliceMember, origin: Origin, shared: Sequence[Parameters], used: set[int]) -> TensorInput:
    method, name = origin.part.method, origin.names[member.model]
    numbers = {
        parameter.name: float(_value(method, parameter, (member.parameters, *shared), name, origin.t, used, member.model))
        for parameter in method.parameters.values()
        if parameter.per_source
    }
    return TensorInput(member.model, name, numbers)


def _value(
    method: Method,
    parameter: Parameter,
    levels: Sequence[Parameters],
    tensor: str,
    t: float,
    used: set[int],
    model: str = "parameters",
) -> Value:
    setting = find_setting(levels, parameter.name, tensor)
    if setting is None:
        if parameter.default is None:
            raise InputError(
                f"{parameter.name} is missing for {tensor}", where=f"{model}: {method.name}", remedy="give one without filter"
            )
        return parameter.default
    used.add(id(setting))
    try:
        return parameter.checked(evaluate(setting, t), method.name)
    except InputError as error:
        raise error.within(model) from None


def _require_known_parameters(config: MergeConfig, slices: Sequence[PlannedSlice]) -> None:
    for part in slices:
        _require_known("a slice's parameters", part.parameters, [part.method])
        for member in part.members:
            _require_known(member.model, member.parameters, [part.method])
    _require_known("parameters", config.parameters, [part.method for part in slices])


def _require_known(place: str, parameters: Parameters, methods: Sequence[Method]) -> None:
    for name in parameters:
        if any(name in method.parameters for method in methods):
            continue
        try:
            methods[0].parameter(name)
        except InputError as error:
            raise error.within(place) from None


def _require_effect(config: MergeConfig, slices: Sequence[PlannedSlice], origins: Sequence[Origin], used: set[int]) -> None:
    for part in slices:
        for member in part.members:
            for name, setting in _unused(member.parameters, used):
                why = _why_in_member(part, member, name) or _why(setting, origins)
                raise _without_effect(name, setting, why, member.model)
        for name, setting in _unused(part.parameters, used):
            raise _without_effect(name, setting, _why(setting, origins), "a slice's parameters")
    for name, setting in _unused(config.parameters, used):
        raise _without_effect(name, setting, _why(setting, origins), "parameters")


def _without_effect(name: str, setting: Setting, why: tuple[str, str], where: str) -> InputError:
    """`why` is the reason, and the remedy."""
    filtered = "" if setting.filter is None else f" with filter {setting.filter!r}"
    return InputError(f"{name}{filtered} has no effect: {why[0]}", where=where, remedy=why[1])


def _unused(parameters: Parameters, used: set[int]) -> Iterator[tuple[str, Setting]]:
    for name, settings in parameters.items():
        yield from ((name, setting) for setting in settings if id(setting) not in used)


def _why_in_member(part: PlannedSlice, member: SliceMember, name: str) -> tuple[str, str] | None:
    if member is part.base:
        return f"{part.method.name} takes no parameters for the base", "remove it"
    if not part.method.parameters[name].per_source:
        return "it is one value for the whole merge", "move it to the merge's parameters"
    return None


def _why(setting: Setting, origins: Sequence[Origin]) -> tuple[str, str]:
    names = {name for origin in origins for name in (origin.name, *origin.names.values())}
    if setting.filter is not None and not any(setting.filter in name for name in names):
        return "no tensor's name contains the filter", "`evomerge-tui inspect` lists the names"
    return "other settings override it for every tensor", "remove one"
