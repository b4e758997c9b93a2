"""A trial of the base and the parents on a few items, in a process of its own."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from textual import on, work
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static
from textual.worker import Worker

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import dump_yaml
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.dialogs.under_way import may_end
from evomerge_tui.screens.new_run.draft import Draft, moved_to
from evomerge_tui.screens.shell import shell_of
from evomerge_tui.screens.tells_faults import TellsFaults
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.quantities import duration, percent
from evomerge_tui.text.shown_text import one_line

ITEMS = 8
_INTRODUCTION = (
    "How well do the parents do already? Press {goal.try} to score base and parents on 8 items of each task, "
    "in the precision of the search."
)


class ParentsTrial(Vertical, TellsFaults):
    """Starts the trial, shows each parent as it is scored, and its answers."""

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self._worker: Worker[None] | None = None
        self._began = 0.0
        self._parents: list[dict[str, Any]] = []

    def compose(self) -> Iterable[Widget]:
        with Horizontal(classes="toolbar"):
            yield Button("Try parents now", id="try-parents", tooltip="Score the parents on 8 items; press again to cancel")
            yield Static("", id="try-news", markup=False)
        with VerticalScroll(id="try-scroll", can_focus=True):
            yield Static(shell_of(self).with_keys(_INTRODUCTION), id="try-text", markup=False)

    def show(self, draft: Draft) -> None:
        self._draft = draft

    def under_way(self) -> Iterable[UnderWay]:
        """The trial that is running."""
        if self._worker is not None and self._worker.is_running:
            yield UnderWay("The trial of the parents", self._began)

    @on(Button.Pressed, "#try-parents")
    def toggle(self) -> None:
        """Starts a trial, or cancels the one that is running; asks first when that has taken long."""
        if self._worker is not None and self._worker.is_running:
            self._ask_and_cancel(self._worker)
        elif self._draft is not None:
            self._began = time.monotonic()
            self._worker = self._try(self._draft)

    @work(exclusive=True, group="cancel")
    async def _ask_and_cancel(self, trial: Worker[None]) -> None:
        if await may_end(self.app, self.under_way(), "Cancel it"):
            trial.cancel()

    @work(exclusive=True, group="try")
    async def _try(self, draft: Draft) -> None:
        self._parents = []
        self._news("Loading the models …", running=True)
        try:
            with tempfile.TemporaryDirectory(prefix="evomerge-try-") as folder:
                recipe = Path(folder) / "recipe.yaml"
                recipe.write_text(dump_yaml(dict(moved_to(draft, Path(folder)).data)), encoding="utf-8")
                async for line in command_lines(("try", recipe, "--items", ITEMS)):
                    if "label" in line:
                        self._parents.append(line)
                        self._show(f"{len(self._parents)} scored …", running=True)
            self._show("Done", running=False)
        except InputError as error:
            shell_of(self).tell(str(error), "error")
            self._news(f"✗ {error}", running=False)
        except asyncio.CancelledError:
            if self.is_attached:
                self._news("Cancelled", running=False)
            raise

    def _show(self, news: str, *, running: bool) -> None:
        self._news(news, running=running)
        self.query_one("#try-text", Static).update(trial_text(self._parents))

    def _news(self, text: str, *, running: bool) -> None:
        self.query_one("#try-news", Static).update(one_line(text))
        self.query_one("#try-parents", Button).label = "Cancel" if running else "Try parents now"


def trial_text(parents: list[dict[str, Any]]) -> Content:
    """Scores, and what each parent answered."""
    heads = [_head(parent) for parent in parents]
    return Content("\n").join([*heads, *(line for parent in parents for line in _answers(parent))])


def _head(parent: dict[str, Any]) -> Content:
    score = parent["failure"] if parent["score"] is None else percent(parent["score"], 0)
    took = (f"   {duration(parent['seconds'])}", "$text-muted")
    return Content.assemble((f"{one_line(parent['label'], 40)}: {one_line(str(score))}", "bold"), took)


def _answers(parent: dict[str, Any]) -> Iterator[Content]:
    yield Content.styled(f"\n{one_line(parent['label'], 40)}", "bold")
    for answer in parent["answers"]:
        notes = [note for note, so in (("cut off", answer["truncated"]), ("other language", not answer["language_ok"])) if so]
        sign = ("✓ ", "$success") if answer["value"] >= 1 else ("✗ ", "$error") if answer["value"] <= 0 else ("~ ", "$warning")
        note = (f" ({', '.join(notes)})", "$warning") if notes else ""
        yield Content.assemble(sign, one_line(answer["answer"], 300), note)
