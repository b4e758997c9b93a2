"""A GGUF file answers questions as the resident model does: greedy text and log-likelihoods, many rows at once.

The rows of a group are sequences of one context. What all prompts begin with is read once; each of a prompt's branches (the
gold answer, the choices) is a fork of it. Where the model's most likely tokens are the gold ones, they begin its own answer:
its generation goes on in the gold answer's fork.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer, CandidateError, Question
from evomerge_quant.llama.context import MOST_SEQUENCES, UBATCH, LlamaContext, Run
from evomerge_quant.llama.distributions import log_softmax
from evomerge_quant.llama.model import LlamaModel
from evomerge_quant.llama.vocabulary import gguf_vocabulary
from evomerge_quant.resident.answering.ending import Ending, find_ending
from evomerge_quant.resident.answering.rows import Row, batches, common_prefix, make_rows
from evomerge_quant.resident.answering.vocabulary import Vocabulary

# A batch's logits are float32: 64 MiB.
LOGITS_AT_ONCE = 2**24
# Rows that are answered together, and tokens of theirs that are read together. All tokens of a group attend over all of the
# group's cells, so larger groups are slower on a CPU.
_MOST_ROWS = 16
_MOST_TOKENS = 1024
_PREFIX = 0  # the sequence that holds what all prompts begin with


@dataclass(frozen=True)
class Said:
    """An answer, and the tokens that the model wrote, the end token included."""

    answer: Answer
    tokens: tuple[int, ...]


@dataclass
class _Going:
    """A row at work: the sequence that its answer grows in, its tokens so far, and what is known of its branches."""

    row: Row
    sequence: int
    tokens: list[int]
    ending: Ending | None
    gold: tuple[float, int] = (0.0, 0)
    choices: list[tuple[float, int]] = field(default_factory=list)


class GgufEvaluator:
    """The answering half of an `Evaluator`, from an open GGUF file."""

    def __init__(self, model: LlamaModel) -> None:
        self.model = model
        self.vocabulary: Vocabulary = gguf_vocabulary(model)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Greedy answers in the order of the questions; the same questions give the same answers.

        InputError for a question that the file can't take; CandidateError when its logits are not numbers.
        """
        return [said.answer for said in self.say(questions)]

    def say(self, questions: Sequence[Question]) -> list[Said]:
        """As `answer`, with the answers' tokens."""
        rows = make_rows(questions, self.vocabulary, self.model.training_context)
        return answer_rows(self.model, rows, self.vocabulary) if rows else []


def answer_rows(model: LlamaModel, rows: Sequence[Row], vocabulary: Vocabulary) -> list[Said]:
    """Answers in the order of the rows' indices."""
    prefix = common_prefix(rows)
    groups = list(_groups(rows, len(prefix)))
    said: dict[int, Said] = {}
    with _context(model, groups, len(prefix)) as context:
        context.read([Run(_PREFIX, 0, prefix)])
        for group in groups:
            said.update((going.row.index, _said(going)) for going in _answer_group(context, group, len(prefix), vocabulary))
    return [said[index] for index in range(len(rows))]


def batch_tokens(model: LlamaModel) -> int:
    """Tokens that are read at once: their logits, if all are wanted, are at most `LOGITS_AT_ONCE`."""
    return max(16, min(UBATCH, LOGITS_AT_ONCE // model.vocabulary_size))


def _groups(rows: Sequence[Row], skipped: int) -> Iterator[list[Row]]:
    """Rows that fit into one context's sequences: one each, one for each branch, and the prefix."""
    widest = max(rows, key=lambda row: len(row.branches))
    most = (MOST_SEQUENCES - 1) // (1 + len(widest.branches))
    if not most:
        raise InputError(
            f"the prompt {widest.question.prompt[:40]!r} has {len(widest.choices)} choices; at most {MOST_SEQUENCES - 3} "
            "can be rated at once"
        )
    return batches(rows, skipped, min(_MOST_ROWS, most), _MOST_TOKENS)


def _context(model: LlamaModel, groups: Sequence[Sequence[Row]], prefix: int) -> LlamaContext:
    cells = prefix + max(sum(row.most_tokens - prefix for row in group) for group in groups)
    sequences = 1 + max(sum(1 + len(row.branches) for row in group) for group in groups)
    return LlamaContext(model, cells=cells, sequences=sequences, batch=batch_tokens(model))


def _answer_group(context: LlamaContext, rows: Sequence[Row], skipped: int, vocabulary: Vocabulary) -> list[_Going]:
    first = _read_prompts(context, rows, skipped)
    group = _read_branches(context, rows, first, vocabulary)
    _generate(context, group, vocabulary)
    for sequence in range(1, 1 + sum(1 + len(row.branches) for row in rows)):
        context.cut(sequence, 0)
    return group


def _read_prompts(context: LlamaContext, rows: Sequence[Row], skipped: int) -> list[np.ndarray]:
    """Prompts into the sequences 1 to n; the logits after each."""
    runs = []
    for sequence, row in enumerate(rows, 1):
        context.fork(_PREFIX, sequence)
        runs.append(Run(sequence, skipped, row.prompt[skipped:], wanted=1))
    return [logits[0] for logits in context.read(runs)]


def _read_branches(
    context: LlamaContext, rows: Sequence[Row], first: Sequence[np.ndarray], vocabulary: Vocabulary
) -> list[_Going]:
    """Every branch into a fork of its prompt, and what each row begins with."""
    runs: list[Run] = []
    for sequence, row in enumerate(rows, 1):
        for branch in row.branches:
            fork = 1 + len(rows) + len(runs)
            context.fork(sequence, fork)
            runs.append(Run(fork, len(row.prompt), branch[:-1], wanted=len(branch) - 1))
    read = iter(zip(runs, context.read(runs), strict=True))
    return [
        _start(context, row, sequence, logits, [next(read) for _ in row.branches], vocabulary)
        for sequence, (row, logits) in enumerate(zip(rows, first, strict=True), 1)
    ]


def _start(
    context: LlamaContext,
    row: Row,
    sequence: int,
    first: np.ndarray,
    branches: Sequence[tuple[Run, np.ndarray]],
    vocabulary: Vocabulary,
) -> _Going:
    judged = [
        _judge(np.concatenate([first[None], logits]), branch)
        for branch, (_, logits) in zip(row.branches, branches, strict=True)
    ]
    going = _Going(row, sequence, [int(first.argmax())], None)
    going.choices = [totals for totals, _ in judged]
    if row.gold:
        going.gold, most_likely = going.choices.pop(0), judged[0][1]
        agreed = _agreed(most_likely, row.gold)
        if agreed and context.cut(branches[0][0].sequence, len(row.prompt) + agreed):
            going.sequence, going.tokens = branches[0][0].sequence, most_likely[: agreed + 1]
    if row.generates:
        going.ending = find_ending(going.tokens, 0, row.question, vocabulary)
    return going


def _judge(logits: np.ndarray, branch: Sequence[int]) -> tuple[tuple[float, int], list[int]]:
    """A branch's summed log-probability and its tokens, and the most likely token at each of its places."""
    _require_numbers(logits)
    logprobs = log_softmax(logits)[np.arange(len(branch)), branch]
    return (float(logprobs.sum()), len(branch)), [int(token) for token in logits.argmax(axis=-1)]


def _agreed(most_likely: Sequence[int], gold: Sequence[int]) -> int:
    """How many of the model's tokens are the gold ones from the start; the last gold token, the end, is not counted."""
    agreed = [own == wanted for own, wanted in zip(most_likely, gold[:-1], strict=False)]
    return agreed.index(False) if False in agreed else len(agreed)


def _generate(context: LlamaContext, group: Sequence[_Going], vocabulary: Vocabulary) -> None:
    """Every row's next token at once, until each has ended."""
    live = [going for going in group if going.row.generates and going.ending is None]
    while live:
        runs = [Run(g.sequence, len(g.row.prompt) + len(g.tokens) - 1, g.tokens[-1:], wanted=1) for g in live]
        for going, logits in zip(live, context.read(runs), strict=True):
            _require_numbers(logits)
            going.tokens.append(int(logits[0].argmax()))
            going.ending = find_ending(going.tokens, len(going.tokens) - 1, going.row.question, vocabulary)
        live = [going for going in live if going.ending is None]


def _said(going: _Going) -> Said:
    ending = going.ending or Ending("", 0, truncated=False)
    answer = Answer(
        text=ending.text,
        tokens=ending.tokens,
        truncated=ending.truncated,
        gold_logprob=going.gold[0],
        gold_tokens=going.gold[1],
        choice_logprobs=tuple(going.choices),
    )
    return Said(answer, tuple(going.tokens[: ending.tokens]))


def _require_numbers(logits: np.ndarray) -> None:
    if not np.isfinite(logits).all():
        raise CandidateError("the file's logits hold NaN or Inf")
