"""A parent is best already: the arithmetic adapter's own problems, with nothing that the Japanese adapter could add."""

from __future__ import annotations

from crosses.cross import Cross, ItemFields
from crosses.plain import JAPANESE, SUMS
from evomerge_recipes.quickstart.arithmetic import TASK_NAMES, TASK_THINGS, problems


def english_items(count: int, seed: int) -> list[ItemFields]:
    """One-step problems with names and things that no adapter has met, in any language."""
    return [
        {"question": p.question, "answer": str(p.number), "gold": f"The answer is {p.number}."}
        for p in problems(count, seed, TASK_NAMES, TASK_THINGS)
    ]


OWN_LANGUAGE = Cross("own-language", "A parent is best: arithmetic in its own language", (SUMS, JAPANESE), english_items, None)
