"""`?`: every action of the screen below, with its key; enter or a click runs it."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from evomerge_tui.keys.actions import ACTIONS, Action
from evomerge_tui.keys.key_names import key_names
from evomerge_tui.keys.palette import actions_on
from evomerge_tui.screens.page import Dialog

_HEADINGS = {"app": "Everywhere", "page": "Everywhere", "table": "Lists", "plot": "Plot"}


class HelpScreen(Dialog[Action]):
    """Gives the action that was chosen."""

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        self._actions = actions_on(below)

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box", id="help"):
            yield OptionList(*self._options(), id="actions", markup=False)

    def on_mount(self) -> None:
        box = self.query_one("#help")
        box.border_title = "Actions"
        box.border_subtitle = "enter: run · esc: close"

    def _options(self) -> Iterable[Option]:
        heading = ""
        for action in sorted(
            self._actions, key=lambda action: list(_HEADINGS).index(action.scope) if action.scope in _HEADINGS else -1
        ):
            head = _HEADINGS.get(action.scope, "This screen")
            if head != heading:
                yield Option(Content.styled(head, "bold $text-muted"), disabled=True)
                heading = head
            keys = key_names(self.evomerge.keys_of(action))
            yield Option(
                Content.assemble(
                    (f"{keys:<12}", "$primary"), f"{action.description:<14}", (f" {action.tooltip}", "$text-muted")
                ),
                id=action.id,
            )

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(next(action for action in ACTIONS if action.id == event.option_id))
