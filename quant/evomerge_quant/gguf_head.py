"""The head of a GGUF file, by the format's description (ggml, docs/gguf.md): the values that a caller wants of it.

The file may be a stranger's, so no length in it is believed: `gguf`'s own reader is busy with a list of 2**60 numbers until the
memory ends.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from evomerge_core.errors import InputError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# Numbers by the format's name for their types; texts and lists have lengths of their own.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
# Nobody means more: a long licence has 35 kB, the largest vocabularies some 300,000 tokens and twice as many merges.
_MOST_BYTES = 1_000_000
_MOST_VALUES = 2_000_000


def read_head(path: Path, wanted: tuple[str, ...], *, remedy: str) -> dict[str, Any]:
    """The values whose keys begin with one of the `wanted`: numbers, texts, and lists of these. The whole head is read, so that
    lengths that pass here lie within the file. InputError, with this `remedy`, for what is no GGUF or can't be read."""
    try:
        # a pipe would be waited for
        if not path.is_file() and path.exists():
            raise InputError("is no file", where=path, remedy=remedy)
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise InputError("is no GGUF file", where=path, remedy=remedy)
            return _Head(file, wanted).values_wanted()
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy=remedy) from None
    # struct's own is for a file that was cut meanwhile
    except (ValueError, struct.error) as error:
        raise InputError(f"can't be read as a GGUF ({error})", where=path, remedy=remedy) from None


@dataclass
class _Head:
    """How far a file is read: `left` are the bytes to its end, `texts` those of the texts so far, and `values` their number."""

    file: BinaryIO
    wanted: tuple[str, ...]
    order: str = "<"
    left: int = 0
    texts: int = 0
    values: int = 0

    def values_wanted(self) -> dict[str, Any]:
        self.left = self.file.seek(0, io.SEEK_END)
        self.file.seek(0)
        self._skip(len(_MAGIC))
        version = self._take(4)
        # the other order of bytes has the version's small number at the other end
        self.order = "<" if version[:2] != b"\0\0" else ">"
        if (number := struct.unpack(f"{self.order}I", version)[0]) not in _VERSIONS:
            raise ValueError(f"its version is {number}")
        self._number("Q")  # of tensors
        found: dict[str, Any] = {}
        for _ in range(self._number("Q")):
            key, kind = self._text(), self._number("I")
            wanted = key.startswith(self.wanted)
            value = self._value(kind, wanted=wanted)
            if key in found:
                raise ValueError(f"it says {key[:60]} twice")
            if wanted:
                found[key] = value
        return found

    def _value(self, kind: int, *, wanted: bool) -> Any:
        """A value of a key; None for one that isn't wanted."""
        if kind == _LIST:
            kind, count = self._number("I"), self._number("Q")
            if kind in _NUMBERS and not wanted:
                self._skip(count * struct.calcsize(f"={_NUMBERS[kind]}"))
                return None
            values = (self._single(kind, wanted=wanted) for _ in range(count))
            return list(values) if wanted else sum(0 for _ in values)
        return self._single(kind, wanted=wanted)

    def _single(self, kind: int, *, wanted: bool) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise ValueError(f"its head has more than {_MOST_VALUES:,} values")
        if kind == _TEXT and wanted:
            return self._text()
        if kind == _TEXT:
            self._skip(self._number("Q"))
            return None
        if kind not in _NUMBERS:
            raise ValueError(f"a value is of the type {kind}")
        return self._number(_NUMBERS[kind])

    def _text(self) -> str:
        length = self._number("Q")
        self.texts += length
        if self.texts > _MOST_BYTES:
            raise ValueError(f"the texts in its head have more than {_MOST_BYTES:,} bytes")
        try:
            return self._take(length).decode()
        except UnicodeDecodeError:
            raise ValueError("a text in its head isn't UTF-8") from None

    def _number(self, form: str) -> Any:
        form = f"{self.order}{form}"
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        self._leave(count)
        return self.file.read(count)

    def _skip(self, count: int) -> None:
        self._leave(count)
        self.file.seek(count, io.SEEK_CUR)

    def _leave(self, count: int) -> None:
        if count > self.left:
            raise ValueError("it ends within its head")
        self.left -= count
