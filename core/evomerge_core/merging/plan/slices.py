"""A merge's slices in full: each one's method, base, and which layers of which models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig, Parameters, Slice
from evomerge_core.merging.plan.layers import LayerStack, find_layers
from evomerge_core.methods.method import Method
from evomerge_core.methods.registry import get_method
from evomerge_core.sources.source import Source


@dataclass(frozen=True)
class SliceMember:
    """A model in a slice: its layers [start, stop) and the parameters given with it."""

    model: str
    stack: LayerStack
    start: int
    stop: int
    parameters: Parameters

    @property
    def depth(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class PlannedSlice:
    """A slice: `base` is None where the method takes none or none is given; `sources` are the models without it."""

    method: Method
    base: SliceMember | None
    sources: tuple[SliceMember, ...]
    parameters: Parameters

    @property
    def template(self) -> SliceMember:
        """The model whose tensor names the child's are."""
        return self.base or self.sources[0]

    @property
    def members(self) -> tuple[SliceMember, ...]:
        """All models that are read."""
        return (self.base, *self.sources) if self.base else self.sources


def plan_slices(config: MergeConfig, sources: Mapping[str, Source]) -> tuple[PlannedSlice, ...]:
    """Resolves each slice. `sources` holds an open source for every reference in `config`.

    InputError for an unknown method, too many or too few models, a model that isn't open, layers that a model doesn't
    have, and depths that differ within a slice.
    """
    if not config.slices or not all(part.sources for part in config.slices):
        raise InputError("none given", where="models", remedy="list the models to merge")
    stacks = {reference: _stack(reference, sources) for reference in references(config)}
    return tuple(_plan_slice(config, part, stacks) for part in config.slices)


def references(config: MergeConfig) -> tuple[str, ...]:
    """Every model that the merge names, the base first, each once."""
    found = [config.base]
    for part in config.slices:
        found += [part.base, *(source.model for source in part.sources)]
    return tuple(dict.fromkeys(reference for reference in found if reference is not None))


def _stack(reference: str, sources: Mapping[str, Source]) -> LayerStack:
    if reference not in sources:
        raise InputError("is to be merged but was not opened", where=reference, remedy="list it among the models")
    return find_layers(sources[reference].names, reference)


def _plan_slice(config: MergeConfig, definition: Slice, stacks: Mapping[str, LayerStack]) -> PlannedSlice:
    method = get_method(definition.method or config.method)
    members = [_member(source.model, source.layers, source.parameters, stacks) for source in definition.sources]
    base = definition.base or config.base
    if method.takes_base and base is not None:
        sources = tuple(member for member in members if member.model != base)
        planned = PlannedSlice(method, _base_member(base, members, stacks), sources, definition.parameters)
    else:
        planned = PlannedSlice(method, None, tuple(members), definition.parameters)
    method.require_sources(len(planned.sources), has_base=planned.base is not None)
    _require_one_depth(planned)
    return planned


def _member(
    model: str, layers: tuple[int, int] | None, parameters: Parameters, stacks: Mapping[str, LayerStack]
) -> SliceMember:
    depth = len(stacks[model].layers)
    start, stop = (0, depth) if layers is None else layers
    if layers is not None and not 0 <= start < stop <= depth:
        raise InputError(
            f"layer_range [{start}, {stop}] is not in its {depth} layers", where=model, remedy=f"give [0, {depth}] or a part"
        )
    return SliceMember(model, stacks[model], start, stop, parameters)


def _base_member(base: str, members: Sequence[SliceMember], stacks: Mapping[str, LayerStack]) -> SliceMember:
    for member in members:
        if member.model == base:
            return member
    ranges = {(member.start, member.stop) for member in members}
    if len(ranges) > 1:
        raise InputError(
            "a slice of differing layers doesn't say which of the base's to use", where=base, remedy="list it in the slice"
        )
    return _member(base, next(iter(ranges)), {}, stacks)


def _require_one_depth(planned: PlannedSlice) -> None:
    wanted = planned.template
    for member in planned.members:
        if member.depth != wanted.depth:
            raise InputError(
                f"gives {member.depth} layers where {wanted.model} gives {wanted.depth}",
                where=member.model,
                remedy="give both layer_ranges the same length",
            )
