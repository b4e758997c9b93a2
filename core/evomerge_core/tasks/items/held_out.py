"""Items that are left out because a held-out test has them too."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.errors import InputError
from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.items.items import Item

_ASCII_SIGNS = str.maketrans("‘’“”‐‑‒–—−", "''\"\"------")


def leave_out(items: Sequence[Item], held_out: Sequence[Item], *, name: str = "exclude") -> tuple[Item, ...]:
    """The items none of whose texts is the question of a held-out item.

    Case, width (NFKC), the shape of quotes and dashes, and runs of white space don't hide an item.
    A translated item is found by the original question, when the item carries it in any field: MGSM's English file finds
    the 250 GSM8K test problems that MGSM translates. Raises `InputError` when nothing is left out, or nothing stays.
    """
    known = {_plain(text) for item in held_out for text in item.texts("question")}
    kept = tuple(item for item in items if not known.intersection(_plain_texts(item)))
    if len(kept) == len(items):
        raise InputError(
            f"none of its questions is among the {len(items)} items", where=name, remedy="remove the key or correct the file"
        )
    if not kept:
        raise InputError(f"it holds all {len(items)} items, none is left", where=name, remedy="use another file")
    return kept


def _plain_texts(item: Item) -> set[str]:
    return {_plain(text) for name in item.fields for text in item.texts(name)}


def _plain(text: str) -> str:
    return fold(text).translate(_ASCII_SIGNS)
