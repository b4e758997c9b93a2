"""Which items a generation's race is run on, and in how many steps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

FEWEST = 4  # a rung of fewer items says next to nothing
# Fewer than these drop so few candidates (on five items one in ten) that the others' second pass costs more than is saved.
_PAYS_FROM = 8
# Of a split's items, what the last rung takes: with few items and many generations a search comes as far as with many items
# and few, for less (depth over fidelity); a little below a quarter leaves room for what else is asked.
_SHARE = 0.22


def last_rung(items: int) -> int:
    """The usual number of items in the last rung, out of those that there are."""
    return min(items, max(FEWEST, round(_SHARE * items)))


def rung_sizes(last: int, *, first: int | None = None, load_items: float = 0.0) -> tuple[int, ...]:
    """Items after each rung: `first`, then twice as many each time, up to `last`.

    A rung begins with merging and loading, which takes as long as `load_items` answers: no rung asks fewer, nor fewer than
    eight, unless `first` is given.
    """
    least = FEWEST if first else max(_PAYS_FROM, round(load_items))
    sizes = [min(last, first or least)]
    while sizes[-1] < last:
        sizes.append(min(2 * sizes[-1], last))
    if len(sizes) > 1 and sizes[-1] - sizes[-2] < least:
        del sizes[-2]
    return tuple(sizes)


def draw(items: Sequence[str], count: int, *, key: str, generation: int) -> tuple[str, ...]:
    """The names of the `count` items of a generation, in the order in which rungs take them.

    Generations take one block after the other of a shuffled list, shuffled anew (by sha256 of key, round and name) when it
    is used up: no item comes again before as many as possible of the others have come.
    """
    blocks = max(1, len(items) // count)
    turn, block = divmod(generation, blocks)

    def place(name: str) -> bytes:
        return hashlib.sha256(f"race|{key}|{turn}|{name}".encode()).digest()

    return tuple(sorted(items, key=place)[block * count : (block + 1) * count])
