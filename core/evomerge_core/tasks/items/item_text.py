"""The text of an item file: its encoding, and what the file is where it is no text."""

from __future__ import annotations

import codecs
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import MOST_BYTES, read_bounded, require_few_values

# How other files begin, what they are, and what to do about it.
_OTHERS = (
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"ARROW1", "an Arrow file", "write it as Parquet"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "write it as Parquet"),
    (b"SQLite format 3\x00", "an SQLite database", "write its table as CSV or JSONL"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"BZh91AY&SY", "a bzip2 archive", "unpack it"),
    (b"\xfd7zXZ", "an xz archive", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file with `git lfs pull`"),
    (b"<!doctype html", "a web page, not the file itself", "download the raw file"),
    (b"<html", "a web page, not the file itself", "download the raw file"),
)
# UTF-32's mark begins with UTF-16's.
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LOOKED_AT = 4096


def read_item_text(path: Path) -> str:
    """The text of a file, lines ended by `\\n`: UTF-8, or UTF-16 or UTF-32 that begins with a byte order mark.

    Raises `InputError` that says what the file is where it is none of these.
    """
    data = read_item_bytes(path)
    refuse_other_kind(path, data, text=True)
    require_few_values(path, data, remedy="write the items that a run needs into a file of their own")
    text = _decoded(path, data).replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def read_item_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """A file's content. Raises `InputError` when it can't be read, is empty, or has more than `most` bytes."""
    if path.is_dir():
        raise InputError("a folder, not an item file", where=path, remedy="name a file in it")
    try:
        data = read_bounded(path, most=most, remedy="write the items that a run needs into a file of their own")
    except FileNotFoundError:
        raise InputError("no such item file", where=path, remedy="check the path of `file`") from None
    if not data:
        raise InputError("the file is empty", where=path, remedy="a task needs at least one item")
    return data


def refuse_other_kind(path: Path, data: bytes, *, text: bool) -> None:
    """Raises `InputError` for files that begin as another kind does; `text`: whether Parquet is another kind too."""
    start = data[:_LOOKED_AT].lstrip().lower() if data[:1] in b" \r\n\t<" else data[:_LOOKED_AT]
    for beginning, what, remedy in _OTHERS:
        if start.startswith(beginning) and (text or beginning != b"PAR1"):
            raise InputError(f"the file is {what}, whatever its name says", where=path, remedy=remedy)


def _decoded(path: Path, data: bytes) -> str:
    encoding = next((name for mark, name in _ENCODINGS if data.startswith(mark)), "utf-8-sig")
    # ASCII in UTF-16 is half zeros, and is UTF-8 too.
    if encoding == "utf-8-sig" and data[:_LOOKED_AT].count(0) * 3 > len(data[:_LOOKED_AT]):
        raise InputError("UTF-16 text without a byte order mark", where=path, remedy="save the file as UTF-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise InputError(f"not valid {encoding} text", where=path, remedy="save the file as UTF-8") from error
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text", where=f"{path}:{line}", remedy="save the file as UTF-8") from error
