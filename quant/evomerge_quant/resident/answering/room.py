"""What answering takes in memory beside the weights: the seats that rows are answered in, and what a forward pass makes.

Every term is what the code allocates; what an allocator keeps on top is in the share of the memory that `memory.SHARE` leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evomerge_quant.resident.answering.answering import PREFILL_TOKENS
from evomerge_quant.resident.answering.decoding.seated import whole_columns
from evomerge_quant.resident.answering.reader import EXACT_AT_ONCE, LOGITS_AT_ONCE
from evomerge_quant.resident.answering.row_lengths import RowLengths
from evomerge_quant.resident.answering.rows import QuestionRow, common_prefix

# Of a token: its number, its position and its branch, among its own row's and among all that is seen.
_PLACE_BYTES = 64


@dataclass(frozen=True)
class PassSizes:
    """What a model's passes go by: the widths of its stream (`hidden`), of what is inside of a layer (`inner`, of which there
    are `inner_parts` at a time) and of all its attention `heads` together (`attended`); its layers and its vocabulary.

    Bytes: `token`, of one token in the cache of all layers; `itemsize`, of a number; `unpacked`, what a layer of few bits takes
    while it is multiplied by. `masks` are those that its layers have, `scores` says whether attention keeps those of all pairs
    of tokens.
    """

    device: str
    hidden: int
    inner: int
    attended: int
    heads: int
    layers: int
    token: int
    vocabulary: int
    itemsize: int
    inner_parts: int = 3
    masks: int = 1
    unpacked: int = 0
    scores: bool = False

    @property
    def shares_heads(self) -> bool:
        """Whether keys and values are repeated for heads that share them, which the CPU's own attention doesn't."""
        fewer = self.token < 2 * self.layers * self.attended * self.itemsize
        return fewer and (self.device == "cuda" or self.scores)


def lengths_of(rows: Sequence[QuestionRow]) -> RowLengths:
    """The lengths of rows that are answered in one call."""
    return RowLengths(
        read=max(row.read_tokens for row in rows),
        whole=max((len(row.prompt) + row.question.max_new_tokens for row in rows if row.generates), default=0),
        judged=max(sum(map(len, row.branches)) or 1 for row in rows),
        shared=len(common_prefix(rows)),
    )


def answering_bytes(sizes: PassSizes, lengths: RowLengths, rows: int, asked: int | None = None) -> int:
    """Bytes that answering takes at most, `rows` at a time of the `asked` ones (None: of many more).

    Prompts are read while others are being answered. On a card what a step takes stays with its graph.
    """
    width = max(1, lengths.read - lengths.shared)
    together = max(1, min(rows, PREFILL_TOKENS[sizes.device] // width))
    seats, step = seats_bytes(sizes, lengths, rows), _step_bytes(sizes, lengths, rows)
    cache = (lengths.shared + together * lengths.read) * sizes.token
    judged = min(together * lengths.judged, max(1, LOGITS_AT_ONCE // sizes.vocabulary))
    reading = max(
        _pass_bytes(sizes, 1, lengths.shared, lengths.shared),
        _pass_bytes(sizes, together, width, lengths.read),
        _logits_bytes(sizes, judged) + together * width * sizes.hidden * sizes.itemsize,
    )
    if asked is not None and asked <= together:  # all have been read before any has a seat
        return max(cache + max(reading, seats), seats + step)
    return seats + cache + (reading + step if sizes.device == "cuda" else max(reading, step))


def seats_bytes(sizes: PassSizes, lengths: RowLengths, rows: int) -> int:
    """Keys and values of the rows that are being answered; on the CPU a layer is there twice when it grows."""
    if not lengths.whole:
        return 0
    if sizes.device == "cuda":
        return rows * whole_columns(lengths.whole) * sizes.token
    return rows * (lengths.whole + 1) * sizes.token * (sizes.layers + 1) // sizes.layers


def _logits_bytes(sizes: PassSizes, states: int) -> int:
    """Logits after so many hidden states in float32, and in what they were multiplied in where that is less; then some of them
    in float64, and what is made of those."""
    logits = states * sizes.vocabulary
    multiplied = sizes.itemsize if sizes.itemsize < 4 else 0
    return logits * (4 + multiplied) + 2 * 8 * min(logits, max(EXACT_AT_ONCE, sizes.vocabulary))


def _step_bytes(sizes: PassSizes, lengths: RowLengths, rows: int) -> int:
    """What one more token of every row takes."""
    if not lengths.whole:
        return 0
    columns = whole_columns(lengths.whole) if sizes.device == "cuda" else lengths.whole
    return max(_pass_bytes(sizes, rows, 1, columns), _logits_bytes(sizes, rows))


def _pass_bytes(sizes: PassSizes, rows: int, tokens: int, columns: int) -> int:
    """The most that a pass over so many tokens of each row, which see so many columns, holds at a time: in a layer's attention,
    in its inside, or while one of the inside's products unpacks its weights; beside these the tokens' masks and places."""
    stream, inner, attended = (tokens * width for width in (sizes.hidden, sizes.inner, sizes.attended))
    repeated = 2 * sizes.attended * columns if sizes.shares_heads and (tokens > 1 or sizes.scores) else 0
    attention = 3 * stream + max(5 * attended, 3 * attended + repeated)
    inside = 4 * stream + sizes.inner_parts * inner
    product = inside - inner
    pairs = tokens * columns * sizes.masks * sizes.itemsize
    if sizes.scores:
        pairs += tokens * columns * sizes.heads * (2 * sizes.itemsize + 8)
    places = tokens * (_PLACE_BYTES + 2 * sizes.attended // sizes.heads * sizes.itemsize)
    return max(
        rows * (max(attention, inside) * sizes.itemsize + pairs + places),
        rows * (product * sizes.itemsize + pairs + places) + sizes.unpacked,
    )
