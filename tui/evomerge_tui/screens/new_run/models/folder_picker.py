"""Which folder to look for models in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, DirectoryTree, Input, Static

from evomerge_tui.screens.page import Dialog


class Folders(DirectoryTree):
    """Folders only, without hidden ones; it reads them beside the screens."""

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return [path for path in paths if not path.name.startswith(".") and _is_folder(path)]


class FolderPicker(Dialog[Path | None]):
    """The folder; None when none was chosen. `start` is where the tree begins."""

    def __init__(self, start: Path) -> None:
        super().__init__()
        self._start = start

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static("Look for models in", classes="question", markup=False)
            yield Input(str(self._start), id="folder-path")
            yield Folders(self._start, id="folders")
            yield Static("", classes="detail", id="folder-trouble", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Up", id="folder-up", tooltip="The folder above")
                yield Button("Cancel", id="cancel")
                yield Button("Look here", id="do", variant="primary")

    def on_mount(self) -> None:
        self.query_one(Folders).focus()

    @on(DirectoryTree.NodeHighlighted)
    def _moved(self, event: DirectoryTree.NodeHighlighted[object]) -> None:
        path = getattr(event.node.data, "path", None)
        if isinstance(path, Path):
            self.query_one("#folder-path", Input).value = str(path)

    @on(Button.Pressed, "#folder-up")
    def _up(self) -> None:
        tree = self.query_one(Folders)
        tree.path = Path(tree.path).parent
        self.query_one("#folder-path", Input).value = str(tree.path)
        tree.focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#do")
    @on(Input.Submitted, "#folder-path")
    def _choose(self) -> None:
        path = self._start / Path(self.query_one("#folder-path", Input).value.strip()).expanduser()
        if path.is_dir():
            self.dismiss(path.absolute())
        else:
            self.query_one("#folder-trouble", Static).update("No such folder: check the path")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # it has gone, or is nobody's to read
        return False
