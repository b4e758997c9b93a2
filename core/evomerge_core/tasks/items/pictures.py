"""The pictures that an item shows: files beside the items, or bytes in a column. Nothing is ever fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path
from evomerge_core.files.picture import ENDINGS, Picture, content_hash, decode_picture, read_content, upright_size

# The field that holds an item's pictures.
IMAGE = "image"
_ADDRESS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:(//|[^\\/])")
# Of a column that nobody named as pictures only what can be nothing else.
_WEB_ADDRESS = re.compile(r"\s*((https?|ftp|s3|gs|hf)://\S+|data:image/.*)", re.DOTALL)
_MOST_PICTURES = 16
# What a data set's column of pictures has in each cell.
_PARTS = {"bytes", "path"}
# The hashes of those that were decoded: screens read items again and again.
_whole: set[str] = set()


@dataclass(frozen=True)
class ItemPicture:
    """A picture of an item: the sha256 of its file's bytes, where it is in words, its width and height, and the file, or the
    bytes themselves."""

    sha256: str
    where: str = field(compare=False)
    size: tuple[int, int] = field(compare=False)
    file: Path | None = field(default=None, compare=False)
    content: bytes | None = field(default=None, compare=False, repr=False)

    def read(self) -> Picture:
        """The decoded picture. InputError where it is broken, or no longer the one that was read with the item."""
        content = _content(self.file, self.where) if self.file is not None else self.content or b""
        if content_hash(content) != self.sha256:
            raise InputError("the picture changed while it was used", where=self.where, remedy="start again")
        return decode_picture(content, self.where)


def read_pictures(cell: object, origin: str, folder: Path) -> tuple[ItemPicture, ...]:
    """The pictures of a cell: a path from `folder`, the bytes of a file, a data set's `{bytes, path}`, or a list of these.

    Raises InputError that names the item for what isn't there, isn't a picture, lies outside of the folder, or is an address.
    """
    parts = cell if isinstance(cell, list) else [cell]
    if len(parts) > _MOST_PICTURES:
        raise InputError(f"{len(parts)} pictures, of {_MOST_PICTURES} at most", where=f"{origin}: {IMAGE}", remedy="show fewer")
    pictures = tuple(_picture(part, f"{origin}: {IMAGE}", folder) for part in parts)
    if not pictures:
        raise _none(f"{origin}: {IMAGE}")
    return pictures


def require_whole(pictures: Iterable[ItemPicture]) -> None:
    """InputError for the first picture that can't be decoded to its end; each is looked at once a process."""
    for picture in pictures:
        if picture.sha256 not in _whole:
            picture.read()
            _whole.add(picture.sha256)


def looks_like_pictures(cell: object) -> bool:
    """Whether a cell that nobody named as pictures holds some: bytes, a data set's `{bytes, path}`, a picture's file name."""
    if isinstance(cell, list):
        return bool(cell) and all(map(looks_like_pictures, cell))
    if isinstance(cell, Mapping):
        return set(cell) <= _PARTS and any(cell.get(part) for part in _PARTS)
    if isinstance(cell, str):
        return _ADDRESS.match(cell) is None and cell.strip().lower().endswith(ENDINGS)
    return isinstance(cell, bytes) and bool(cell)


def is_web_address(text: str) -> bool:
    """Whether a text is where a picture would have to be fetched from."""
    return _WEB_ADDRESS.fullmatch(text) is not None


def _picture(cell: object, where: str, folder: Path) -> ItemPicture:
    if isinstance(cell, Mapping) and set(cell) <= _PARTS:
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes) and cell:
        return ItemPicture(content_hash(cell), where, upright_size(cell, where), content=cell)
    if isinstance(cell, str) and cell.strip():
        file = _file(cell.strip(), where, folder)
        where = f"{where}: {cell.strip()}"
        content = _content(file, where)
        return ItemPicture(content_hash(content), where, upright_size(content, where), file=file)
    if cell is None or isinstance(cell, str | bytes):
        raise _none(where)
    remedy = "give a file's path, its bytes, or an object of `bytes` and `path`"
    raise InputError(f"a value of the type {type(cell).__name__} is no picture", where=where, remedy=remedy)


def _none(where: str) -> InputError:
    return InputError("no picture, which the field needs", where=where, remedy="fill it or remove the row")


def _file(written: str, where: str, folder: Path) -> Path:
    """The file that a path names, below the items' folder."""
    windows = PureWindowsPath(written)
    if not windows.drive and _ADDRESS.match(written):
        shown = written if len(written) < 60 else f"{written[:57]}..."
        problem = f"{shown!r} is an address; pictures are never fetched"
        raise InputError(problem, where=where, remedy="download it and give the file's path from the items' folder")
    try:
        given = written_path(written)
    except InputError as error:
        raise error.within(where) from None
    outside = given.is_absolute() or windows.is_absolute() or windows.drive or ".." in (*PurePosixPath(written).parts,)
    if outside or ".." in windows.parts or not _real(folder / given, folder):
        remedy = "copy it there and give its path from that folder"
        raise InputError(f"{written!r} leads outside the items' folder {folder}", where=where, remedy=remedy)
    return folder / given


def _real(path: Path, folder: Path) -> bool:
    """Whether a path, its links followed, is below a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _content(file: Path, where: str) -> bytes:
    try:
        return read_content(file)
    except InputError as error:
        raise InputError(error.problem, where=where, remedy=error.remedy) from None
