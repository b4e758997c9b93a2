"""A picture small enough to be passed on and drawn: its pixels as text, and what it was made of."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from evomerge_core.files.picture import Picture
from evomerge_core.tasks.items.pictures import ItemPicture

# No screen draws more of a picture: a cell has one column and two rows of pixels.
_MOST = (80, 48)


@dataclass(frozen=True)
class Thumbnail:
    """`pixels` are three bytes each, row by row, as base64; `name` is the picture's, `size` its width and height as it is
    stored."""

    name: str
    size: tuple[int, int]
    drawn: tuple[int, int]
    pixels: str

    def image(self) -> Any:
        """The small picture (a Pillow image, mode RGB)."""
        from PIL import Image

        return Image.frombytes("RGB", self.drawn, base64.b64decode(self.pixels))


def thumbnail(picture: Picture, name: str) -> Thumbnail:
    """A picture made small, its shape kept; one that is small already stays as it is."""
    small = picture.image.copy()
    small.thumbnail(_MOST)
    return Thumbnail(name, picture.image.size, small.size, base64.b64encode(small.tobytes()).decode("ascii"))


def item_thumbnail(picture: ItemPicture) -> Thumbnail:
    """The same of a picture that an item shows. InputError for one that is broken."""
    return thumbnail(picture.read(), picture.file.name if picture.file is not None else "")


def read_thumbnail(facts: dict[str, Any]) -> Thumbnail:
    """A thumbnail out of what JSON made of it."""
    return Thumbnail(facts["name"], tuple(facts["size"]), tuple(facts["drawn"]), facts["pixels"])
