"""A GGUF file answers questions as the resident model does: greedy text and log-likelihoods, many rows at once.

The rows of a group are sequences of one context. What all prompts begin with is read once; each of a prompt's branches (the
gold answer, the choices) is a fork of it. Where the model's most likely tokens are the gold ones, they begin its own answer:
its generation continues in the gold answer's fork.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer, CandidateError, Question
from evomerge_quant.llama.context import MOST_SEQUENCES, UBATCH, LlamaContext, TokenRun
from evomerge_quant.llama.distributions import log_softmax
from evomerge_quant.llama.model import LlamaModel
from evomerge_quant.llama.vocabulary import gguf_vocabulary
from evomerge_quant.resident.answering.ending import Ending, find_ending
from evomerge_quant.resident.answering.rows import QuestionRow, batches, common_prefix, make_rows
from evomerge_quant.resident.answering.vocabulary import Vocabulary

# A batch's logits are float32: 64 MiB.
LOGITS_AT_ONCE = 2**24
# Rows that are answered together, and tokens of theirs that are read together. All tokens of a group attend over all of the
# group's cells, so larger groups are slower on a CPU.
_MOST_ROWS = 16
_MOST_TOKENS = 1024
_PREFIX = 0  # the sequence that holds what all prompts begin with


@dataclass(frozen=True)
class GgufAnswer:
    """An answer, and the tokens that the model wrote, the end token included."""

    answer: Answer
    tokens: tuple[int, ...]


@dataclass
class _RowState:
    """A row that is being answered: the sequence of its answer, the answer's tokens so far, and what its branches gave."""

    row: QuestionRow
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
        rows = make_rows(questions, self.vocabulary, self.model.training_context)
        return [written.answer for written in answer_rows(self.model, rows, self.vocabulary)] if rows else []


def answer_rows(model: LlamaModel, rows: Sequence[QuestionRow], vocabulary: Vocabulary) -> list[GgufAnswer]:
    """Answers in the order of the rows' indices."""
    prefix = common_prefix(rows)
    groups = list(_groups(rows, len(prefix)))
    written: dict[int, GgufAnswer] = {}
    with _context(model, groups, len(prefix)) as context:
        context.read([TokenRun(_PREFIX, 0, prefix)])
        for group in groups:
            written.update(
                (state.row.index, _written(state)) for state in _answer_group(context, group, len(prefix), vocabulary)
            )
    return [written[index] for index in range(len(rows))]


def batch_tokens(model: LlamaModel) -> int:
    """Tokens that are read at once: their logits, if all are wanted, are at most `LOGITS_AT_ONCE`."""
    return max(16, min(UBATCH, LOGITS_AT_ONCE // model.vocabulary_size))


def _groups(rows: Sequence[QuestionRow], skipped: int) -> Iterator[list[QuestionRow]]:
    """Rows that fit into one context's sequences: one each, one for each branch, and the prefix."""
    widest = max(rows, key=lambda row: len(row.branches))
    most = (MOST_SEQUENCES - 1) // (1 + len(widest.branches))
    if not most:
        raise InputError(
            f"the prompt {widest.question.prompt[:40]!r} has {len(widest.choices)} choices; at most {MOST_SEQUENCES - 3} "
            "can be rated at once"
        )
    return batches(rows, skipped, min(_MOST_ROWS, most), _MOST_TOKENS)


def _context(model: LlamaModel, groups: Sequence[Sequence[QuestionRow]], prefix: int) -> LlamaContext:
    cells = prefix + max(sum(row.most_tokens - prefix for row in group) for group in groups)
    sequences = 1 + max(sum(1 + len(row.branches) for row in group) for group in groups)
    return LlamaContext(model, cells=cells, sequences=sequences, batch=batch_tokens(model))


def _answer_group(context: LlamaContext, rows: Sequence[QuestionRow], skipped: int, vocabulary: Vocabulary) -> list[_RowState]:
    first = _read_prompts(context, rows, skipped)
    group = _read_branches(context, rows, first, vocabulary)
    _generate(context, group, vocabulary)
    for sequence in range(1, 1 + sum(1 + len(row.branches) for row in rows)):
        context.cut(sequence, 0)
    return group


def _read_prompts(context: LlamaContext, rows: Sequence[QuestionRow], skipped: int) -> list[np.ndarray]:
    """Prompts into the sequences 1 to n; the logits after each."""
    runs = []
    for sequence, row in enumerate(rows, 1):
        context.fork(_PREFIX, sequence)
        runs.append(TokenRun(sequence, skipped, row.prompt[skipped:], wanted=1))
    return [logits[0] for logits in context.read(runs)]


def _read_branches(
    context: LlamaContext, rows: Sequence[QuestionRow], first: Sequence[np.ndarray], vocabulary: Vocabulary
) -> list[_RowState]:
    """Every branch into a fork of its prompt, and what each row begins with."""
    runs: list[TokenRun] = []
    for sequence, row in enumerate(rows, 1):
        for branch in row.branches:
            fork = 1 + len(rows) + len(runs)
            context.fork(sequence, fork)
            runs.append(TokenRun(fork, len(row.prompt), branch[:-1], wanted=len(branch) - 1))
    read = iter(zip(runs, context.read(runs), strict=True))
    return [
        _start(context, row, sequence, logits, [next(read) for _ in row.branches], vocabulary)
        for sequence, (row, logits) in enumerate(zip(rows, first, strict=True), 1)
    ]


def _start(
    context: LlamaContext,
    row: QuestionRow,
    sequence: int,
    first: np.ndarray,
    branches: Sequence[tuple[TokenRun, np.ndarray]],
    vocabulary: Vocabulary,
) -> _RowState:
    judged = [
        _judge(np.concatenate([first[None], logits]), branch)
        for branch, (_, logits) in zip(row.branches, branches, strict=True)
    ]
    state = _RowState(row, sequence, [int(first.argmax())], None)
    state.choices = [totals for totals, _ in judged]
    if row.gold:
        state.gold, most_likely = state.choices.pop(0), judged[0][1]
        agreed = _agreed(most_likely, row.gold)
        if agreed and context.cut(branches[0][0].sequence, len(row.prompt) + agreed):
            state.sequence, state.tokens = branches[0][0].sequence, most_likely[: agreed + 1]
    if row.generates:
        state.ending = find_ending(state.tokens, 0, row.question, vocabulary)
    return state


def _judge(logits: np.ndarray, branch: Sequence[int]) -> tuple[tuple[float, int], list[int]]:
    """A branch's summed log-probability and its tokens, and the most likely token at each of its places."""
    _require_numbers(logits)
    logprobs = log_softmax(logits)[np.arange(len(branch)), branch]
    return (float(logprobs.sum()), len(branch)), [int(token) for token in logits.argmax(axis=-1)]


def _agreed(most_likely: Sequence[int], gold: Sequence[int]) -> int:
    """How many of the model's tokens are the gold ones from the start; the last gold token, the end, is not counted."""
    agreed = [own == wanted for own, wanted in zip(most_likely, gold[:-1], strict=False)]
    return agreed.index(False) if False in agreed else len(agreed)


def _generate(context: LlamaContext, group: Sequence[_RowState], vocabulary: Vocabulary) -> None:
    """Every row's next token at once, until each has ended."""
    live = [state for state in group if state.row.generates and state.ending is None]
    while live:
        runs = [TokenRun(g.sequence, len(g.row.prompt) + len(g.tokens) - 1, g.tokens[-1:], wanted=1) for g in live]
        for state, logits in zip(live, context.read(runs), strict=True):
            _require_numbers(logits)
            state.tokens.append(int(logits[0].argmax()))
            state.ending = find_ending(state.tokens, len(state.tokens) - 1, state.row.question, vocabulary)
        live = [state for state in live if state.ending is None]


def _written(state: _RowState) -> GgufAnswer:
    ending = state.ending or Ending("", 0, truncated=False)
    answer = Answer(
        text=ending.text,
        tokens=ending.tokens,
        truncated=ending.truncated,
        gold_logprob=state.gold[0],
        gold_tokens=state.gold[1],
        choice_logprobs=tuple(state.choices),
    )
    return GgufAnswer(answer, tuple(state.tokens[: ending.tokens]))


def _require_numbers(logits: np.ndarray) -> None:
    if not np.isfinite(logits).all():
        raise CandidateError("the file's logits hold NaN or Inf")
