"""Pictures with their names below them; where the terminal has no colours, the names alone."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from evomerge_tui.text.shown_text import one_line
from evomerge_tui.widgets.half_blocks import half_blocks
from evomerge_tui.widgets.thumbnail import Thumbnail

# The most cells of a picture, and rows where there are several pictures or the terminal is low.
_COLUMNS, _ROWS, _FEWER_ROWS = 36, 12, 7
_LOW = 30
_MOST = 4


class PictureView(Static):
    """Takes no room while it shows nothing."""

    DEFAULT_CSS = """
    PictureView { width: auto; height: auto; display: none; }
    PictureView.-shown { display: block; }
    """

    def show(self, pictures: Sequence[Thumbnail]) -> None:
        """Shows these in the place of what was shown; of many, the first and how many there are more."""
        self.set_class(bool(pictures), "-shown")
        room = (min(_COLUMNS, self.app.size.width // 3), self._rows(len(pictures)))
        lines = [_drawn(picture, room, colours=not self.app.no_color) for picture in pictures[:_MOST]]
        if len(pictures) > _MOST:
            lines.append(Text(f"and {len(pictures) - _MOST} more"))
        self.update(Text("\n").join(lines))

    def _rows(self, pictures: int) -> int:
        return _ROWS if pictures == 1 and self.app.size.height >= _LOW else _FEWER_ROWS


def _drawn(picture: Thumbnail, room: tuple[int, int], *, colours: bool) -> Text:
    """A picture within so many columns and rows, or in a word."""
    width, height = picture.size
    caption = f"{one_line(picture.name, _COLUMNS - 14)} {width} x {height}".strip()
    if not colours:
        return Text(f"picture {caption}")
    return Text("\n").join([half_blocks(picture.image(), *room), Text(caption, "dim")])
