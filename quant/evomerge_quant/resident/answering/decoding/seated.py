"""Greedy decoding on a card: rows in seats of their own, and steps of few sizes, each the same kernels on the same memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.resident.answering.attention import masks
from evomerge_quant.resident.answering.decoding.live_row import LiveRow
from evomerge_quant.resident.answering.decoding.replay import Replay
from evomerge_quant.resident.answering.decoding.seat_cache import SeatCache
from evomerge_quant.resident.answering.ending import Ending
from evomerge_quant.resident.answering.prefill import Started
from evomerge_quant.resident.answering.reader import Reader
from evomerge_quant.resident.answering.rows import QuestionRow
from evomerge_quant.resident.answering.vocabulary import Vocabulary

# Columns are seen in multiples of these.
_COLUMNS = 64
_NOT_A_NUMBER = -1


def whole_columns(columns: int) -> int:
    """So many columns, rounded up to what a step sees."""
    return -(-columns // _COLUMNS) * _COLUMNS


class SeatedBatch:
    """At most `seats` rows of at most `columns` tokens, which advance by one token a step.

    A row's token at position p lies in column p of its seat. The card keeps each row's last token and its column, and what a
    step leaves there is what the next begins with; only a row that comes or goes has them written anew.
    """

    def __init__(self, reader: Reader, vocabulary: Vocabulary, seats: int, columns: int) -> None:
        self._reader = reader
        self._vocabulary = vocabulary
        self._most_columns = whole_columns(columns)
        self._live: list[LiveRow | None] = [None] * seats
        self._cache: SeatCache | None = None
        # last token, its column, 1 for a row that is being answered, and its shift: [4, seats]
        self._state = torch.zeros(4, seats, dtype=torch.int64, device=reader.device)
        self._found = torch.zeros(seats, dtype=torch.int64, device=reader.device)
        self._places = torch.arange(self._most_columns, device=reader.device)[None]
        self._is_stale = False
        self._replay = Replay(reader.recording)

    @property
    def free(self) -> int:
        """Seats that no row has taken."""
        return self._live.count(None)

    @property
    def running(self) -> bool:
        """Whether any row is still being answered."""
        return self.free < len(self._live)

    def enter(self, started: Sequence[Started]) -> None:
        """Rows take free seats; each has states, and at least one token to come."""
        if self._cache is None:
            self._cache = SeatCache(len(self._live), self._most_columns, started[0].states)
        for each in started:
            seat = self._live.index(None)
            self._live[seat] = LiveRow(each.row, list(each.tokens))
            self._cache.put(seat, each.states)
        self._is_stale = True

    def step(self) -> dict[int, Ending]:
        """One token more for every row; the endings of the rows that leave, by the row's index. CandidateError when a logit
        is not a number."""
        rows = self._close_ranks()
        longest = max(live.cached for live in self._live[:rows] if live is not None) + 1
        columns = whole_columns(longest)
        if self._is_stale:
            self._write_state()
        self._replay.run((rows, columns), lambda: self._advance(rows, columns))
        endings: dict[int, Ending] = {}
        for seat, token in enumerate(self._found[:rows].tolist()):
            live = self._live[seat]
            if live is None:
                continue
            if token == _NOT_A_NUMBER:
                raise CandidateError("the model's logits hold NaN or Inf")
            ending = live.take(token, self._vocabulary)
            if ending is not None:
                endings[live.row.index] = ending
                self._live[seat] = None
                self._is_stale = True
        return endings

    def _advance(self, rows: int, columns: int) -> None:
        """The step on the card, on the first `rows` seats and `columns` columns; nothing here waits for the card."""
        tokens, at, alive, shift = self._state[:, :rows]
        places = self._places[:, :columns].expand(rows, columns)
        mask = masks(
            self._reader.windows, self._reader.dtype, (places, torch.zeros_like(places)), (at[:, None], at[:, None] * 0)
        )
        assert self._cache is not None
        self._cache.show(columns, at)
        out = self._reader.decoder(
            input_ids=tokens[:, None],
            position_ids=(at + shift)[:, None],
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
        )
        most, best = self._reader.head(out.last_hidden_state[:, -1]).max(dim=-1)
        self._found[:rows] = torch.where(torch.isfinite(most), best, _NOT_A_NUMBER)
        tokens.copy_(best)
        at.add_(alive)

    def _close_ranks(self) -> int:
        """How many seats the next step reads: all, or a half, a quarter, ... of them, into which the last rows then move."""
        count, rows = len(self._live) - self.free, len(self._live)
        while rows > 1 and count <= -(-rows // 2):
            rows = -(-rows // 2)
        for seat in range(rows, len(self._live)):
            if self._live[seat] is None:
                continue
            target = self._live.index(None)
            assert self._cache is not None
            self._cache.move(seat, target)
            self._live[target], self._live[seat] = self._live[seat], None
            self._is_stale = True
        return rows

    def _write_state(self) -> None:
        known = [(0, 0, 0, 0) if live is None else (live.tokens[-1], live.cached, 1, live.row.shift) for live in self._live]
        self._state.copy_(torch.tensor(known).T)
        self._is_stale = False


def seat_rows(reader: Reader, rows: Sequence[QuestionRow], vocabulary: Vocabulary, batch_size: int) -> SeatedBatch:
    """A batch with room for at most `batch_size` of these rows at once, whichever they are."""
    columns = max(len(row.prompt) + row.question.max_new_tokens for row in rows)
    return SeatedBatch(reader, vocabulary, min(batch_size, len(rows)), columns)
