"""Every score stays low: two-step problems for an adapter that has learnt one-step problems, answered in Japanese."""

from __future__ import annotations

import random

from crosses.cross import Cross, ItemFields
from crosses.plain import JAPANESE, SUMS, japanese
from evomerge_recipes.quickstart.arithmetic import TASK_NAMES, TASK_THINGS

_TEMPLATES = (
    "{n} has {a} {t}, buys {b} more and gives away {c}. How many {t} does {n} have left?",
    "There are {a} {t} on the table. {n} puts {b} more there, then takes {c} away. How many {t} are on the table?",
    "{n} found {a} {t} in the morning and {b} in the afternoon, and lost {c}. How many {t} are left?",
    "{n} gets {a} {t} on Monday and {b} on Tuesday. The children take {c} of them. How many {t} does {n} keep?",
)


def two_step_items(count: int, seed: int) -> list[ItemFields]:
    """`count` different problems a + b - c, the same for the same seed; the result lies between 1 and 17."""
    rng = random.Random(seed)
    found: dict[str, ItemFields] = {}
    while len(found) < count:
        a, b = rng.randint(1, 9), rng.randint(1, 9)
        c = rng.randint(1, min(9, a + b - 1))
        text = rng.choice(_TEMPLATES).format(n=rng.choice(TASK_NAMES), t=rng.choice(TASK_THINGS), a=a, b=b, c=c)
        number = str(a + b - c)
        found.setdefault(text, {"question": text, "answer": number, "gold": japanese(number)})
    return list(found.values())


TWO_STEPS = Cross("two-steps", "Arithmetic x Japanese, on problems of two steps", (SUMS, JAPANESE), two_step_items, "ja")
