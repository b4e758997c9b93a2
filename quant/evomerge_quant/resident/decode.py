"""Greedy decoding of rows that were read, each leaving the batch when its answer is over."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evomerge_quant.resident.attention import PADDING
from evomerge_quant.resident.cache import left_padded, move_row
from evomerge_quant.resident.ending import Ending, find_ending
from evomerge_quant.resident.prefill import Started
from evomerge_quant.resident.reader import Placed, Reader
from evomerge_quant.resident.vocabulary import Vocabulary


def decode(reader: Reader, started: Sequence[Started], vocabulary: Vocabulary) -> dict[int, Ending]:
    """Goes on until every row has ended; endings by the row's index. The rows are padded on the left."""
    room = max(each.row.question.max_new_tokens - len(each.tokens) for each in started)
    cache = left_padded([each.states for each in started], room)
    width = cache.get_seq_length()
    positions = _positions(started, width, room).to(reader.device)
    live = [(each.row, list(each.tokens)) for each in started]
    endings: dict[int, Ending] = {}

    while live:
        rows = len(live)
        width += 1
        position = torch.tensor([[len(row.prompt) + len(tokens) - 1] for row, tokens in live], device=reader.device)
        positions[:rows, width - 1 : width] = position
        ids = torch.tensor([[tokens[-1]] for _, tokens in live], device=reader.device)
        trunk = torch.zeros(rows, width, dtype=torch.int64, device=reader.device)
        hidden = reader.read(Placed(ids, position, trunk[:, -1:]), (positions[:rows, :width], trunk), cache)

        new = reader.next_tokens(hidden[:, -1])
        for slot in reversed(range(rows)):
            row, tokens = live[slot]
            tokens.append(new[slot])
            ending = find_ending(tokens, len(tokens) - 1, row.question, vocabulary)
            if ending is None:
                continue
            endings[row.index] = ending
            # The last row takes the place of the one that leaves: one row is copied, not the whole batch.
            last = live.pop()
            if slot < len(live):
                live[slot] = last
                positions[slot] = positions[len(live)]
                move_row(cache, len(live), slot)
    return endings


def _positions(started: Sequence[Started], width: int, room: int) -> Tensor:
    positions = torch.full((len(started), width + room), PADDING, dtype=torch.int64)
    for number, each in enumerate(started):
        length = len(each.row.prompt) + len(each.tokens) - 1
        positions[number, width - length : width] = torch.arange(length)
    return positions
