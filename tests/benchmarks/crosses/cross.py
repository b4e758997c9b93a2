"""What a cross and an adapter of it are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Pair = tuple[str, str]
ItemFields = dict[str, str]


@dataclass(frozen=True)
class Trained:
    """An adapter that is trained on (question, answer) pairs, plainly: no rounding of the base, and at full strength."""

    name: str
    pairs: Callable[[], list[Pair]]
    rank: int
    seed: int


@dataclass(frozen=True)
class RandomLike:
    """An adapter of noise, each of whose task vectors is as long as one of the quickstart's `adapter`."""

    name: str
    adapter: str
    seed: int


@dataclass(frozen=True)
class Cross:
    """Adapters of one base, and a task for their child.

    `items` takes a number of items and a seed, and gives the fields `question`, `answer` (the bare number) and `gold`;
    `language` is what answers must be in, None for any.
    """

    name: str
    title: str
    adapters: tuple[Trained | RandomLike, ...]
    items: Callable[[int, int], list[ItemFields]]
    language: str | None
