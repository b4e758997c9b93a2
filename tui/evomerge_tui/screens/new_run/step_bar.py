"""The four steps in a line: where one is, what is done, what is still lacking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from evomerge_tui.screens.new_run.messages import StepChosen

STEPS = {"models": "Models", "goal": "Goal", "search": "Search", "review": "Review"}


class StepTitle(Static):
    """One step's title; a click goes there."""

    def __init__(self, step: str) -> None:
        super().__init__(markup=False, id=f"to-{step}", classes="step-title")
        self.step = step

    def on_click(self) -> None:
        self.post_message(StepChosen(self.step))


class StepBar(Horizontal):
    """Titles of the steps, with a symbol each: complete or not."""

    def compose(self) -> Iterable[Widget]:
        for number, step in enumerate(STEPS):
            if number:
                yield Static("›", classes="step-arrow", markup=False)
            yield StepTitle(step)

    def show(self, current: str, lacking: Mapping[str, str]) -> None:
        """`lacking` says for each step what it still needs, "" when it is whole."""
        for number, (step, title) in enumerate(STEPS.items(), start=1):
            widget = self.query_one(f"#to-{step}", StepTitle)
            sign = "…" if lacking[step] else "✓"
            # a phone has room for one name
            name = f"{title} " if step == current or not self.screen.has_class("-phone") else ""
            widget.update(Text(f"{number} {name}{sign}"))
            widget.tooltip = lacking[step] or f"{title}: complete"
            widget.set_class(step == current, "-current")
            widget.set_class(not lacking[step], "-done")
