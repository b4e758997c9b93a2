"""Which layer a tensor belongs to, by its name alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.sources.tensors.names import LAYER, decoder_stack


@dataclass(frozen=True)
class LayerStack:
    """A model's tensors, taken apart: `layers[i]` holds what follows `prefix` + i in the names of layer i's tensors.

    `before` and `after` are the names of the tensors outside the layers, by their place beside the first layer's.
    Of several stacks (a vision tower beside a language model) the language model's is meant; the others' tensors are outside.
    """

    prefix: str
    layers: tuple[tuple[str, ...], ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    def name(self, layer: int, rest: str) -> str:
        """The full name of a layer's tensor."""
        return f"{self.prefix}{layer}.{rest}"


def find_layers(names: Iterable[str], owner: str) -> LayerStack:
    """Takes a model's tensor names apart; `owner` names the model in the InputError for a layer that is missing."""
    names = tuple(names)
    matches = {name: match for name in names if (match := LAYER.match(name))}
    prefix = decoder_stack(names) or ""
    layers: dict[int, list[str]] = {}
    before: list[str] = []
    after: list[str] = []
    for name in names:
        match = matches.get(name)
        if match is not None and match["stack"] == prefix:
            layers.setdefault(int(match["layer"]), []).append(match["rest"])
        else:
            (after if layers else before).append(name)
    missing = next((i for i in range(max(layers, default=-1) + 1) if i not in layers), None)
    if missing is not None:
        raise InputError(f"{prefix}{missing} has no tensors but later layers have", where=owner, remedy="copy the model again")
    return LayerStack(prefix, tuple(tuple(layers[i]) for i in range(len(layers))), tuple(before), tuple(after))
