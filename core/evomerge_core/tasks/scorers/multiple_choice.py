"""Multiple choice by log-likelihood: nothing is generated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from evomerge_core.tasks.scorers.scorer import Expected, needs_reference, register

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


def _fault(expected: Expected) -> str:
    if not expected.references:
        return needs_reference(expected)
    if len(expected.choices) < 2:
        return f"fewer than two choices, {', '.join(map(repr, expected.choices))}; `choices` must be a list, as JSON has lists"
    if len(set(expected.choices)) < len(expected.choices):
        return "two equal choices; remove one"
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
    return float(ratings.index(max(ratings)) == expected.right)
