"""Keys and values of a batch in buffers that are allocated once, with rows that come and go."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

# Keys and values, [heads, tokens, head dim] each, layer by layer.
RowStates = tuple[tuple[Tensor, Tensor], ...]


class _Layer(DynamicLayer):
    """One layer's keys and values: [rows, heads, columns, head dim], of which the first `used` columns are filled.

    transformers' own layer copies everything at each new token; this one writes the token's column in place.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.columns = columns
        self.used = 0
        self.stored: tuple[Tensor, ...] = ()

    def allocate(self, rows: int, like: Sequence[Tensor]) -> None:
        """Makes room for `rows` rows; heads, head dims and dtype as in `like` ([..., heads, tokens, head dim])."""
        self.stored = tuple(x.new_empty(rows, x.shape[-3], self.columns, x.shape[-1]) for x in like)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        rows, new = key_states.shape[0], key_states.shape[2]
        if not self.stored:
            self.allocate(rows, (key_states, value_states))
        end = self.used + new
        for buffer, states in zip(self.stored, (key_states, value_states), strict=True):
            buffer[:rows, :, self.used : end] = states
        self.used = end
        keys, values = (buffer[:rows, :, :end] for buffer in self.stored)
        return keys, values

    def get_seq_length(self) -> int:
        return self.used


class RowCache(Cache):
    """A cache of `layers` layers and at most `columns` columns; its rows are those of the first forward pass."""

    def __init__(self, layers: int, columns: int) -> None:
        self.parts = [_Layer(columns) for _ in range(layers)]
        super().__init__(layers=list(self.parts))


def with_prefix(prefix: RowCache, rows: int, room: int) -> RowCache:
    """A cache of `rows` rows that all begin as `prefix`, a cache of one row, and `room` free columns."""
    used = prefix.parts[0].used
    cache = RowCache(len(prefix.parts), used + room)
    for source, layer in zip(prefix.parts, cache.parts, strict=True):
        if not source.stored:
            continue
        layer.allocate(rows, source.stored)
        layer.used = used
        for buffer, states in zip(layer.stored, source.stored, strict=True):
            buffer[:, :, :used] = states[:, :, :used]
    return cache


def row_states(cache: RowCache, row: int, tokens: int) -> RowStates:
    """The first `tokens` columns of a row, where they are: the cache lives as long as they do."""
    views = [[buffer[row, :, :tokens] for buffer in layer.stored] for layer in cache.parts]
    return tuple((keys, values) for keys, values in views)


def moved(old: RowCache, seats: int, rows: int, kept: int, width: int, columns: int, like: RowStates | None) -> RowCache:
    """A cache of `seats` rows and `columns` columns, of which `width` count as filled: the last of them hold the last `kept`
    filled columns of the first `rows` rows of `old`, the others zeros. `like` gives the shapes where `old` holds nothing.

    `old` is emptied layer by layer: there is never more than a layer of both.
    """
    cache = RowCache(len(old.parts), columns)
    for number, (source, layer) in enumerate(zip(old.parts, cache.parts, strict=True)):
        shapes = source.stored or (like[number] if like is not None else ())
        layer.allocate(seats, shapes)
        layer.used = width
        # Masked columns weigh nothing, but nothing times NaN is NaN.
        for buffer in layer.stored:
            buffer.zero_()
        for buffer, states in zip(layer.stored, source.stored, strict=False):
            buffer[:rows, :, width - kept : width] = states[:rows, :, source.used - kept : source.used]
        source.stored = ()
    return cache


def put_row(cache: RowCache, row: int, states: RowStates) -> None:
    """Writes a row's keys and values into the last filled columns, zeros before them."""
    for layer, of_layer in zip(cache.parts, states, strict=True):
        for buffer, row_states in zip(layer.stored, of_layer, strict=True):
            start = layer.used - row_states.shape[1]
            buffer[row, :, :start] = 0
            buffer[row, :, start : layer.used] = row_states


def move_row(cache: RowCache, source: int, target: int) -> None:
    """Copies row `source` over row `target`."""
    for layer in cache.parts:
        for buffer in layer.stored:
            buffer[target] = buffer[source]
