"""Which model the answers are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import read_store
from evomerge_quant.gguf.subject.export_paths import find_candidate, winner_exports
from evomerge_quant.llama.mmproj_file import SUSPECT
from evomerge_tui.screens.page import Dialog
from evomerge_tui.text.shown_text import one_line


class CompareWith(Dialog["Path | str | None"]):
    """A GGUF file; or the label of a parent that must be exported first; None to leave it."""

    def __init__(self, folder: Path, first: Path) -> None:
        super().__init__()
        self._folder, self._first = folder, first
        self._choices: list[Path | str] = []

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static("Compare with", classes="question", markup=False)
            yield OptionList(id="models", markup=False)
            yield Static("Or a file", classes="detail", markup=False)
            yield Input(placeholder="Path to a GGUF file", id="file")
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")

    def on_mount(self) -> None:
        self.query_one("#models").focus()
        self._list()

    @work(thread=True, exit_on_error=False)
    def _list(self) -> None:
        found = [*_parents(self._folder), *((file.name, file) for file in _winner_files(self._folder, self._first))]
        self.app.call_from_thread(self._show, found)

    def _show(self, found: list[tuple[str, Path | str]]) -> None:
        options = self.query_one("#models", OptionList)
        self._choices = [choice for _, choice in found]
        for name, choice in found:
            note = "  must be exported first" if isinstance(choice, str) else ""
            options.add_option(Option(Content.assemble(one_line(name, 60), (note, "$text-muted"))))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index])

    @on(Input.Submitted)
    def _file(self, event: Input.Submitted) -> None:
        path = Path(event.value.strip()).expanduser().absolute()
        if path.is_file():
            self.dismiss(path)
        else:
            self.evomerge.tell(f"{path}: no such file", "warning")

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


def _parents(folder: Path) -> list[tuple[str, Path | str]]:
    store = read_store(folder)
    labels = [candidate.label for kind in ("parent", "uniform") for candidate in store.candidates(kind)]
    store.close()
    found: list[tuple[str, Path | str]] = []
    for label in labels:
        try:
            found.append((label, find_candidate(folder, label)))
        except InputError:
            # no file of it yet: it is offered for export
            found.append((label, label))
    return found


def _winner_files(folder: Path, first: Path) -> list[Path]:
    return [file for file in sorted(winner_exports(folder).glob("*.gguf")) if file != first and SUSPECT not in file.name]
