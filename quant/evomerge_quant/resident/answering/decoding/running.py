"""Greedy decoding of rows that were read: a running batch that rows leave when their answer is over, and others enter."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evomerge_quant.resident.answering.attention import PADDING
from evomerge_quant.resident.answering.cache import RowCache, move_row, moved, put_row
from evomerge_quant.resident.answering.decoding.live_row import LiveRow
from evomerge_quant.resident.answering.ending import Ending
from evomerge_quant.resident.answering.prefill import Started
from evomerge_quant.resident.answering.reader import PlacedTokens, Reader
from evomerge_quant.resident.answering.vocabulary import Vocabulary

# Columns kept free for tokens to come; when they are used up, columns that no row needs any more are dropped.
_ROOM = 64


class RunningBatch:
    """At most `seats` rows, padded on the left, that advance by one token a step."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, seats: int) -> None:
        self._reader = reader
        self._vocabulary = vocabulary
        self._seats = seats
        self._live: list[LiveRow] = []
        self._cache = RowCache(reader.layers, 0)
        self._positions = torch.empty(seats, 0, dtype=torch.int64)
        self._width = 0

    @property
    def free(self) -> int:
        """Seats that no row has taken."""
        return self._seats - len(self._live)

    @property
    def running(self) -> bool:
        """Whether any row is still being answered."""
        return bool(self._live)

    def enter(self, started: Sequence[Started]) -> None:
        """Rows take free seats; each has states, and at least one token to come."""
        longest = max(each.states[0][0].shape[1] for each in started)
        if longest > self._width or self._width == self._columns:
            self._lay_out(longest, started)
        for each in started:
            seat = len(self._live)
            live = LiveRow(each.row, list(each.tokens))
            put_row(self._cache, seat, each.states)
            self._positions[seat, : self._width] = PADDING
            self._positions[seat, self._width - live.cached : self._width] = torch.arange(live.cached)
            self._live.append(live)

    def step(self) -> dict[int, Ending]:
        """One token more for every row; the endings of the rows that leave, by the row's index."""
        if self._width == self._columns:
            self._lay_out(0, ())
        new = self._next_tokens()
        endings: dict[int, Ending] = {}
        for seat in reversed(range(len(self._live))):
            live = self._live[seat]
            ending = live.take(new[seat], self._vocabulary)
            if ending is not None:
                endings[live.row.index] = ending
                self._leave(seat)
        return endings

    @property
    def _columns(self) -> int:
        return self._positions.shape[1]

    def _next_tokens(self) -> list[int]:
        rows, device = len(self._live), self._reader.device
        position = torch.tensor([[live.cached] for live in self._live])
        self._width += 1
        self._positions[:rows, self._width - 1 : self._width] = position
        ids = torch.tensor([[live.tokens[-1]] for live in self._live], device=device)
        seen = self._positions[:rows, : self._width].to(device)
        trunk = torch.zeros_like(seen)
        turns = position + torch.tensor([[live.row.shift] for live in self._live])
        own = None if self._live[0].row.turns is None else turns.expand(3, -1, -1).to(device)
        hidden = self._reader.read(PlacedTokens(ids, position.to(device), trunk[:, -1:], own), (seen, trunk), self._cache)
        return self._reader.next_tokens(hidden[:, -1])

    def _leave(self, seat: int) -> None:
        """The last row takes the seat of the one that leaves: one row is copied, not the whole batch."""
        last = self._live.pop()
        if seat < len(self._live):
            self._live[seat] = last
            self._positions[seat] = self._positions[len(self._live)]
            move_row(self._cache, len(self._live), seat)

    def _lay_out(self, longest: int, entering: Sequence[Started]) -> None:
        """As many columns as the live rows need, or rows of `longest` columns, and room for more, as far as these and the rows
        that enter may come to need it."""
        width = max([longest, *(live.cached for live in self._live)])
        rows = [*(live.row for live in self._live), *(each.row for each in entering)]
        most = max(len(row.prompt) + row.question.max_new_tokens for row in rows)
        columns = max(width + 1, min(width + _ROOM, most))
        kept = min(width, self._width)
        positions = torch.full((self._seats, columns), PADDING, dtype=torch.int64)
        positions[:, width - kept : width] = self._positions[:, self._width - kept : self._width]
        states = entering[0].states if entering else None
        self._cache = moved(self._cache, self._seats, len(self._live), kept, width, columns, states)
        self._positions, self._width = positions, width
