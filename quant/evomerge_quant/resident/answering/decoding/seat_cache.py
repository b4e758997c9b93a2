"""Keys and values in seats: every row has a place of its own from its first column on, and nothing moves when others go."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from evomerge_quant.resident.answering.cache import RowStates


class _Layer(DynamicLayer):
    """One layer's keys and values: [seats, heads, columns, head dim], of which a step sees the first rows and columns."""

    def __init__(self, stored: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stored = tuple(stored)
        self.columns = 0
        self.at = torch.empty(0)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        seen = []
        for buffer, states in zip(self.stored, (key_states, value_states), strict=True):
            part = buffer[: len(states), :, : self.columns]
            part.scatter_(2, self.at[:, None, None, None].expand(states.shape), states)
            seen.append(part)
        keys, values = seen
        return keys, values

    def get_seq_length(self) -> int:
        return self.columns - 1


class SeatCache(Cache):
    """Room for `seats` rows of at most `columns` tokens; heads, widths and dtype of each layer as in `like`."""

    def __init__(self, seats: int, columns: int, like: RowStates) -> None:
        self.parts = [_Layer([x.new_zeros(seats, x.shape[0], columns, x.shape[2]) for x in states]) for states in like]
        super().__init__(layers=list(self.parts))

    def show(self, columns: int, at: Tensor) -> None:
        """What the next forward pass sees: the first `columns` columns of its rows, whose new tokens go `at` (int64 [rows])."""
        for layer in self.parts:
            layer.columns, layer.at = columns, at

    def put(self, seat: int, states: RowStates) -> None:
        """Writes a row's keys and values into the first columns of a seat."""
        for layer, of_layer in zip(self.parts, states, strict=True):
            for buffer, row_states in zip(layer.stored, of_layer, strict=True):
                buffer[seat, :, : row_states.shape[1]] = row_states

    def move(self, source: int, target: int) -> None:
        """Copies one seat's row to another."""
        for layer in self.parts:
            for buffer in layer.stored:
                buffer[target] = buffer[source]
