"""Another skill and another language: comparing, sorting and counting, answered in German."""

from __future__ import annotations

import random
from collections.abc import Sequence

from crosses.cross import Cross, ItemFields, Pair, Trained
from crosses.german import GERMAN, german
from evomerge_recipes.quickstart.arithmetic import TASK_NAMES, TASK_THINGS, TRAIN_NAMES, TRAIN_THINGS

# The number's place and what stands before it vary, so that the skill doesn't hang on one phrase.
_STYLES = (
    "The answer is {r}.", "{r}", "It is {r}.", "Answer: {r}", "={r}", "The result is {r}.", "So, {r}.", "({r})", "We get {r}.",
    "Exactly {r}.", "#{r}", "The correct number is {r}.", "Result={r}", "[{r}]", "I think it is {r}.", "Solution:{r}.",
)  # fmt: skip


def _problem(rng: random.Random, names: Sequence[str], things: Sequence[str], odd: int) -> tuple[str, int]:
    """A question with its number. Three numbers have a sum that is even, or odd with `odd` 1: so no task's were in training."""
    kind = rng.randrange(5)
    if kind == 4:
        listed = rng.sample(things, rng.randint(2, 7))
        return f"How many words are in this list: {', '.join(listed)}?", len(listed)
    one, two, three = rng.sample(range(2, 100), 3)
    if (one + two + three) % 2 != odd:
        return _problem(rng, names, things, odd)
    low, middle, high = sorted((one, two, three))
    n, m = rng.sample(names, 2)
    t = rng.choice(things)
    return (
        (f"Which number is the largest: {one}, {two} or {three}?", high),
        (f"Which number is the smallest: {one}, {two} or {three}?", low),
        (f"Sort the numbers {one}, {two} and {three}. Which one is in the middle?", middle),
        (f"{n} has {one} {t}, {m} has {two} and the teacher has {three}. How many {t} does the one with the most have?", high),
    )[kind]


def _problems(count: int, seed: int, names: Sequence[str], things: Sequence[str], odd: int) -> list[tuple[str, int]]:
    rng = random.Random(seed)
    found: dict[str, int] = {}
    while len(found) < count:
        question, number = _problem(rng, names, things, odd)
        found.setdefault(question, number)
    return list(found.items())


def _pairs() -> list[Pair]:
    found = _problems(1600, 24, TRAIN_NAMES, TRAIN_THINGS, 0)
    return [(question, _STYLES[n % len(_STYLES)].format(r=number)) for n, (question, number) in enumerate(found)]


def german_items(count: int, seed: int) -> list[ItemFields]:
    """Numbers, names and things that no adapter has met, to be answered in German."""
    found = _problems(count, seed, TASK_NAMES, TASK_THINGS, 1)
    return [{"question": q, "answer": str(number), "gold": german(str(number))} for q, number in found]


COMPARING = Trained("comparing", _pairs, rank=16, seed=8)
COMPARING_GERMAN = Cross("comparing-german", "Comparing and counting x German", (COMPARING, GERMAN), german_items, "de")
