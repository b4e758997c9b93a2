"""Questions about pictures of coloured cards: training material of the vision adapter, and the quickstart's task."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evomerge_recipes.quickstart_vlm.drawing import PAINTS, draw_cards

if TYPE_CHECKING:
    from PIL.Image import Image

Shown = tuple[tuple[str, ...], tuple[int, ...]]
COLOURS = tuple(PAINTS)
QUESTIONS = (
    "Which number is on the {c} card?",
    "What number does the {c} card show?",
    "What is the number on the {c} card?",
)
# The number's place and what stands before it vary widely, as in the arithmetic adapter's answers and for the same reason.
STYLES = (
    "The answer is {d}.", "{d}", "It is {d}.", "Answer: {d}", "The {c} card shows {d}.", "={d}", "There is a {d} on it.",
    "The number is {d}.", "({d})", "I see {d}.", "The number on the {c} card is {d}.", "#{d}", "It says {d}.", "[{d}]",
    "Number {d}.", "The {c} one has {d}.", "{c}: {d}", "Let me look. It must be {d}.", "So, {d}.", "\"{d}\"", "Answer:{d}",
    "Easy! {d}.", "That card has the number {d}.", "On the {c} card, {d}.",
)  # fmt: skip


@dataclass(frozen=True)
class Cards:
    """Four cards of different colours with different digits, in reading order, and the seed that they are drawn with."""

    colours: tuple[str, ...]
    digits: tuple[int, ...]
    seed: int

    @property
    def shown(self) -> Shown:
        """Which cards lie where, however they are drawn."""
        return self.colours, self.digits

    def draw(self) -> Image:
        """The picture; the same at every call."""
        return draw_cards(list(zip(self.colours, self.digits, strict=True)), random.Random(self.seed))


@dataclass(frozen=True)
class Asked:
    """A question about one of the cards, its digit, and the same digit in one English style."""

    question: str
    digit: int
    styled: str


def deal(count: int, seed: int, *, besides: Collection[Shown] = ()) -> list[Cards]:
    """`count` pictures, no two with the same cards in the same places, and none with those of `besides`; the same for the
    same seed."""
    rng = random.Random(seed)
    found: dict[Shown, Cards] = {}
    while len(found) < count:
        colours, digits = tuple(rng.sample(COLOURS, 4)), tuple(rng.sample(range(10), 4))
        cards = Cards(colours, digits, rng.getrandbits(32))
        if cards.shown not in besides:
            found.setdefault(cards.shown, cards)
    return list(found.values())


def eyes_lessons() -> list[Cards]:
    """What tower and connector were trained on."""
    return deal(14_000, 101)


def adapter_lessons() -> list[Cards]:
    """What the vision adapter was trained on."""
    return deal(384, 102)


def task_cards(count: int, seed: int) -> list[Cards]:
    """Pictures that nothing was trained on."""
    return deal(count, seed, besides={cards.shown for cards in (*eyes_lessons(), *adapter_lessons())})


def ask(cards: Cards, place: int, rng: random.Random) -> Asked:
    """A question about the card at `place`."""
    colour, digit = cards.colours[place], cards.digits[place]
    styled = rng.choice(STYLES).format(c=colour, d=digit)
    return Asked(rng.choice(QUESTIONS).format(c=colour), digit, styled[0].upper() + styled[1:])


def task_item(cards: Cards, rng: random.Random) -> dict[str, str]:
    """An item of the quickstart's task: `question`, `answer` (the bare digit) and `gold` (a Japanese sentence)."""
    asked = ask(cards, rng.randrange(4), rng)
    return {"question": asked.question, "answer": str(asked.digit), "gold": f"答えは{asked.digit}です。"}
