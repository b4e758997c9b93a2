"""Rows to answers: the common prefix once, prompts in batches, the unfinished rows in one running batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evomerge_core.tasks.evaluator import Answer
from evomerge_quant.resident.answering.decoding.batch import Batch
from evomerge_quant.resident.answering.decoding.running import RunningBatch
from evomerge_quant.resident.answering.decoding.seated import seat_rows
from evomerge_quant.resident.answering.ending import Ending
from evomerge_quant.resident.answering.prefill import Started, prefill, read_prefix
from evomerge_quant.resident.answering.reader import Reader
from evomerge_quant.resident.answering.rows import QuestionRow, batches, common_prefix
from evomerge_quant.resident.answering.vocabulary import Vocabulary

# Tokens, padding included, that one forward pass reads; more is no faster and takes memory.
PREFILL_TOKENS = {"cpu": 512, "cuda": 8192}


def answer_rows(reader: Reader, rows: Sequence[QuestionRow], vocabulary: Vocabulary, batch_size: int) -> list[Answer]:
    """Answers in the order of the rows' indices; batches depend on nothing but the rows and `batch_size`.

    Prompts are read, some at a time, whenever seats of the running batch would stay empty.
    """
    shared = common_prefix(rows)
    shared = shared if reader.pictures is None else reader.pictures.whole(shared, rows[0].prompt)
    prefix = read_prefix(reader, shared)
    unread = batches(rows, len(prefix.tokens), batch_size, PREFILL_TOKENS[reader.device.type])
    running = _make_batch(reader, rows, vocabulary, batch_size)
    answers: dict[int, Answer] = {}
    known: dict[int, Started] = {}
    waiting: list[Started] = []
    while True:
        while len(waiting) < running.free and (batch := next(unread, None)) is not None:
            for started in prefill(reader, batch, prefix, vocabulary):
                if started.states:
                    waiting.append(started)
                else:
                    answers[started.row.index] = _answer(started, started.ending)
        entering, waiting = waiting[: running.free], waiting[running.free :]
        if entering:
            running.enter(entering)
            known |= {each.row.index: replace(each, states=()) for each in entering}
        if not running.running:
            return [answers[index] for index in range(len(rows))]
        for index, ending in running.step().items():
            answers[index] = _answer(known.pop(index), ending)


def _make_batch(reader: Reader, rows: Sequence[QuestionRow], vocabulary: Vocabulary, batch_size: int) -> Batch:
    if reader.device.type == "cpu":
        return RunningBatch(reader, vocabulary, batch_size)
    return seat_rows(reader, rows, vocabulary, batch_size)


def _answer(started: Started, ending: Ending | None) -> Answer:
    return Answer(
        text=ending.text if ending else "",
        tokens=ending.tokens if ending else 0,
        truncated=ending.truncated if ending else False,
        gold_logprob=_total(started.gold),
        gold_tokens=len(started.gold),
        choice_logprobs=tuple((_total(each), len(each)) for each in started.choices),
        choices_greedy=started.greedy,
    )


def _total(logprobs: Iterable[float]) -> float:
    return float(sum(logprobs))
