"""One item of a task, and its name, which comes from its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """`fields` by name (text, or several texts); `origin` says where it was read (`file:line`) and isn't compared."""

    id: str
    fields: Mapping[str, Value]
    origin: str = field(default="", compare=False)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a field: one, or all of a list. Raises `KeyError` when the item has no such field."""
        value = self.fields[name]
        return (value,) if isinstance(value, str) else value


def make_item(fields: Mapping[str, Value], origin: str = "") -> Item:
    """An item whose id is the first 16 hex digits of its fields' sha256: the same content gives the same id anywhere."""
    content = json.dumps(dict(sorted(fields.items())), ensure_ascii=False, separators=(",", ":"))
    return Item(hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16], dict(fields), origin)
