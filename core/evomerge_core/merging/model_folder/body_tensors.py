"""A child with eyes: its language part under the body's names, and the body's own tensors as they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor

from evomerge_core.sources.stored.weight_file import TensorFacts
from evomerge_core.sources.vision.body import Body


def whole_facts(language: Mapping[str, TensorFacts], body: Body) -> dict[str, TensorFacts]:
    """The tensors of the whole child, by stored name: `language` has a text model's names."""
    own = {body.layout.stored_name(name): facts for name, facts in language.items()}
    return {**own, **{name: body.facts(name) for name in body.tensors}}


def whole_stream(language: Iterable[tuple[str, Tensor]], body: Body) -> Iterator[tuple[str, Tensor]]:
    """The same tensors' numbers, in that order; the body's are copied without being read as numbers."""
    yield from ((body.layout.stored_name(name), tensor) for name, tensor in language)
    yield from ((name, file.read(name)) for name, file in body.tensors.items())
