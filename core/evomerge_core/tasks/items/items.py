"""One item of a task, and its name, which comes from its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.pictures import ItemPicture

Value = str | tuple[str, ...]
# No model reads so long a text.
_MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Unread:
    """Why a column gave an item no field, as in "it is empty", and what to do about it."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Item:
    """`fields` by name (text, or several texts); the rest says where they come from, and isn't compared.

    `origin` is where the item was read (`file:line`). `numbers` names the fields that were numbers in the file, `unread` the
    columns that hold no text. `right` is the place of the correct choice, from 0, once the whole column of answers was read.
    `pictures` are what it shows, in their order.
    """

    id: str
    fields: Mapping[str, Value]
    origin: str = field(default="", compare=False)
    numbers: frozenset[str] = field(default=frozenset(), compare=False)
    unread: Mapping[str, Unread] = field(default_factory=dict, compare=False)
    right: int | None = field(default=None, compare=False)
    pictures: tuple[ItemPicture, ...] = ()

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a field: one, or all of a list. Raises `KeyError` when the item has no such field."""
        value = self.fields[name]
        return (value,) if isinstance(value, str) else value


def make_item(
    fields: Mapping[str, Value],
    origin: str = "",
    *,
    numbers: Collection[str] = (),
    unread: Mapping[str, Unread] | None = None,
    pictures: tuple[ItemPicture, ...] = (),
) -> Item:
    """An item whose id is the first 16 hex digits of the sha256 of its fields and pictures: the same content gives the same id
    anywhere.

    Raises InputError for a text that is too long to be asked.
    """
    long = next((name for name, value in fields.items() if _length(value) > _MOST_CHARACTERS), None)
    if long is not None:
        problem = f"the field `{long}` has {_length(fields[long]):,} characters, where at most {_MOST_CHARACTERS:,} are asked"
        raise InputError(problem, where=origin, remedy="shorten it or remove the row")
    content = json.dumps(dict(sorted(fields.items())), ensure_ascii=False, separators=(",", ":"))
    content += "".join(f"|{picture.sha256}" for picture in pictures)
    name = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Item(name, dict(fields), origin, frozenset(numbers), dict(unread or {}), pictures=pictures)


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str) else sum(map(len, value))


def hash_items(items: Iterable[Item]) -> str:
    """The sha256 of items in their order, by content; a number isn't the text that it is written with."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.id}|{','.join(sorted(item.numbers))}\n".encode())
    return digest.hexdigest()
