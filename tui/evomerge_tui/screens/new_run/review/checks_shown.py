"""The preflight checklist on the screen: a symbol and a word for each state, what was seen, and the remedy below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from evomerge_tui.text.checklist import SIGNS
from evomerge_tui.text.shown_text import one_line

_TONES = {"ok": "$success", "warning": "$warning", "problem": "bold $error"}


class CheckLine(Horizontal):
    """One check."""

    def __init__(self, check: Mapping[str, Any]) -> None:
        super().__init__()
        self._check = check

    def compose(self) -> Iterable[Widget]:
        state = self._check["state"]
        yield Static(Content.styled(f"{SIGNS[state][0]} {state}", _TONES[state]), classes="check-state")
        yield Static(one_line(self._check["subject"], 60), classes="check-subject", markup=False)
        text = [Content(one_line(self._check["text"], 600))]
        if self._check["remedy"]:
            text.append(Content.styled(f"→ {one_line(self._check['remedy'], 400)}", "$text-muted"))
        yield Static(Content("\n").join(text), classes="check-text")


class Checklist(Vertical):
    """All checks, or what is being done meanwhile."""

    def say(self, text: str) -> None:
        """Words instead of checks."""
        self.remove_children()
        self.mount(Static(text, classes="check-news", markup=False))

    def show(self, checks: Iterable[Mapping[str, Any]]) -> None:
        """Problems first, then warnings."""
        order = {"problem": 0, "warning": 1, "ok": 2}
        self.remove_children()
        self.mount_all(CheckLine(check) for check in sorted(checks, key=lambda check: order[check["state"]]))
