"""How many tokens questions come to, counted with a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.answering.row_lengths import RowLengths


def question_texts(question: Question) -> tuple[str, ...]:
    """What a model reads of a question: the prompt, and whatever may follow it."""
    return question.prompt, question.gold, *question.choices


def row_lengths(question: Question, tokenizer: Any, shared: int) -> RowLengths:
    """The lengths of a question's row, of which all rows share so many tokens."""
    special = tokenizer.num_special_tokens_to_add() if question.add_special_tokens else 0
    prompt = _count(question.prompt, tokenizer) + special
    after = sum(_count(text, tokenizer) for text in (question.gold, *question.choices)) + bool(question.gold)  # the end token
    writes = 0 if question.choices else question.max_new_tokens
    return RowLengths(read=prompt + after, whole=prompt + writes if writes else 0, judged=max(1, after), shared=shared)


def shared_tokens(questions: Sequence[Question], tokenizer: Any) -> int:
    """The tokens that all prompts begin with."""
    first, last = (of(question.prompt for question in questions) for of in (min, max))
    return _count("".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))), tokenizer)


def _count(text: str, tokenizer: Any) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else 0
