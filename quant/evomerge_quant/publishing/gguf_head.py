"""The head of a GGUF file, by the format's description (ggml, docs/gguf.md), as far as it says what the model is.

The file may be a stranger's, so no length in it is believed: `gguf`'s own reader is busy with a list of 2**60 numbers until the
memory ends.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SHOWN = "general."
# Numbers by the format's name for their types; texts and lists have lengths of their own.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
# Nobody means more: a long licence has 35 kB, the largest vocabularies some 300,000 tokens and twice as many merges.
_MOST_BYTES = 1_000_000
_MOST_VALUES = 2_000_000


def general_facts(file: BinaryIO) -> dict[str, Any]:
    """The values whose keys begin with `general.`, of a file that begins with MAGIC. ValueError says what is wrong in it."""
    return _Head(file).facts()


@dataclass
class _Head:
    """How far a file is read: `left` are the bytes to its end, `texts` those of the texts so far, and `values` their number."""

    file: BinaryIO
    order: str = "<"
    left: int = 0
    texts: int = 0
    values: int = 0

    def facts(self) -> dict[str, Any]:
        self.left = self.file.seek(0, io.SEEK_END)
        self.file.seek(0)
        self._skip(len(MAGIC))
        version = self._take(4)
        # the other order of bytes has the version's small number at the other end
        self.order = "<" if version[:2] != b"\0\0" else ">"
        if (number := struct.unpack(f"{self.order}I", version)[0]) not in _VERSIONS:
            raise ValueError(f"its version is {number}")
        self._number("Q")  # of tensors
        found: dict[str, Any] = {}
        for _ in range(self._number("Q")):
            key, kind = self._text(), self._number("I")
            wanted = key.startswith(_SHOWN)
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
