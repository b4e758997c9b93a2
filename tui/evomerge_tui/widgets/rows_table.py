"""A table that draws only the rows that are seen: ten thousand rows open and sort as quickly as ten.

The cursor belongs to a row's key, not to a place: it stays on its row while rows come, go and change their order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from evomerge_tui.keys.bindings import bindings
from evomerge_tui.text.shown_text import one_line

RowT = TypeVar("RowT")
# A cell's text and its tone: "", muted, good, bad or best. No tone says what the text doesn't.
Cell = tuple[str, str]
_GAP = 2


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """`width` in cells; 0 takes what is left. `sort` gives what rows are ordered by, None sorts last. It is shown in a table of
    `least_table` cells and more, and, with `sparse`, where a row has what it sorts by."""

    name: str
    title: str
    width: int
    cell: Callable[[RowT], Cell]
    sort: Callable[[RowT], Any]
    right: bool = False
    least_table: int = 0
    sparse: bool = False


class RowsTable(ScrollView, Generic[RowT], can_focus=True):
    """Rows of any kind, by columns that say how to show them. `key` tells rows apart, `text` is what filters look at.

    `opens` is what the footer calls enter on a row; None where a row has nothing to open.
    """

    SCOPE = "table"
    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"rows--{name}" for name in ("header", "cursor", "cursor-blurred", "hover", "muted", "good", "bad", "best", "empty")
    }
    DEFAULT_CSS = """
    RowsTable { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    @dataclass
    class Opened(Message):
        """A row was chosen by enter or a second click."""

        table: RowsTable[Any]
        row: Any

        @property
        def control(self) -> RowsTable[Any]:
            return self.table

    @dataclass
    class Moved(Message):
        """The cursor is on another row; None when there is none."""

        table: RowsTable[Any]
        row: Any

        @property
        def control(self) -> RowsTable[Any]:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        key: Callable[[RowT], Hashable],
        *,
        sort: str,
        descending: bool = False,
        text: Callable[[RowT], str] = str,
        empty: str = "",
        opens: str | None = "Open",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._key = key
        self._text = text
        self._rows: list[RowT] = []
        self._valued: list[tuple[Any, RowT]] = []
        self._unvalued: list[RowT] = []
        self._shown: list[RowT] = []
        self._filter = ""
        self._cursor: Hashable | None = None
        self._index = 0
        self._hover = -1
        self._sort = sort
        self._descending = descending
        self._empty = empty
        self._opens = opens
        enter = self._bindings.key_to_bindings["enter"]
        self._bindings.key_to_bindings["enter"] = [replace(binding, description=opens or "") for binding in enter]

    # what it holds

    @property
    def row(self) -> RowT | None:
        """The row under the cursor."""
        return self._shown[self._index] if self._shown else None

    @property
    def rows(self) -> Sequence[RowT]:
        """The rows as they are shown, filtered and in order."""
        return self._shown

    @property
    def order(self) -> tuple[str, bool]:
        """The column that rows are sorted by, and whether the largest comes first."""
        return self._sort, self._descending

    def set_rows(self, rows: Sequence[RowT]) -> None:
        """Other rows; the cursor stays on its row when that is still there."""
        self._rows = list(rows)
        self._arrange()

    def add_rows(self, rows: Sequence[RowT]) -> None:
        """More rows, put in their places: what is there already is neither looked at nor filtered again."""
        self._rows += rows
        self._take(rows)
        self._place()

    def set_filter(self, text: str) -> None:
        """Only rows whose `text` holds this one, in any case."""
        self._filter = text.casefold()
        self._arrange()

    def set_empty(self, text: str) -> None:
        """What is shown when there are no rows."""
        self._empty = text
        self.refresh()

    def move_to(self, key: Hashable) -> None:
        """The cursor to a row."""
        self._cursor = key
        self._arrange()

    def _arrange(self) -> None:
        """Filters and sorts all rows."""
        self._valued, self._unvalued = [], []
        self._take(self._rows)
        self._place()

    def _take(self, rows: Sequence[RowT]) -> None:
        """Puts rows that the filter lets through where the order has them; rows without a value come last either way."""
        sort = next(column.sort for column in self._columns if column.name == self._sort)
        for row in rows:
            if not self._filter or self._filter in self._text(row).casefold():
                value = sort(row)
                self._unvalued.append(row) if value is None else self._valued.append((value, row))
        self._valued.sort(key=itemgetter(0), reverse=self._descending)
        self._shown = [row for _, row in self._valued] + self._unvalued

    def _place(self) -> None:
        """The cursor back to its row."""
        before = self._cursor
        found = -1 if before is None else next((i for i, row in enumerate(self._shown) if self._key(row) == before), -1)
        self._index = found if found >= 0 else min(self._index, max(0, len(self._shown) - 1))
        self._cursor = self._key(self._shown[self._index]) if self._shown else before
        self.virtual_size = Size(0, len(self._shown) + 1)
        self._show_cursor()
        self.refresh()
        if self._cursor != before:
            self.post_message(self.Moved(self, self.row))

    # moving, opening, sorting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action != "open" or self._opens is not None

    def action_move(self, step: int) -> None:
        self._go(self._index + step)

    def action_move_page(self, direction: int) -> None:
        self._go(self._index + direction * max(1, self.size.height - 2))

    def action_move_end(self, direction: int) -> None:
        self._go(0 if direction < 0 else len(self._shown) - 1)

    def action_open(self) -> None:
        if self.row is not None:
            self.post_message(self.Opened(self, self.row))

    def action_sort(self) -> None:
        names = [column.name for column in self._visible()]
        place = names.index(self._sort) if self._sort in names else -1
        self._sort_by(names[(place + 1) % len(names)])

    def action_invert(self) -> None:
        self._descending = not self._descending
        self._arrange()

    def _sort_by(self, name: str) -> None:
        column = next(column for column in self._columns if column.name == name)
        self._descending = not self._descending if name == self._sort else column.right
        self._sort = name
        self._arrange()

    def _go(self, index: int) -> None:
        if not self._shown:
            return
        index = max(0, min(index, len(self._shown) - 1))
        if index != self._index:
            self._index = index
            self._cursor = self._key(self._shown[index])
            self._show_cursor()
            self.refresh()
            self.post_message(self.Moved(self, self.row))

    def _show_cursor(self) -> None:
        height = self.size.height - 1
        if height <= 0:
            return
        top = self.scroll_offset.y
        if self._index < top:
            self.scroll_to(y=self._index, animate=False)
        elif self._index >= top + height:
            self.scroll_to(y=self._index - height + 1, animate=False)

    def on_resize(self) -> None:
        self._show_cursor()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        if place.y == 0:
            self._click_title(place.x)
            return
        index = place.y - 1 + self.scroll_offset.y
        if index < len(self._shown):
            again = index == self._index and event.chain >= 2
            self._go(index)
            if again:
                self.action_open()

    def _click_title(self, x: int) -> None:
        left = 1
        for column, width in self._layout():
            if left <= x < left + width + _GAP:
                self._sort_by(column.name)
                return
            left += width + _GAP

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._hover_at(event.y - 1 + self.scroll_offset.y if event.y > 0 else -1)

    def on_leave(self) -> None:
        self._hover_at(-1)

    def _hover_at(self, index: int) -> None:
        if index != self._hover:
            self._hover = index
            self.refresh()

    # drawing

    def _visible(self) -> list[Column[RowT]]:
        return [column for column in self._columns if self.size.width >= column.least_table and self._is_filled(column)]

    def _is_filled(self, column: Column[RowT]) -> bool:
        return not column.sparse or any(column.sort(row) is not None for row in self._rows)

    def _layout(self) -> list[tuple[Column[RowT], int]]:
        """The columns that fit, with their widths."""
        columns = self._visible()
        flexible = sum(column.width == 0 for column in columns)
        left = self.size.width - 2 - sum(column.width for column in columns) - _GAP * (len(columns) - 1)
        return [(column, column.width or max(6, left // max(1, flexible))) for column in columns]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._title_line(width)
        if not self._shown:
            text = self._why_empty() if y == 2 else ""
            return Strip([Segment(_fit(f" {text}", width), self.get_component_rich_style("rows--empty"))])
        index = y - 1 + self.scroll_offset.y
        if index >= len(self._shown):
            return Strip.blank(width, self.rich_style)
        return self._row_line(index, width)

    def _why_empty(self) -> str:
        """Whether nothing is there, or the filter lets nothing through."""
        if not self._rows:
            return self._empty
        count = "1 row is" if len(self._rows) == 1 else f"{len(self._rows)} rows are"
        return f"Nothing contains {one_line(self._filter, 40)!r}: {count} hidden by the filter"

    def _title_line(self, width: int) -> Strip:
        style = self.get_component_rich_style("rows--header")
        segments = [Segment(" ", style)]
        for number, (column, cells_wide) in enumerate(self._layout()):
            sign = ("▼" if self._descending else "▲") if column.name == self._sort else ""
            title = f"{sign} {column.title}" if column.right and sign else f"{column.title} {sign}".rstrip()
            segments += [
                *([Segment(" " * _GAP, style)] if number else []),
                Segment(_fit(title, cells_wide, right=column.right), style),
            ]
        return Strip(segments).adjust_cell_length(width, style)

    def _row_line(self, index: int, width: int) -> Strip:
        ground = self._ground(index)
        gap = Segment(" " * _GAP, ground)
        segments = [Segment("›" if index == self._index and self.has_focus else " ", ground)]
        for number, (column, cells_wide) in enumerate(self._layout()):
            text, tone = column.cell(self._shown[index])
            style = ground + Style(color=self.get_component_rich_style(f"rows--{tone}").color) if tone else ground
            segments += [*([gap] if number else []), Segment(_fit(one_line(text), cells_wide, right=column.right), style)]
        return Strip(segments).adjust_cell_length(width, ground)

    def _ground(self, index: int) -> Style:
        if index == self._index:
            return self.get_component_rich_style("rows--cursor" if self.has_focus else "rows--cursor-blurred")
        return self.get_component_rich_style("rows--hover") if index == self._hover else self.rich_style


def _fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly that many cells; what doesn't fit ends in an ellipsis."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return " " * (width - length) + text if right else text + " " * (width - length)
