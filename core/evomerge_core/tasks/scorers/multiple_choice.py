"""Multiple choice by log-likelihood: nothing is generated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from evomerge_core.tasks.scorers.scorer import Expected, needs_reference, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


def right_choice(expected: Expected) -> int | None:
    """The index of the correct choice, None when the reference names none.

    The reference is a choice's text, else a letter (`A` is the first), else an index (0 is the first).
    """
    reference = expected.references[0].strip()
    texts = [choice.strip() for choice in expected.choices]
    if reference in texts:
        return texts.index(reference)
    index = -1
    if len(reference) == 1 and "A" <= reference.upper() <= "Z":
        index = ord(reference.upper()) - ord("A")
    elif reference.isdecimal():
        index = int(reference)
    return index if 0 <= index < len(texts) else None


def _fault(expected: Expected) -> str:
    if not expected.references:
        return needs_reference(expected)
    if len(expected.choices) < 2:
        return "fewer than two choices; correct `choices`"
    if len(set(expected.choices)) < len(expected.choices):
        return "two equal choices; remove one"
    if right_choice(expected) is None:
        return f"the answer {expected.references[0]!r} is none of the choices; use a choice's text, letter or index from 0"
    return ""


@register("multiple_choice", choices=True, fault=_fault)
def multiple_choice(answer: Answer, expected: Expected) -> float:
    """1 when the correct choice has the highest log-likelihood; of equal choices the first counts."""
    return _picked(answer, expected, lambda logprob, _tokens: logprob)


@register("multiple_choice_per_token", choices=True, fault=_fault)
def multiple_choice_per_token(answer: Answer, expected: Expected) -> float:
    """1 when the correct choice has the highest log-likelihood per token, which doesn't favour short choices."""
    return _picked(answer, expected, lambda logprob, tokens: logprob / max(tokens, 1))


def _picked(answer: Answer, expected: Expected, rating: Callable[[float, int], float]) -> float:
    ratings = [rating(*choice) for choice in answer.choice_logprobs]
    if not ratings or any(math.isnan(value) for value in ratings):
        return 0.0
    return float(ratings.index(max(ratings)) == right_choice(expected))
