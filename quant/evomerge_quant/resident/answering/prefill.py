"""Reading prompts together with what may follow them: log-likelihoods, and the first tokens of the model's own answer.

The gold answer is a draft of the model's answer (speculative decoding with the reference as the draft): where the model's
most likely token is the gold one, that token is decided already. What comes out is what plain greedy decoding gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from evomerge_quant.resident.answering.attention import PADDING
from evomerge_quant.resident.answering.cache import RowCache, RowStates, row_states, with_prefix
from evomerge_quant.resident.answering.ending import Ending, find_ending
from evomerge_quant.resident.answering.reader import PlacedTokens, Reader
from evomerge_quant.resident.answering.rows import QuestionRow
from evomerge_quant.resident.answering.vocabulary import Vocabulary


@dataclass(frozen=True)
class Prefix:
    """The tokens that all prompts begin with, and their keys and values (a cache of one row)."""

    tokens: list[int]
    cache: RowCache


@dataclass(frozen=True)
class Started:
    """A row that was read.

    `gold` and `choices` are log-probabilities, token by token; `greedy` says of each choice whether all its tokens are the
    most likely ones. `tokens` are the first tokens of the model's own answer, at
    least one ([] where nothing is generated). When they are not all of it, `ending` is None and `states` are the keys and
    values of the prompt and of these tokens but the last, in the cache that was read into.
    """

    row: QuestionRow
    gold: list[float]
    choices: tuple[list[float], ...]
    greedy: tuple[bool, ...]
    tokens: list[int]
    ending: Ending | None
    states: RowStates


def read_prefix(reader: Reader, tokens: list[int]) -> Prefix:
    """Reads the common prefix once."""
    cache = RowCache(reader.layers, len(tokens))
    if tokens:
        ids = torch.tensor([tokens], device=reader.device)
        positions = torch.arange(len(tokens), device=reader.device)[None]
        trunk = torch.zeros_like(positions)
        turns = None if reader.pictures is None else reader.pictures.turns(tokens)
        own = None if turns is None else turns[:, None].to(reader.device)
        shown = None if reader.pictures is None else reader.pictures.shown(tokens)
        pictures = None if shown is None else torch.tensor([shown], device=reader.device)
        reader.read(PlacedTokens(ids, positions, trunk, own, pictures), (positions, trunk), cache)
    return Prefix(tokens, cache)


def prefill(reader: Reader, rows: Sequence[QuestionRow], prefix: Prefix, vocabulary: Vocabulary) -> list[Started]:
    """Reads the rows in one forward pass: each prompt, and each of its branches as if it alone followed the prompt."""
    skipped = len(prefix.tokens)
    placed = _place(rows, skipped, reader.device)
    cache = with_prefix(prefix.cache, len(rows), placed.tokens.shape[1])
    seen = after_prefix(placed, skipped)
    hidden = reader.read(placed, seen, cache)
    best, logprobs = reader.judge(hidden[_judged(rows, skipped)], _targets(rows, reader.device))

    started, at = [], 0
    for number, row in enumerate(rows):
        count = _judged_count(row)
        started.append(_start(row, best[at : at + count], logprobs[at : at + count], vocabulary, cache, number))
        at += count
    return started


def after_prefix(placed: PlacedTokens, skipped: int) -> tuple[Tensor, Tensor]:
    """(position, branch) of all columns, int64 [rows, columns]: `skipped` ones of the prefix, then the placed tokens."""
    positions = torch.arange(skipped, device=placed.positions.device).expand(len(placed.positions), skipped)
    return (
        torch.cat([positions, placed.positions], dim=1),
        torch.cat([torch.zeros_like(positions), placed.branches], dim=1),
    )


def _place(rows: Sequence[QuestionRow], skipped: int, device: torch.device) -> PlacedTokens:
    width = max(row.read_tokens for row in rows) - skipped
    tokens = torch.zeros(len(rows), width, dtype=torch.int64)
    positions = torch.full_like(tokens, PADDING)
    branches = torch.zeros_like(tokens)
    turned = rows[0].turns is not None
    turns = torch.zeros(3, *tokens.shape, dtype=torch.int64)
    pictures = torch.zeros_like(tokens)
    for number, row in enumerate(rows):
        own = row.prompt[skipped:]
        pieces = [(own, skipped, 0)]
        pieces += [(branch[:-1], len(row.prompt), at) for at, branch in enumerate(row.branches, 1)]
        start = 0
        for ids, position, branch in pieces:
            end = start + len(ids)
            tokens[number, start:end] = torch.tensor(ids, dtype=torch.int64)
            positions[number, start:end] = torch.arange(position, position + len(ids))
            branches[number, start:end] = branch
            if turned:
                turns[:, number, start:end] = positions[number, start:end] + row.shift
            start = end
        if row.turns is not None:
            turns[:, number, : len(own)] = row.turns[:, skipped:]
        if row.shown is not None:
            pictures[number, : len(own)] = torch.tensor(row.shown[skipped:])
    placed = PlacedTokens(tokens.to(device), positions.to(device), branches.to(device))
    return replace(
        placed,
        turns=turns.to(device) if turned else None,
        pictures=None if rows[0].shown is None else pictures.to(device),
    )


def _judged(rows: Sequence[QuestionRow], skipped: int) -> tuple[Tensor, Tensor]:
    """(row, column) of the hidden states whose logits are wanted, row by row, branch by branch."""
    numbers: list[int] = []
    columns: list[int] = []
    for number, row in enumerate(rows):
        last = len(row.prompt) - skipped - 1
        start = last + 1
        for branch in row.branches:
            columns += [last, *range(start, start + len(branch) - 1)]
            start += len(branch) - 1
        if not row.branches:
            columns.append(last)
        numbers += [number] * _judged_count(row)
    return torch.tensor(numbers), torch.tensor(columns)


def _judged_count(row: QuestionRow) -> int:
    return sum(len(branch) for branch in row.branches) or 1


def _targets(rows: Sequence[QuestionRow], device: torch.device) -> Tensor:
    targets = [token for row in rows for token in ([t for branch in row.branches for t in branch] or [0])]
    return torch.tensor(targets, device=device)


def _start(
    row: QuestionRow, best: list[int], logprobs: list[float], vocabulary: Vocabulary, cache: RowCache, number: int
) -> Started:
    gold, at = logprobs[: len(row.gold)], len(row.gold)
    choices, greedy = [], []
    for choice in row.choices:
        choices.append(logprobs[at : at + len(choice)])
        greedy.append(best[at : at + len(choice)] == choice)
        at += len(choice)
    tokens = best[: _agreed(best, row.gold) + 1] if row.generates else []
    ending = find_ending(tokens, 0, row.question, vocabulary)
    continues = row.generates and ending is None
    states = row_states(cache, number, len(row.prompt) + len(tokens) - 1) if continues else ()
    return Started(row, gold, tuple(choices), tuple(greedy), tokens, ending, states)


def _agreed(best: list[int], gold: list[int]) -> int:
    """How many of the model's tokens follow only gold ones and are gold themselves; the last gold token is not counted."""
    for count, (own, wanted) in enumerate(zip(best, gold[:-1], strict=False)):
        if own != wanted:
            return count
    return max(0, len(gold) - 1)
