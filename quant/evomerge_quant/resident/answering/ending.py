"""When an answer is over, and its text."""

from __future__ import annotations

from dataclasses import dataclass

from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.answering.vocabulary import Vocabulary


@dataclass(frozen=True)
class Ending:
    """A finished answer: its text up to the stop string, how many tokens it took, and whether the limit ended it."""

    text: str
    tokens: int
    truncated: bool


def find_ending(tokens: list[int], checked: int, question: Question, vocabulary: Vocabulary) -> Ending | None:
    """The answer's end, if `tokens` has come to it: an end token, a stop string, a decided score, or the question's limit.

    The first `checked` tokens are known not to end it.
    """
    for count in range(checked + 1, len(tokens) + 1):
        if tokens[count - 1] in vocabulary.ends:
            return Ending(vocabulary.decode(tokens[: count - 1]), count, truncated=False)
        if (text := _stopped(tokens[:count], question, vocabulary)) is not None:
            return Ending(text, count, truncated=False)
        if count == question.max_new_tokens:
            return Ending(vocabulary.decode(tokens[:count]), count, truncated=True)
    return None


def _stopped(tokens: list[int], question: Question, vocabulary: Vocabulary) -> str | None:
    if not question.stop and question.decision is None:
        return None
    text = vocabulary.decode(tokens)
    places = [text.find(stop) for stop in question.stop if stop in text]
    if places:
        return text[: min(places)]
    return text if question.decision is not None and question.decision.made(text) else None
