"""What screens need of the app they run in: settings, folders, messages, and the way to other screens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from textual.dom import DOMNode

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from evomerge_tui.keys.actions import Action
    from evomerge_tui.machine.machine import Machine
    from evomerge_tui.user.settings import Settings


class Shell(Protocol):
    """The app as its screens know it. `folder` is where runs are looked for besides the known ones; `last_message` is what
    Copy message copies."""

    settings: Settings
    folder: Path
    last_message: str

    @property
    def runs_folder(self) -> Path:
        """Where new runs are made."""

    def sense(self, folder: Path) -> Machine:
        """Looks at the machine; for a thread."""

    def use_settings(self, settings: Settings) -> None:
        """Applies settings: theme, symbols, animations, keys."""

    def with_keys(self, text: str) -> str:
        """A text of ours with the keys that actions have at present where their ids stand in braces."""

    def keys_of(self, action: Action) -> str:
        """The keys of an action: those from the settings, or its own."""

    def tell(self, message: str, severity: SeverityLevel = "information") -> None:
        """Shows a short message in the corner; its text may come from data."""

    def tell_fault(self, fault: BaseException) -> None:
        """Says that background work has failed in a way that nobody foresaw, once for each fault, and where it is logged."""

    def copy_text(self, text: str, what: str) -> None:
        """Copies a text to the clipboard and says that `what` was copied."""

    def no_runs(self) -> None:
        """Takes in that there are no runs yet: at the first start a tour begins."""

    def note_state(self, folder: Path, name: str, state: str) -> None:
        """Takes in a run's state as a screen sees it; says when a run that was at work has ended."""

    def open_run(self, folder: Path, *, ship: bool = False) -> None:
        """Opens the dashboard of a run; with `ship` the end of the run that is watched makes its files and opens a chat."""

    def open_export(self, folder: Path, candidate: str | None = None, *, at_once: bool = False) -> None:
        """Opens the export of a run's winner, or of another candidate; `at_once` makes the quickstart's files and chats."""

    def open_chat(self, folder: Path, file: Path | None = None) -> None:
        """Opens a conversation with a run's winner, or with a file that was exported of it."""

    def open_new_run(self, recipe: Path | None = None) -> None:
        """Opens the steps of a new run, starting from a recipe when there is one."""

    def open_comparison(self, folders: tuple[Path, ...]) -> None:
        """Opens runs side by side; one alone to choose others beside it."""

    def open_publishing(self, folder: Path) -> None:
        """Opens what shares a run's winner on the hub."""


def shell_of(node: DOMNode) -> Shell:
    """The app that a screen or widget runs in."""
    return cast("Shell", node.app)
