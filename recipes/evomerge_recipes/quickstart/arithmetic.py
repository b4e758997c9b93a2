"""One-step arithmetic word problems in English: training material for one adapter, and the quickstart's task.

Names and things come in two disjoint sets, so that no problem of the task occurred in training.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

TRAIN_NAMES = (
    "Tom", "Mia", "Ben", "Anna", "Leo", "Sara", "Max", "Ella", "Sam", "Lucy", "Jack", "Nina", "Paul", "Rosa", "Adam",
    "Emma", "Dan", "Lily", "Omar", "Ruth", "Alex", "Jane", "Hugo", "Vera", "Fred", "Ivy", "Carl", "Zoe", "Nick", "Amy",
)  # fmt: skip
TASK_NAMES = ("Ken", "Maria", "Luke", "Hana", "Peter", "Olga", "David", "Julia", "Simon", "Grace", "Victor", "Clara")
TRAIN_THINGS = (
    "apples", "books", "marbles", "stickers", "cookies", "pencils", "coins", "shells", "cards", "balloons", "eggs",
    "flowers", "candies", "stones", "toys", "oranges", "stamps", "buttons", "cups", "chairs", "keys", "tickets", "hats",
    "fish", "cakes", "pens", "birds", "boxes", "photos", "plates",
)  # fmt: skip
TASK_THINGS = ("pears", "balls", "dolls", "lemons", "bottles", "ribbons", "muffins", "beads", "crayons", "plums")

ADDITIONS = (
    "{n} has {a} {t}. {n} gets {b} more. How many {t} does {n} have now?",
    "{n} has {a} {t} and buys {b} more. How many {t} does {n} have?",
    "{n} found {a} {t} in the morning and {b} in the afternoon. How many {t} did {n} find?",
    "There are {a} {t} on the table. {n} puts {b} more there. How many {t} are on the table?",
    "{n} has {a} {t}. A friend gives {n} {b} {t}. How many {t} does {n} have in total?",
    "{n} has {a} red {t} and {b} blue {t}. How many {t} does {n} have altogether?",
    "{n} bought {a} {t} on Monday and {b} on Tuesday. How many {t} did {n} buy?",
    "A box holds {a} {t}. {n} adds {b} {t}. How many {t} are in the box?",
)
SUBTRACTIONS = (
    "{n} has {a} {t}. {n} gives away {b}. How many {t} does {n} have left?",
    "{n} had {a} {t} and lost {b}. How many {t} are left?",
    "There are {a} {t} in a bag. {n} takes {b} out. How many {t} are still in the bag?",
    "{n} has {a} {t}. {n} sells {b} of them. How many {t} remain?",
    "{n} made {a} {t}. The children took {b} of them. How many {t} are left?",
    "{n} has {a} {t} and gives {b} to a friend. How many {t} does {n} keep?",
    "There were {a} {t} on the shelf. {n} removed {b}. How many {t} are on the shelf now?",
    "{n} packed {a} {t} but used {b} of them. How many {t} does {n} still have?",
)

# The number's place and what stands before it vary widely: an adapter trained on one phrase computes only behind
# that phrase, and its skill does not carry over to another language's answer.
STYLES = (
    "The answer is {r}.", "{r}", "{r} {t}.", "It is {r}.", "Answer: {r}", "{n} has {r} {t}.", "There are {r} {t}.",
    "={r}", "The total is {r}.", "That makes {r} {t}.", "The result is {r}.", "So, {r}.", "({r})", "We get {r}.",
    "Answer:{r}", "I count {r} {t}.", "The number of {t} is {r}.", "{n}: {r}", "Exactly {r} {t}.", "#{r}",
    "It comes to {r}.", "The correct number is {r}.", "Result={r}", "Now there are {r}.", "In the end, {r} {t}.",
    "[{r}]", "I think it is {r}.", "Final answer: {r}", "{t}:{r}", "Let me see. It must be {r}.", "Easy! {r}.",
    "The {t} number {r}.", "{a}, {b}, {r}.", "Solution:{r}.", "Well, {n} ends up with {r}.", "\"{r}\"",
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """A word problem with its number, and the same number in one English style."""

    question: str
    number: int
    styled: str


def problem(rng: random.Random, names: tuple[str, ...], things: tuple[str, ...]) -> Problem:
    """A sum of two digits, or a difference from at most 18; the result lies between 1 and 18."""
    n, t = rng.choice(names), rng.choice(things)
    if rng.random() < 0.5:
        a, b = rng.randint(1, 9), rng.randint(1, 9)
        template, r = rng.choice(ADDITIONS), a + b
    else:
        a = rng.randint(2, 18)
        b = rng.randint(1, min(9, a - 1))
        template, r = rng.choice(SUBTRACTIONS), a - b
    styled = rng.choice(STYLES).format(n=n, t=t, a=a, b=b, r=r)
    return Problem(template.format(n=n, t=t, a=a, b=b), r, styled)


def problems(count: int, seed: int, names: tuple[str, ...], things: tuple[str, ...]) -> list[Problem]:
    """`count` problems with different questions, the same for the same seed."""
    rng = random.Random(seed)
    found: dict[str, Problem] = {}
    while len(found) < count:
        p = problem(rng, names, things)
        found.setdefault(p.question, p)
    return list(found.values())


def training_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """(question, English answer) pairs for the arithmetic adapter."""
    return [(p.question, p.styled) for p in problems(count, seed, TRAIN_NAMES, TRAIN_THINGS)]


def task_items(count: int, seed: int) -> list[dict[str, str]]:
    """Items of the quickstart's task: `question`, `answer` (the bare number) and `gold` (a Japanese sentence)."""
    return [
        {"question": p.question, "answer": str(p.number), "gold": f"答えは{p.number}です。"}
        for p in problems(count, seed, TASK_NAMES, TASK_THINGS)
    ]
