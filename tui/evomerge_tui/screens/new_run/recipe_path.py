"""Where to write the recipe."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from evomerge_tui.screens.page import Dialog


class RecipePath(Dialog[Path | None]):
    """The file's path; None to write nothing. An existing file is overwritten only after a second confirmation."""

    def __init__(self, suggested: Path) -> None:
        super().__init__()
        self._suggested = suggested
        self._warned: Path | None = None

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static("Save the recipe", classes="question", markup=False)
            yield Input(str(self._suggested), id="recipe-path")
            yield Static("", classes="detail", id="path-trouble", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")
                yield Button("Save", id="do", variant="primary")

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#do")
    @on(Input.Submitted, "#recipe-path")
    def _save(self) -> None:
        given = self.query_one("#recipe-path", Input).value.strip()
        path = Path(given).expanduser().absolute()
        trouble = self.query_one("#path-trouble", Static)
        if not given or path.is_dir():
            trouble.update("Enter the path of a file, such as my-cross.yaml")
        elif path.exists() and path != self._warned:
            self._warned = path
            trouble.update("This file exists: save again to overwrite it")
        else:
            self.dismiss(path)
