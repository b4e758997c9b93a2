"""A line of a form: its title, the control, and a hint; and the box to tick that forms use."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Checkbox, Static


class FormRow(Horizontal):
    """`title`, a control and a hint, which stands beside the control or below it."""

    DEFAULT_CSS = """
    FormRow { height: auto; min-height: 1; margin-bottom: 1;
        & > .form-title { width: 14; color: $text-muted; }
        & .form-hint { width: 1fr; height: 1; color: $text-muted; padding-left: 2; text-wrap: nowrap; text-overflow: ellipsis; }
        & > Vertical { width: 1fr; height: auto; }
        & > Vertical > .form-hint { padding: 0 0 0 1; height: auto; max-height: 2; text-wrap: wrap; }
    }
    """

    def __init__(self, title: str, control: Widget, hint: str = "", *, below: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title, self._control, self._hint, self._below = title, control, hint, below

    def compose(self) -> Iterable[Widget]:
        yield Static(self._title, classes="form-title", markup=False)
        hint = Static(self._hint, classes="form-hint", markup=False)
        if self._below:
            with Vertical():
                yield self._control
                yield hint
        else:
            yield self._control
            yield hint

    def set_hint(self, hint: str) -> None:
        """Other words for what may be written there."""
        self.query_one(".form-hint", Static).update(hint)


class Tick(Checkbox):
    """A box to tick: `[x] label` or `[ ] label`. Textual's own shows an X either way, in another colour."""

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", "$primary" if self.value else "$text-muted"))
