"""An SQLite file with its write-ahead log applied, in memory: for readers that can't keep SQLite's index of the log on disk.

The format is SQLite's (https://www.sqlite.org/fileformat2.html, "The Write-Ahead Log").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER, _FRAME = 32, 24
_MAGIC = 0x377F0682  # the lowest bit says that the sums are of big-endian words
_SIZES = frozenset(2**power for power in range(9, 17))  # of a page
_MODES = slice(18, 20)  # of the file's header: 2 and 2 with a log, 1 and 1 without


def with_log(data: bytes, log: bytes) -> bytes:
    """The file's bytes after every transaction that the log holds whole, marked as a file without a log."""
    pages, count = _committed(log)
    size = struct.unpack(">I", log[8:12])[0] if pages else 0
    whole = bytearray(data)
    if pages:
        # a log adds no more than its own pages, whatever it says
        count = min(count, len(data) // size + len(pages))
        whole = whole[: count * size].ljust(count * size, b"\0")
    for number, page in pages.items():
        if 0 < number <= count:
            whole[(number - 1) * size : number * size] = page
    if len(whole) >= _MODES.stop:
        whole[_MODES] = b"\1\1"
    return bytes(whole)


def _committed(log: bytes) -> tuple[dict[int, bytes], int]:
    """The pages of whole transactions by number, and how many pages the file has after them."""
    pages: dict[int, bytes] = {}
    waiting: dict[int, bytes] = {}
    count = 0
    for number, pages_after, page in _frames(log):
        waiting[number] = page
        if pages_after:
            pages |= waiting
            waiting, count = {}, pages_after
    return pages, count


def _frames(log: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Page number, pages of the file after a transaction's end (else 0), and page, up to the first frame that isn't sound."""
    if len(log) < _HEADER:
        return
    magic, _, size, _, salt, other_salt, first, second = struct.unpack(">8I", log[:_HEADER])
    if magic & ~1 != _MAGIC:
        return
    order = ">" if magic & 1 else "<"
    if size not in _SIZES or _sums(log[:24], order, (0, 0)) != (first, second):
        return
    sums = (first, second)
    for at in range(_HEADER, len(log) - _FRAME - size + 1, _FRAME + size):
        frame, page = log[at : at + _FRAME], log[at + _FRAME : at + _FRAME + size]
        number, pages_after, *salts, first, second = struct.unpack(">6I", frame)
        sums = _sums(page, order, _sums(frame[:8], order, sums))
        if salts != [salt, other_salt] or sums != (first, second):
            return
        yield number, pages_after, page


def _sums(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    for even, odd in struct.iter_unpack(f"{order}2I", data):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
