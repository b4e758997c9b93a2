"""What the four steps share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, cast

from textual.containers import Vertical

from evomerge_tui.screens.new_run.draft import Draft
from evomerge_tui.screens.new_run.messages import Edited
from evomerge_tui.screens.shell import Shell, shell_of
from evomerge_tui.screens.tells_faults import TellsFaults
from evomerge_tui.screens.work_under_way import UnderWay


class HasPlanner(Protocol):
    """The screen that holds the steps, as the steps know it."""

    async def ask(self, question: str, **parameters: Any) -> Any:
        """Asks the planner and waits for its answer."""


class Step(Vertical, TellsFaults):
    """A step shows a draft and edits it; the screen keeps it and shows it in all steps."""

    SCOPE: ClassVar[str]

    def __init__(self, draft: Draft) -> None:
        super().__init__(id=self.SCOPE)
        self.draft = draft

    @property
    def evomerge(self) -> Shell:
        """The app, as screens know it."""
        return shell_of(self)

    async def ask(self, question: str, **parameters: Any) -> Any:
        """Asks the screen's planner."""
        return await cast("HasPlanner", self.screen).ask(question, **parameters)

    def under_way(self) -> Iterable[UnderWay]:
        """Work that ends with this step's screen."""
        return ()

    def trouble(self) -> str:
        """What is wrong with what is chosen here, as far as it is known; "" for nothing."""
        return ""

    def show(self, draft: Draft) -> None:
        """Shows a draft, which may have been changed elsewhere."""
        self.draft = draft
        self.refresh_draft()

    def refresh_draft(self) -> None:
        """Brings the widgets in line with `draft`."""

    def enter(self) -> None:
        """The step was chosen: puts the focus where the step begins."""

    def edit(self, draft: Draft) -> None:
        """Takes a change, and posts it."""
        if draft.data != self.draft.data:
            self.draft = draft
            self.post_message(Edited(self.SCOPE, draft))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """A hidden step's own actions can't be done; scrolling and focus are everybody's."""
        return self.display or not hasattr(type(self), f"action_{action}")
