"""Questions as rows of tokens, and rows as batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.answering.pictures import PictureTokens
from evomerge_quant.resident.answering.vocabulary import Vocabulary


@dataclass(frozen=True)
class QuestionRow:
    """A question in tokens. `gold` ends with the end token ([] for none); `index` is the question's place in the call; `turns`
    [3, tokens] are the prompt's positions where they have three parts, `shown` says which picture each of its tokens shows
    where a picture's tokens see each other."""

    index: int
    question: Question
    prompt: list[int]
    gold: list[int]
    choices: tuple[list[int], ...]
    turns: Tensor | None = None
    shown: list[int] | None = None

    @property
    def shift(self) -> int:
        """What the position of a token after the prompt is, less the number of tokens before it."""
        return 0 if self.turns is None else int(self.turns.max()) + 1 - len(self.prompt)

    @property
    def branches(self) -> tuple[list[int], ...]:
        """What may follow the prompt, each of at least one token, the gold answer first."""
        return tuple(branch for branch in (self.gold, *self.choices) if branch)

    @property
    def generates(self) -> bool:
        """Whether the model is to write an answer of its own."""
        return not self.question.choices and self.question.max_new_tokens > 0

    @property
    def read_tokens(self) -> int:
        """Tokens that are read at once: the prompt and all branches but for their last tokens, which nothing follows."""
        return len(self.prompt) + sum(len(branch) - 1 for branch in self.branches)

    @property
    def most_tokens(self) -> int:
        """The most tokens that the row can come to."""
        return self.read_tokens + (self.question.max_new_tokens if self.generates else 0)


def make_rows(
    questions: Sequence[Question], vocabulary: Vocabulary, most_positions: int, pictures: PictureTokens | None = None
) -> list[QuestionRow]:
    """One row per question. InputError for a prompt without tokens, or a row longer than the model's positions; ValueError for
    a question that shows a picture that `pictures` lacks."""
    rows = [_row(index, question, vocabulary, pictures) for index, question in enumerate(questions)]
    for row in rows:
        start = repr(row.question.prompt[:40])
        if not row.prompt:
            raise InputError(f"the prompt {start} has no tokens; give it some text")
        if row.most_tokens > most_positions:
            raise InputError(
                f"the prompt {start} with its answer may take {row.most_tokens} tokens, but the model has"
                f" {most_positions} positions; shorten it or lower max_new_tokens"
            )
    return rows


def common_prefix(rows: Sequence[QuestionRow]) -> list[int]:
    """The tokens that all prompts begin with; at least one token of each prompt is left out."""
    first = min(row.prompt for row in rows)
    last = max(row.prompt for row in rows)
    shared = [a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))]
    return shared[: min(len(row.prompt) for row in rows) - 1]


def batches(rows: Sequence[QuestionRow], skipped: int, most_rows: int, most_tokens: int) -> Iterator[list[QuestionRow]]:
    """Rows of about the same length together, longest first: at most `most_rows`, and `most_tokens` with padding.

    The first `skipped` tokens of each row are not counted. A row that is longer than `most_tokens` is a batch of its own.
    """
    batch: list[QuestionRow] = []
    for row in sorted(rows, key=lambda row: (-row.read_tokens, row.index)):
        longest = (batch or [row])[0].read_tokens - skipped
        if batch and (len(batch) == most_rows or (len(batch) + 1) * longest > most_tokens):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _row(index: int, question: Question, vocabulary: Vocabulary, pictures: PictureTokens | None) -> QuestionRow:
    special = question.add_special_tokens
    prompt = vocabulary.encode(question.prompt, special=special)

    def after(text: str) -> list[int]:
        return vocabulary.continuation(question.prompt, prompt, text, special=special) if text else []

    end = [] if vocabulary.end is None else [vocabulary.end]
    gold = after(question.gold) + end if question.gold else []
    choices = tuple(after(choice) for choice in question.choices)
    if pictures is not None:
        prompt = pictures.placed(prompt, question.pictures)
    elif question.pictures:
        raise ValueError(f"the picture {question.pictures[0][:12]} hasn't been seen")
    if pictures is None:
        return QuestionRow(index, question, prompt, gold, choices)
    return QuestionRow(index, question, prompt, gold, choices, pictures.turns(prompt), pictures.shown(prompt))
