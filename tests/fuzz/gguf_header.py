"""Where the numbers and texts of a GGUF's header lie, by the format's description (ggml, docs/gguf.md)."""

from __future__ import annotations

import struct
from typing import NamedTuple

# Bytes of a value by its type; texts and lists have lengths of their own.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _LIST = 8, 9
# Of a list, the first items are enough to change one.
_MOST_ITEMS = 3


class Place(NamedTuple):
    """A number of `size` bytes, or the bytes of a text; `name` says whose."""

    name: str
    at: int
    size: int
    is_text: bool = False


def header_places(data: bytes) -> list[Place]:
    """All places of a sound file's header."""
    tensors, values = struct.unpack_from("<QQ", data, 8)
    places = [Place("magic", 0, 4), Place("version", 4, 4), Place("tensors", 8, 8), Place("values", 16, 8)]
    at = 24
    for _ in range(values):
        key, at = _text(data, at)
        places += _of_name("key", key, at)
        (kind,) = struct.unpack_from("<I", data, at)
        places.append(Place(f"{key} type", at, 4))
        found, at = _value(data, at + 4, kind, key)
        places += found
    for _ in range(tensors):
        name, at = _text(data, at)
        places += _of_name("tensor", name, at)
        (dimensions,) = struct.unpack_from("<I", data, at)
        sizes = (4, *[8] * dimensions, 4, 8)
        words = ("dimensions", *["size"] * dimensions, "type", "offset")
        for word, size in zip(words, sizes, strict=True):
            places.append(Place(f"{name} {word}", at, size))
            at += size
    return places


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    return data[at + 8 : at + 8 + length].decode(), at + 8 + length


def _of_name(what: str, name: str, end: int) -> list[Place]:
    size = len(name.encode())
    return [Place(f"{what} {name} length", end - size - 8, 8), Place(f"{what} {name}", end - size, size, is_text=True)]


def _value(data: bytes, at: int, kind: int, key: str) -> tuple[list[Place], int]:
    if kind == _TEXT:
        _, end = _text(data, at)
        return [Place(f"{key} length", at, 8), Place(key, at + 8, end - at - 8, is_text=True)], end
    if kind != _LIST:
        return [Place(key, at, _SIZES[kind])], at + _SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    places, at = [Place(f"{key} items' type", at, 4), Place(f"{key} count", at + 4, 8)], at + 12
    for number in range(count):
        found, at = _value(data, at, inner, f"{key}[{number}]")
        places += found if number < _MOST_ITEMS else []
    return places, at
