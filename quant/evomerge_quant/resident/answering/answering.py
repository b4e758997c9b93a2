"""Rows to answers: the common prefix once, prompts in batches, the unfinished rows in one running batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evomerge_core.tasks.evaluator import Answer
from evomerge_quant.resident.answering.decoding.batch import Batch
from evomerge_quant.resident.answering.decoding.running import RunningBatch
from evomerge_quant.resident.answering.decoding.seated import seat_rows
from evomerge_quant.resident.answering.ending import Ending
from evomerge_quant.resident.answering.prefill import Prefix, Started, prefill, read_prefix
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
        waiting = _seated(running, waiting, known)
        while running.free and (batch := next(unread, None)) is not None:
            # Seated at once: as long as a row waits, so does the whole cache that it was read into.
            waiting = _seated(running, _read(reader, batch, prefix, vocabulary, answers), known)
        if not running.running:
            return [answers[index] for index in range(len(rows))]
        for index, ending in running.step().items():
            answers[index] = _answer(known.pop(index), ending)


def _read(
    reader: Reader, batch: Sequence[QuestionRow], prefix: Prefix, vocabulary: Vocabulary, answers: dict[int, Answer]
) -> list[Started]:
    """Reads rows; those that are still to be answered, while the others' answers are added to `answers`."""
    started = prefill(reader, batch, prefix, vocabulary)
    answers |= {each.row.index: _answer(each, each.ending) for each in started if not each.states}
    return [each for each in started if each.states]


def _seated(running: Batch, waiting: Sequence[Started], known: dict[int, Started]) -> list[Started]:
    """Gives waiting rows the free seats, and adds them to `known` without their states; those that there is no seat for."""
    count = running.free
    if waiting and count:
        running.enter(waiting[:count])
        known |= {each.row.index: replace(each, states=()) for each in waiting[:count]}
    return list(waiting[count:])


def _make_batch(reader: Reader, rows: Sequence[QuestionRow], vocabulary: Vocabulary, batch_size: int) -> Batch:
    if reader.device.type == "cpu":
        return RunningBatch(reader, vocabulary, min(batch_size, len(rows)))
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
