"""Pictures that people and data sets give: decoded here, with limits, from files and bytes alone."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError, MissingFile

MOST_BYTES = 64 * 2**20
MOST_PIXELS = 64_000_000
# Formats that Pillow decodes itself; it starts other programs for some of the rest.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
# What the names of such files end in.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
# EXIF's tag for how a picture was taken, its values where width and height change places, and what makes each upright. Pillow's
# `exif_transpose` writes the EXIF anew too, and fails where any other tag of it is broken.
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# What Pillow raises for a picture that is cut short or makes no sense.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, struct.error, zlib.error)


@dataclass(frozen=True)
class Picture:
    """A picture as three bytes a pixel (a Pillow image, mode RGB), upright, the sha256 of the bytes that it came in, and where
    it is in words."""

    image: Any
    sha256: str
    where: str = field(default="", compare=False)


def read_picture(path: Path) -> Picture:
    """The picture of a file; InputError where there is none, and as `decode_picture`."""
    return decode_picture(read_content(path), path)


def is_there(path: Path) -> bool:
    """Whether a path is a file's; not where it is longer than a path can be, or leads through a closed folder."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_content(path: Path) -> bytes:
    """The bytes of a picture's file; InputError where there is none, or more than a picture has."""
    if not is_there(path):
        raise MissingFile("no such picture", where=path, remedy="check the path; pictures are never fetched from the network")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy="check the file's permissions") from None
    if size > MOST_BYTES:
        raise _too_large(f"{size / 2**20:,.0f} MiB, of {MOST_BYTES // 2**20} at most", path)
    return content


def content_hash(content: bytes) -> str:
    """The sha256 of a picture's file, by which its features are kept."""
    return hashlib.sha256(content).hexdigest()


def decode_picture(content: bytes, where: Path | str) -> Picture:
    """The picture in the bytes of a file. InputError, at `where`, for one that is broken, huge or in another format."""
    from PIL import Image

    def decode(opened: Any) -> Any:
        opened.load()  # what is broken behind this is no part of the picture
        turn = _UPRIGHT.get(_orientation(opened.getexif))
        upright = opened if turn is None else opened.transpose(Image.Transpose[turn])
        return _eight_bits(upright).convert("RGB")

    return Picture(_opened(content, where, decode), content_hash(content), str(where))


def _orientation(exif: Callable[[], Any]) -> Any:
    """How a picture was taken, by the EXIF that is read; None where it doesn't say, and where it can't be read: viewers show
    such a picture as it lies."""
    try:
        return exif().get(_ORIENTATION)
    except _BROKEN:
        return None


def _eight_bits(image: Any) -> Any:
    """A grey picture of 16 bits by its higher eight, as Pillow reads colours of 16 bits; its conversion of grey leaves white of
    all but the darkest."""
    return image.point(lambda value: value / 256) if image.mode.startswith("I") else image


def upright_size(content: bytes, where: Path | str) -> tuple[int, int]:
    """Width and height in pixels, from the picture's head: it is not decoded. InputError, at `where`, for bytes that are no
    picture, and for a huge one."""

    from PIL import Image

    def size(opened: Any) -> tuple[int, int]:
        def head() -> Any:
            """Pillow's own `getexif` decodes a PNG to its end."""
            exif = Image.Exif()
            exif.load(opened.info.get("exif", b""))
            return exif

        width, height = opened.size
        return (height, width) if _orientation(head) in _LYING else (width, height)

    found: tuple[int, int] = _opened(content, where, size)
    return found


def _opened(content: bytes, where: Path | str, use: Callable[[Any], Any]) -> Any:
    from PIL import Image, UnidentifiedImageError

    if len(content) > MOST_BYTES:
        raise _too_large(f"{len(content) / 2**20:,.0f} MiB, of {MOST_BYTES // 2**20} at most", where)
    try:
        # Pillow's warnings are for those who write pictures
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise _too_large(f"{width:,} x {height:,} pixels, of {MOST_PIXELS:,} at most", where)
            return use(opened)
    except InputError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError):
        known = ", ".join(_FORMATS)
        raise InputError("not a picture that can be read", where=where, remedy=f"give one of these: {known}") from None
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise InputError(f"a broken picture ({reason})", where=where, remedy="copy or download it again") from None


def _too_large(size: str, where: Path | str) -> InputError:
    return InputError(f"too large a picture: {size}", where=where, remedy="make it smaller")
