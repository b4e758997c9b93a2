"""What all screens share: a line at the top, keys at the bottom, and a notice where the terminal is too small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import events, on
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from evomerge_tui.keys.actions import actions_of
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.shell import Shell, shell_of
from evomerge_tui.screens.tells_faults import TellsFaults
from evomerge_tui.widgets.key_line import KeyLine
from evomerge_tui.widgets.panel_tabs import PanelTabs
from evomerge_tui.widgets.small_notice import SmallNotice
from evomerge_tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from evomerge_tui.screens.work_under_way import UnderWay

ResultT = TypeVar("ResultT")

# From these sizes on a class is set; the smallest shows the notice instead of a broken layout.
WIDTHS = [(0, "-tiny"), (40, "-narrow"), (100, "-normal"), (140, "-wide")]
_PHONE, SLIM = 60, 80
HEIGHTS = [(0, "-flat"), (20, "-short"), (34, "-tall")]


class Page(Screen[None], TellsFaults):
    """A whole screen. Subclasses give `TITLE`, `SCOPES` (of their actions) and `body`."""

    DEFAULT_CLASSES = "page"
    SCOPES: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = bindings("page")

    @property
    def evomerge(self) -> Shell:
        """The app, as screens know it."""
        return shell_of(self)

    def compose(self) -> Iterable[Widget]:
        yield TopBar(self.TITLE or "")
        yield from self.body()
        yield KeyLine(show_command_palette=False)
        yield SmallNotice()

    @on(events.Resize)
    def _resized(self, event: events.Resize) -> None:
        """A phone's width leaves out what isn't needed, besides what a narrow terminal does; less than the usual 80 columns
        have no room for all keys."""
        self.set_class(event.size.width < _PHONE, "-phone")
        self.set_class(event.size.width < SLIM, "-slim")

    def under_way(self) -> Iterable[UnderWay]:
        """Work that ends with this screen; leaving it asks first."""
        return ()

    def tabs(self, titles: Mapping[str, str]) -> PanelTabs:
        """Names of panels, each after the key that shows it. `titles` are by the name of the panel, which that of its action
        ends with."""
        actions = {action.name.removeprefix("tab_").removeprefix("panel_"): action.id for action in actions_of(self.SCOPES[0])}
        return PanelTabs({name: f"{self.evomerge.with_keys(f'{{{actions[name]}}}')} {titles[name]}" for name in titles})

    def body(self) -> Iterable[Widget]:
        """The widgets between the top line and the keys."""
        return ()


class Dialog(ModalScreen[ResultT], TellsFaults):
    """A question or a list over a screen, for decisions only."""

    DEFAULT_CLASSES = "dialog"
    SCOPES: ClassVar[tuple[str, ...]] = ("dialog",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("dialog")

    @property
    def evomerge(self) -> Shell:
        """The app, as screens know it."""
        return shell_of(self)

    def action_close(self) -> None:
        self.dismiss(None)
