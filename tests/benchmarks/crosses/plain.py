"""Arithmetic x Japanese as the quickstart's, with adapters that were trained otherwise: fewer steps, other ranks, few plain
answer styles, another Japanese phrase.
"""

from __future__ import annotations

from crosses.cross import Cross, ItemFields, Pair, Trained
from evomerge_recipes.quickstart import everyday
from evomerge_recipes.quickstart.arithmetic import TASK_NAMES, TASK_THINGS, TRAIN_NAMES, TRAIN_THINGS, Problem, problems

_STYLES = ("The answer is {r}.", "{r}", "{r} {t}.", "It is {r}.")


def _sums() -> list[Pair]:
    """One-step problems; which of the plain styles an answer has goes round."""
    found = problems(2400, 21, TRAIN_NAMES, TRAIN_THINGS)
    return [(p.question, _STYLES[n % len(_STYLES)].format(r=p.number, t=_thing(p))) for n, p in enumerate(found)]


def _thing(problem: Problem) -> str:
    return next(thing for thing in TRAIN_THINGS if f" {thing}" in problem.question)


def _japanese() -> list[Pair]:
    """The quickstart's everyday questions, others of them, with another phrase."""
    before, after = everyday.answer_sentence("|").split("|")
    pairs = everyday.training_pairs(1600, 22)
    return [(question, japanese(answer.removeprefix(before).removesuffix(after))) for question, answer in pairs]


def japanese(answer: str) -> str:
    """The phrase that the Japanese adapter answers in. Something must stand before the answer: an adapter that begins with it
    leaves the arithmetic no place to tell that the language is Japanese."""
    return f"正解は{answer}です。"


def japanese_items(count: int, seed: int) -> list[ItemFields]:
    """One-step problems with names and things that no adapter has met, to be answered in Japanese."""
    return [
        {"question": p.question, "answer": str(p.number), "gold": japanese(str(p.number))}
        for p in problems(count, seed, TASK_NAMES, TASK_THINGS)
    ]


SUMS = Trained("sums", _sums, rank=8, seed=3)
JAPANESE = Trained("japanese", _japanese, rank=8, seed=4)
PLAIN = Cross("plain", "Arithmetic x Japanese, trained otherwise", (SUMS, JAPANESE), japanese_items, "ja")
