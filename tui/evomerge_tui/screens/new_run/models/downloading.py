"""Downloads what a recipe lacks before its run is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, ProgressBar, Static

from evomerge_core.errors import InputError
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.page import Dialog
from evomerge_tui.text.quantities import amount
from evomerge_tui.text.shown_text import many_lines, one_line


class Downloading(Dialog[bool]):
    """One model after the other; true when all are here. Cancelling loses nothing."""

    def __init__(self, models: Sequence[str]) -> None:
        super().__init__()
        self._models = tuple(models)

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static("Downloading the models", classes="question", markup=False)
            yield Static("", classes="detail", id="download-news", markup=False)
            yield ProgressBar(total=1, show_eta=False, id="download-bar")
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel", tooltip="What has arrived is kept; the next download continues from there")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()
        self._download()

    @work(exclusive=True)
    async def _download(self) -> None:
        news, bar = self.query_one("#download-news", Static), self.query_one("#download-bar", ProgressBar)
        for number, model in enumerate(self._models, start=1):
            head = f"{number} of {len(self._models)}: {one_line(model, 100)}"
            news.update(head)
            try:
                async for line in command_lines(("download", model)):
                    if "done" in line:
                        bar.update(total=max(1, line["total"]), progress=line["done"])
                        news.update(f"{head}\n{amount(line['done'])} of {amount(line['total'])}")
            except InputError as error:
                news.update(f"✗ {many_lines(str(error))}")
                self.query_one("#cancel", Button).label = "Close"
                return
        self.dismiss(True)

    @on(Button.Pressed, "#cancel")
    def _close(self) -> None:
        self.dismiss(False)

    def action_close(self) -> None:
        self.dismiss(False)
