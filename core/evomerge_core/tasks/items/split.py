"""Search, validation and test items: disjoint, and drawn by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.items import Item

SPLITS = ("search", "validation", "test")


@dataclass(frozen=True)
class ItemSplits:
    """What the search scores on, what picks among its best, and what it never sees.

    `notes` are lines on how the files were read: what answers mean, how many items repeat others.
    """

    search: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]
    notes: tuple[str, ...] = ()


def split_items(items: Sequence[Item], *, search: int, validation: int, test: int, seed: int, task: str = "task") -> ItemSplits:
    """Draws the three splits, numbers of items, by the order of sha256("SEED|ITEM ID").

    The order of two items depends on nothing but their content and the seed; test is drawn first, then validation, then
    search, so that neither the file's order nor a larger search size moves an item into test. Raises `InputError` when
    there are too few items.
    """
    wanted = search + validation + test
    if wanted > len(items):
        raise InputError(
            f"the splits need {wanted} items (search {search}, validation {validation}, test {test}), "
            f"but there are {len(items)}",
            where=task,
            remedy="lower the sizes or add items",
        )
    drawn = sorted(items, key=lambda item: hashlib.sha256(f"{seed}|{item.id}".encode()).digest())
    return ItemSplits(
        test=tuple(drawn[:test]),
        validation=tuple(drawn[test : test + validation]),
        search=tuple(drawn[test + validation : wanted]),
    )


def without_repeats(
    items: Sequence[Item], question: Callable[[Item], Hashable], answer: Callable[[Item], Hashable]
) -> tuple[Item, ...]:
    """The items without those that ask an earlier one's `question` again.

    Raises `InputError` that names both places when the `answer` differs: nobody knows which is right.
    """
    seen: dict[Hashable, Item] = {}
    kept = []
    for item in items:
        first = seen.setdefault(question(item), item)
        if first is item:
            kept.append(item)
        elif answer(first) != answer(item):
            problem = f"the same question as {first.origin}, with another answer"
            raise InputError(problem, where=item.origin, remedy="remove one of the two items")
    return tuple(kept)


def refuse_shared(parts: Sequence[Sequence[Item]], question: Callable[[Item], Hashable]) -> None:
    """Raises `InputError` that names both places when two of the splits' files ask the same `question`."""
    seen: dict[Hashable, Item] = {}
    for item in (item for part in parts for item in part):
        first = seen.setdefault(question(item), item)
        if first is not item:
            raise InputError(f"the same question as {first.origin}", where=item.origin, remedy="remove one of the two items")
