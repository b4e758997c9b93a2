"""Search, validation and test items: disjoint, and drawn by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.items import Item

SPLITS = ("search", "validation", "test")


@dataclass(frozen=True)
class ItemSplits:
    """What the search scores on, what picks among its best, and what it never sees.

    `notes` are lines on how the files were read: what answers mean, how many items repeat others. `hashes` are those of all
    items of each file and dataset that were read for the splits, by the key that names it (`item_hashes`).
    """

    search: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Kept:
    """The items of each file that are asked. `repeats` were left out because an earlier one of their file asks the same;
    `doubtful` because another answers the same question differently, of which `pairs` are the places of two each; `shared`
    because a later split's file asks the same."""

    files: tuple[tuple[Item, ...], ...]
    repeats: int = 0
    doubtful: int = 0
    pairs: tuple[tuple[str, str], ...] = ()
    shared: int = 0


def without_repeats(
    files: Sequence[Sequence[Item]], question: Callable[[Item], Hashable], answer: Callable[[Item], Hashable]
) -> Kept:
    """The files' items, each `question` once: nobody knows which is right of two that `answer` it differently, so that neither
    is asked; and what one of `files`, those of search, validation and test, asks is asked in the last of them that has it."""
    of_question: dict[Hashable, list[Item]] = {}
    for item in (item for file in files for item in file):
        of_question.setdefault(question(item), []).append(item)
    doubtful = {asked: items for asked, items in of_question.items() if len({answer(item) for item in items}) > 1}
    places = [(items[0], next(other for other in items if answer(other) != answer(items[0]))) for items in doubtful.values()]
    taken, kept, repeats, shared = set(doubtful), [], 0, 0
    for file in reversed(files):
        own: dict[Hashable, Item] = {}
        for item in file:
            asked = question(item)
            if asked in doubtful:
                continue
            if asked in taken:
                shared += 1
            elif asked in own:
                repeats += 1
            else:
                own[asked] = item
        taken.update(own)
        kept.append(tuple(own.values()))
    pairs = tuple((first.origin, second.origin) for first, second in places)
    return Kept(tuple(reversed(kept)), repeats, sum(map(len, doubtful.values())), pairs, shared)
