"""Which tensors of the models each tensor of the child is made from; nothing about how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.merging.plan.slices import PlannedSlice
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import EMBEDDING, is_head


@dataclass(frozen=True)
class Origin:
    """A tensor of the child: its name, its slice, and the tensor's name in each of the slice's models.

    `t` is the place in the slice's layers, 0 for the first to 1 for the last; 0 outside the layers.
    """

    name: str
    part: PlannedSlice
    names: Mapping[str, str]
    t: float


def find_origins(slices: Sequence[PlannedSlice], sources: Mapping[str, Source]) -> tuple[Origin, ...]:
    """The child's tensors: those before the layers (first slice's models), the layers renumbered, those after (last's).

    The head is there unless every model of the last slice is tied; a tied model gives its embedding for it.
    InputError when a model lacks a tensor, has one more, or has it in another shape.
    """
    origins = tuple(_origins(slices, sources))
    for origin in origins:
        _require_one_shape(origin, sources)
    _require_all_used(slices)
    return origins


def _origins(slices: Sequence[PlannedSlice], sources: Mapping[str, Source]) -> Iterator[Origin]:
    first, last = slices[0], slices[-1]
    yield from (_outside(name, first, sources) for name in first.template.stack.before if not is_head(name))
    layer = 0
    for part in slices:
        for index in range(part.template.depth):
            yield from _layer(part, index, first.template.stack.prefix, layer)
            layer += 1
    yield from (_outside(name, last, sources) for name in last.template.stack.after if not is_head(name))
    heads = (name for member in last.members for name in sources[member.model].names if is_head(name))
    for name in list(heads)[:1]:
        yield _outside(name, last, sources)


def _layer(part: PlannedSlice, index: int, prefix: str, layer: int) -> Iterator[Origin]:
    template = part.template
    # A slice of one layer takes its gradients' last values, as in mergekit.
    t = index / (template.depth - 1) if template.depth > 1 else 1.0
    for rest in template.stack.layers[template.start + index]:
        names = {member.model: member.stack.name(member.start + index, rest) for member in part.members}
        yield Origin(f"{prefix}{layer}.{rest}", part, names, t)


def _outside(name: str, part: PlannedSlice, sources: Mapping[str, Source]) -> Origin:
    return Origin(name, part, {member.model: _name_in(sources[member.model], name) for member in part.members}, 0.0)


def _name_in(source: Source, name: str) -> str:
    if is_head(name) and name not in source.names:
        return next((key for key in source.names if EMBEDDING.search(key)), name)
    return name


def _require_one_shape(origin: Origin, sources: Mapping[str, Source]) -> None:
    shapes = {model: sources[model].shape(name) for model, name in origin.names.items()}
    first, wanted = next(iter(shapes.items()))
    for model, shape in shapes.items():
        if shape != wanted:
            raise InputError(
                f"{origin.names[model]} is {list(shape)}, but {list(wanted)} in {first}",
                where=model,
                remedy="merge models of one architecture and vocabulary",
            )


def _require_all_used(slices: Sequence[PlannedSlice]) -> None:
    """A tensor that only one model has would silently be missing from the child."""
    for part in slices:
        template = part.template
        known = {rest for layer in template.stack.layers for rest in layer}
        outside = {*template.stack.before, *template.stack.after}
        for member in part.members:
            extra = [name for name in (*member.stack.before, *member.stack.after) if name not in outside and not is_head(name)]
            extra += [rest for layer in member.stack.layers[member.start : member.stop] for rest in layer if rest not in known]
            if extra:
                raise InputError(
                    f"has {extra[0]}, which {template.model} lacks",
                    where=member.model,
                    remedy="merge models of one architecture",
                )
