"""One change of a file's bytes, drawn at random: in its values where it holds JSON or YAML, in its header, or in its bytes."""

from __future__ import annotations

import contextlib
import copy
import json
import sqlite3
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from fuzz.gguf_header import header_places


class Mutation(NamedTuple):
    """The changed bytes (None: the file is removed), and what was done, in a few words."""

    data: bytes | None
    what: str


_ODD: tuple[Any, ...] = (
    *(None, True, False, "", " ", "x", "text", "0", "1e9", "NaN", "base", "./base", "owner/name", "../base", "/", "model:base"),
    *(0, 1, -1, 2, 7, 255, 256, 2**31, 2**31 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, 1.5, -0.0, 1e-30, 1e38, 1e308),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [None], [[]], [{}], {"": 1}, {"x": {}}, ["a", "a"], [0, 1], [1, 0]),
    *("\x00", "\ud800", "\u202e", "é\u0301", "日本", "\U0001f469\u200d\U0001f467", "a\nb", "{", "{{", "{x}", "{0.__class__}"),
    *("%s", "[", "(", "(a+)+$", "*", "\\", "a" * 5000, "+", "@", "a+b+c", "~x", "<<", "<s>", "auto", "union", "{% for %}"),
)
# What the libraries raise for a file that is broken already, and for a value that its format can't hold.
_UNWRITABLE = (
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, OSError),
    *(yaml.YAMLError, struct.error, pa.ArrowException),
)
Data = Any


def mutate(data: bytes, name: str, draw: Random, *, way: str = "") -> Mutation:
    """Changes a file's content once, or a few times in a row; a store's `cells`, `digests` or `json` where `way` says so."""
    mutation = _once(data, name, draw, way)
    while mutation.data is not None and draw.random() < 0.2:
        more = _once(mutation.data, name, draw, way)
        mutation = Mutation(more.data, f"{mutation.what}, {more.what}")
    return mutation


def _once(data: bytes, name: str, draw: Random, way: str) -> Mutation:
    if way:
        return _in_store(data, draw, way)
    if draw.random() < 0.85:
        try:
            if name.endswith(".parquet") and draw.random() < 0.5:
                return _in_rows(data, draw)
            if name.endswith(".safetensors"):
                return _in_header(data, draw)
            if name.endswith(".gguf"):
                return _in_gguf(data, draw)
            if name.endswith((".json", ".yml", ".yaml", ".jsonl")):
                return _in_values(data, name, draw)
        except _UNWRITABLE:
            pass  # it was broken already, or can't hold such a value: its bytes can still be changed
    return _in_bytes(data, draw)


def _in_values(data: bytes, name: str, draw: Random) -> Mutation:
    text = data.decode("utf-8")
    if name.endswith(".jsonl"):
        lines = text.splitlines()
        index = draw.randrange(len(lines))
        changed, what = _change(json.loads(lines[index]), draw)
        lines[index] = json.dumps(changed)
        return Mutation("\n".join(lines).encode("utf-8", "surrogatepass"), f"line {index + 1}: {what}")
    if name.endswith(".json"):
        changed, what = _change(json.loads(text), draw)
        return Mutation(json.dumps(changed, ensure_ascii=draw.random() < 0.9).encode("utf-8", "surrogatepass"), what)
    documents = list(yaml.safe_load_all(text))
    index = draw.randrange(len(documents))
    documents[index], what = _change(documents[index], draw)
    return Mutation(yaml.safe_dump_all(documents, sort_keys=False).encode("utf-8", "surrogatepass"), what)


def _in_header(data: bytes, draw: Random) -> Mutation:
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = draw.randrange(6)
    if kind == 0:
        wrong = draw.choice([0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1])
        return Mutation(struct.pack("<Q", wrong) + data[8:], f"header length {wrong}")
    if kind == 1:
        cut = draw.randrange(len(body) + 1)
        return Mutation(data[: 8 + length] + body[:cut], f"weights cut at {cut}")
    if kind == 2:
        # A weight itself: not a number, infinite, huge.
        at = draw.randrange(max(1, len(body) // 2)) * 2
        bits = draw.choice([0x7FC0, 0x7F80, 0xFF80, 0x7F7F])
        return Mutation(data[: 8 + length] + body[:at] + struct.pack("<H", bits) + body[at + 2 :], f"weight bits {bits:#x}")
    header, what = _change(header, draw)
    text = json.dumps(header).encode()
    return Mutation(struct.pack("<Q", len(text)) + text + body, f"header: {what}")


def _in_gguf(data: bytes, draw: Random) -> Mutation:
    """Another number or text in the header; a text may have another length than its own."""
    place = draw.choice(header_places(data))
    if place.is_text and draw.random() < 0.5:
        text = str(draw.choice(_ODD)).encode("utf-8", "surrogatepass")
        length = struct.pack("<Q", len(text))
        return Mutation(data[: place.at - 8] + length + text + data[place.at + place.size :], f"{place.name}: {_short(text)}")
    before = int.from_bytes(data[place.at : place.at + place.size], "little")
    after = draw.choice([0, 1, before + 1, before - 1, before * 2, before ^ 1, 2**31, 2**32 - 1, 2**63, draw.randrange(2**64)])
    size = max(1, place.size)
    wrong = (after % 2 ** (8 * size)).to_bytes(size, "little")
    return Mutation(data[: place.at] + wrong + data[place.at + size :], f"{place.name}: {wrong.hex()[:32]}")


def _in_rows(data: bytes, draw: Random) -> Mutation:
    """A Parquet file with other values, as far as its format can hold them."""
    rows, what = _change(pq.read_table(pa.BufferReader(data)).to_pylist(), draw)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return Mutation(sink.getvalue().to_pybytes(), what)


_JSON_CELLS = (("facts", "value"), ("candidates", "genome"), ("events", "data"))


def _in_store(data: bytes, draw: Random, way: str) -> Mutation:
    """One cell of a SQLite store, whose types SQLite doesn't enforce; or one value of the JSON that a cell holds."""
    with contextlib.closing(sqlite3.connect(":memory:")) as store:
        store.deserialize(data)
        if way == "json":
            table, column = draw.choice(_JSON_CELLS)
        else:
            found = store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
            table = "digests" if way == "digests" else draw.choice([name for (name,) in found])
            column = draw.choice([row[1] for row in store.execute(f"PRAGMA table_info({table})")])
        # not every table has numbered rows
        keys = [row[1] for row in store.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
        cells = store.execute(f"SELECT {column}, {', '.join(keys)} FROM {table} WHERE {column} IS NOT NULL").fetchall()
        if not cells:
            return Mutation(data, "nothing")
        value, *row = draw.choice(cells)
        if way == "json":
            changed, what = _change(json.loads(value), draw)
            new: Any = json.dumps(changed)
        else:
            new = draw.choice([one for one in (*_ODD, b"", b"\xff") if not isinstance(one, list | dict)])
            what = _short(new)
        with contextlib.suppress(sqlite3.Error, UnicodeError, OverflowError):
            store.execute(f"UPDATE {table} SET {column} = ? WHERE {' AND '.join(f'{key} IS ?' for key in keys)}", (new, *row))
        store.commit()
        return Mutation(store.serialize(), f"{table}.{column} in row {row}: {what}")


def _change(data: Data, draw: Random) -> tuple[Data, str]:
    """The same data with one value, key or item changed."""
    data = copy.deepcopy(data)
    places = list(_places(data))
    if not places or draw.random() < 0.03:
        value = copy.deepcopy(draw.choice(_ODD))
        return value, f"all of it is {_short(value)}"
    container, key, path = draw.choice(places)
    change = draw.choice((_replace, _replace, _replace, _scale, _remove, _rename, _repeat, _wrap, _nest, _swap))
    return data, f"{path}: {change(container, key, places, draw)}"


def _places(data: Data, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(entries):
        yield data, key, f"{path}.{key}"
        yield from _places(value, f"{path}.{key}")


Change = Callable[[Any, Any, list[tuple[Any, Any, str]], Random], str]


def _replace(container: Any, key: Any, _: Any, draw: Random) -> str:
    container[key] = copy.deepcopy(draw.choice(_ODD))
    return f"= {_short(container[key])}"


def _scale(container: Any, key: Any, _: Any, draw: Random) -> str:
    value = container[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        container[key] = str(value) if draw.random() < 0.5 else [value]
    else:
        container[key] = draw.choice([-value, value + 1, value - 1, value * 2, value * 10**6, value / 2, str(value), [value]])
    return f"= {_short(container[key])}"


def _remove(container: Any, key: Any, _: Any, __: Random) -> str:
    del container[key]
    return "removed"


def _rename(container: Any, key: Any, _: Any, draw: Random) -> str:
    if not isinstance(container, dict):
        container.reverse()
        return "its list reversed"
    name = draw.choice([f"{key}x", str(key).upper(), "", "x", "é", str(draw.choice(list(container)))])
    container[name] = container.pop(key)
    return f"renamed {name!r}"


def _repeat(container: Any, key: Any, _: Any, draw: Random) -> str:
    if isinstance(container, list):
        container.extend([copy.deepcopy(container[key])] * draw.choice([1, 2, 50]))
        return "repeated in its list"
    container[f"{key}_2"] = copy.deepcopy(container[key])
    return "repeated under another key"


def _wrap(container: Any, key: Any, _: Any, draw: Random) -> str:
    container[key] = draw.choice([[container[key]], {"value": container[key]}, {str(key): container[key]}])
    return f"= {_short(container[key])}"


def _nest(container: Any, key: Any, _: Any, draw: Random) -> str:
    value: Any = container[key]
    for _step in range(draw.choice([3, 40])):
        value = [value] if draw.random() < 0.5 else {"x": value}
    container[key] = value
    return "nested"


def _swap(container: Any, key: Any, places: list[tuple[Any, Any, str]], draw: Random) -> str:
    _, other, path = draw.choice([place for place in places if place[0] is container])
    container[key], container[other] = container[other], container[key]
    return f"swapped with {path}"


def _in_bytes(data: bytes, draw: Random) -> Mutation:
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.choice([1, 2, 8, 100]))
    noise = bytes(draw.randrange(256) for _ in range(draw.choice([1, 2, 30])))
    mutations: tuple[Callable[[], Mutation], ...] = (
        lambda: Mutation(None, "removed"),
        lambda: Mutation(b"", "emptied"),
        lambda: Mutation(data[:at], f"cut at {at}"),
        lambda: Mutation(data[:at] + data[end:], f"without bytes {at} to {end}"),
        lambda: Mutation(data[:at] + noise + data[at:], f"{noise!r} put in at {at}"),
        lambda: Mutation(data[:at] + noise + data[at + len(noise) :], f"{noise!r} over {at}"),
        lambda: Mutation(data[:end] + data[at:], f"bytes {at} to {end} twice"),
        lambda: Mutation(b"\xef\xbb\xbf" + data, "a byte order mark before it"),
        lambda: Mutation(data.decode("latin-1").encode("utf-16"), "in UTF-16"),
        lambda: Mutation(data.replace(b"\n", b"\r\n"), "with Windows' line ends"),
        lambda: Mutation(data.replace(b",", draw.choice([b";", b"\t", b",,"])), "other commas"),
        lambda: Mutation(b"[" * 20000 + data, "20,000 brackets before it"),
        lambda: Mutation(b'{"a":' * 20000 + data, "20,000 objects around it"),
        lambda: Mutation(data + data, "twice"),
    )
    return draw.choice(mutations)()


def _short(value: Data) -> str:
    text = ascii(value)
    return text if len(text) < 40 else f"{text[:37]}..."
