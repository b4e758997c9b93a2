"""Rows to answers: the common prefix once, prompts in batches, then the unfinished rows together in large ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evomerge_core.tasks.exchange import Answer
from evomerge_quant.resident.decode import decode
from evomerge_quant.resident.ending import Ending
from evomerge_quant.resident.prefill import Started, prefill, read_prefix
from evomerge_quant.resident.reader import Reader
from evomerge_quant.resident.rows import Row, batches, common_prefix
from evomerge_quant.resident.vocabulary import Vocabulary

# Tokens, padding included, that one forward pass reads; more is no faster and takes memory.
PREFILL_TOKENS = {"cpu": 512, "cuda": 8192}


def answer_rows(reader: Reader, rows: Sequence[Row], vocabulary: Vocabulary, batch_size: int) -> list[Answer]:
    """Answers in the order of the rows' indices; batches depend on nothing but the rows and `batch_size`."""
    prefix = read_prefix(reader, common_prefix(rows))
    answers: dict[int, Answer] = {}
    waiting: list[Started] = []

    def finish(some: Sequence[Started]) -> None:
        endings = decode(reader, some, vocabulary)
        answers.update((each.row.index, _answer(each, endings[each.row.index])) for each in some)

    for batch in batches(rows, len(prefix.tokens), batch_size, PREFILL_TOKENS[reader.device.type]):
        for started in prefill(reader, batch, prefix, vocabulary):
            if started.states:
                waiting.append(started)
            else:
                answers[started.row.index] = _answer(started, started.ending)
        while len(waiting) >= batch_size:
            finish(waiting[:batch_size])
            del waiting[:batch_size]
    if waiting:
        finish(waiting)
    return [answers[index] for index in range(len(rows))]


def _answer(started: Started, ending: Ending | None) -> Answer:
    return Answer(
        text=ending.text if ending else "",
        tokens=ending.tokens if ending else 0,
        truncated=ending.truncated if ending else False,
        gold_logprob=_total(started.gold),
        gold_tokens=len(started.gold),
        choice_logprobs=tuple((_total(each), len(each)) for each in started.choices),
    )


def _total(logprobs: Iterable[float]) -> float:
    return float(sum(logprobs))
