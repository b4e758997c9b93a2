"""The text UI: `evomerge-tui` without arguments."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter, NoColor
from textual.screen import Screen

from evomerge_core.errors import InputError
from evomerge_tui.keys.actions import Action
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.keys.key_names import with_keys
from evomerge_tui.keys.known_things import KnownThings
from evomerge_tui.keys.palette import ActionCommands, carry_out
from evomerge_tui.screens.home import HomeScreen
from evomerge_tui.screens.leave_field import leave_field
from evomerge_tui.screens.page import HEIGHTS, WIDTHS, Page
from evomerge_tui.screens.run_endings import RunEndings
from evomerge_tui.screens.tells_faults import TellsFaults
from evomerge_tui.terminal.ascii_filter import AsciiOnly, to_ascii
from evomerge_tui.terminal.clipboard import copy_to_system
from evomerge_tui.terminal.desktop_notice import notice_sequence
from evomerge_tui.terminal.themes import NAMES, THEMES
from evomerge_tui.text.shown_text import one_line
from evomerge_tui.user.fault_log import log_fault
from evomerge_tui.user.settings import THEMES as THEME_WORDS
from evomerge_tui.user.settings import Settings, Theme, load_settings, save_settings
from evomerge_tui.user.user_paths import tour_path

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from evomerge_tui.machine.machine import Machine
    from evomerge_tui.screens.shell import Shell
    from evomerge_tui.screens.work_under_way import UnderWay

_LAST_SECONDS = 3.0
_HUNG_UP = 129
_THEME_NAMES = {"ansi": "terminal colours"}
_KEY_WORDS = {"enter": "enter", "escape": "esc", "delete": "del", "slash": "/"}


class EvomergeApp(App[int], TellsFaults):
    """The app. `folder` is where runs are looked for beside the known ones; `sense` looks at the machine; `tour`: whether a
    person without runs is shown around, once."""

    TITLE = "evomerge-tui"
    # the first screen's sheet too: Textual loads a screen's own when it is pushed, and the default screen never is
    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", "screens/home.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionCommands, KnownThings}
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    NOTIFICATION_TIMEOUT = 6

    def __init__(
        self,
        settings: Settings,
        *,
        folder: Path | None = None,
        sense: Callable[[Path], Machine] | None = None,
        tour: bool = False,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.folder = folder or Path.cwd()
        self._sense = sense
        self.last_message = ""
        self._endings = RunEndings()
        self._told_faults: set[str] = set()
        self._tour = tour
        self._ascii = AsciiOnly()
        for theme in THEMES:
            self.register_theme(theme)
        self.use_settings(settings)

    @property
    def runs_folder(self) -> Path:
        """Where new runs are made."""
        return self.folder / Path(self.settings.runs_folder).expanduser()

    def sense(self, folder: Path) -> Machine:
        """Looks at the machine; for a thread."""
        from evomerge_tui.machine.machine import read_machine

        return (self._sense or read_machine)(folder)

    def use_settings(self, settings: Settings) -> None:
        """Applies settings: theme, symbols, animations, keys."""
        self.settings = settings
        self.theme = NAMES["ansi" if self.no_color else settings.theme]
        self._ascii.enabled = not settings.unicode
        self.animation_level = "full" if settings.animations else "none"
        self.set_keymap(dict(settings.keys))

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's own, and ASCII only when that is asked for.

        With NO_COLOR no colour at all is sent; Textual would send shades of grey.
        """
        own = [NoColor()] if self.no_color else super().get_line_filters()
        return [*own, *([self._ascii] if self._ascii.enabled else [])]

    def get_default_screen(self) -> Screen[None]:
        return HomeScreen()

    def on_mount(self) -> None:
        self._leave_with_the_terminal()
        self._load_what_comes_next()

    # what every screen can do

    def tell(self, message: str, severity: SeverityLevel = "information") -> None:
        """A short message in the corner; the text may come from data. It can be copied afterwards."""
        self.last_message = message
        self.notify(one_line(message, 600), severity=severity, markup=False, timeout=12 if severity == "error" else 6)

    def tell_fault(self, fault: BaseException) -> None:
        """Says once that background work has failed in a way that nobody foresaw, and where it is logged."""
        said = repr(fault)
        if said in self._told_faults:
            return
        self._told_faults.add(said)
        log = log_fault(fault)
        where = "" if log is None else f" Details: {log}"
        self.tell(f"This screen has met a fault of the program, and something on it may be missing: {said}.{where}", "error")

    def note_state(self, folder: Path, name: str, state: str) -> None:
        """Says once, here and on the desktop, when a run that was at work has ended."""
        ended = self._endings.seen(str(folder), one_line(name, 60), state)
        if ended is not None:
            self.tell(ended)
            self._tell_desktop(ended)

    def _tell_desktop(self, text: str) -> None:
        """Through the terminal, where there is one: a browser and a pipe would show the sequence's letters."""
        if self.settings.notices and self._driver is not None and not (self.is_headless or self.is_web or not _is_terminal()):
            self._driver.write(notice_sequence(text if self.settings.unicode else to_ascii(text), os.environ))

    def copy_text(self, text: str, what: str) -> None:
        """Copies by OSC 52, which reaches through SSH and tmux, and to the system's clipboard."""
        self.copy_to_clipboard(text)
        self._copy_to_system(text, what)

    @work(thread=True, exit_on_error=False)
    def _copy_to_system(self, text: str, what: str) -> None:
        copy_to_system(text)
        self.call_from_thread(self.notify, f"Copied {what}", markup=False, timeout=2)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action != "back_or_stay" or len(self.screen_stack) > 1

    def get_key_display(self, binding: Binding) -> str:
        """Words where Textual has symbols that not every font has."""
        return _KEY_WORDS.get(binding.key) or super().get_key_display(binding)

    def action_help(self) -> None:
        from evomerge_tui.screens.dialogs.help import HelpScreen

        below = self.screen
        if isinstance(below, HelpScreen):
            return

        async def do(action: Action | None) -> None:
            if action is not None:
                await carry_out(below, action)

        self.push_screen(HelpScreen(below), do)

    def keys_of(self, action: Action) -> str:
        """The keys that an action has here: the settings' or its own."""
        return self.settings.keys.get(action.id, action.key)

    def with_keys(self, text: str) -> str:
        """A text of ours with the keys that actions have at present where their ids stand in braces."""
        return with_keys(text, self.settings.keys)

    def no_runs(self) -> None:
        """The first start: shows around, and remembers that it did."""
        if self._tour:
            self._tour = False
            with contextlib.suppress(OSError):
                tour_path().parent.mkdir(parents=True, exist_ok=True)
                tour_path().touch()
            self.action_tour()

    def action_tour(self) -> None:
        from evomerge_tui.screens.dialogs.tour import Tour

        if not isinstance(self.screen, Tour):
            self.push_screen(Tour())

    def action_settings(self) -> None:
        from evomerge_tui.screens.settings import SettingsScreen

        self._open_once(SettingsScreen)

    def action_doctor(self) -> None:
        from evomerge_tui.screens.doctor import DoctorScreen

        self._open_once(DoctorScreen)

    def action_next_theme(self) -> None:
        words = list(THEME_WORDS)
        theme = words[(words.index(self.settings.theme) + 1) % len(words)]
        self.use_settings(replace(self.settings, theme=theme))
        self.notify(f"Theme: {_THEME_NAMES.get(theme, theme)}", markup=False, timeout=3)
        self._keep_theme(theme)

    @work(thread=True, exclusive=True, group="theme", exit_on_error=False)
    def _keep_theme(self, theme: Theme) -> None:
        """Saves it; of what the command line changed for this session, such as --no-unicode, nothing is saved."""
        try:
            save_settings(replace(load_settings(), theme=theme))
        except InputError as error:
            self.call_from_thread(self.tell, f"The theme isn't saved: {error}", "warning")

    def action_copy_message(self) -> None:
        if self.last_message:
            self.copy_text(self.last_message, "message")

    def action_back_or_stay(self) -> None:
        if leave_field(self.screen):
            return
        if len(self.screen_stack) > 1:
            self._ask_and_go_back() if _works([self.screen]) else self.pop_screen()

    @work(exclusive=True, group="leaving")
    async def _ask_and_go_back(self) -> None:
        from evomerge_tui.screens.dialogs.under_way import may_end

        screen = self.screen
        if await may_end(self, _works([screen]), "End it") and self.screen is screen:
            self.pop_screen()

    async def action_quit(self) -> None:
        """Asks what to do about running jobs; leaves where there are none."""
        from evomerge_tui.screens.dialogs.leaving import Leaving

        if isinstance(self.screen, Leaving):
            self.exit(0)
        else:
            self._ask_and_leave()

    @work(exclusive=True, group="leaving")
    async def _ask_and_leave(self) -> None:
        from evomerge_tui.screens.dialogs.leaving import Leaving, live_runs, stop
        from evomerge_tui.screens.dialogs.under_way import may_end

        if not await may_end(self, _works(self.screen_stack), "Quit"):
            return
        runs = await live_runs(self.folder)
        if not runs:
            self.exit(0)
            return
        answer = await self.push_screen_wait(Leaving(runs))
        if answer == "stop":
            await stop(runs)
        if answer in ("detach", "stop"):
            self.exit(0)

    def open_run(self, folder: Path, *, ship: bool = False) -> None:
        """The dashboard of a run; with `ship` its end makes the files and opens a chat."""
        from evomerge_tui.screens.dashboard.dashboard import DashboardScreen

        self.push_screen(DashboardScreen(folder, ship=ship))

    def open_export(self, folder: Path, candidate: str | None = None, *, at_once: bool = False) -> None:
        """The steps from a winner, or another candidate, to a GGUF."""
        from evomerge_tui.screens.export.export import ExportScreen

        self.push_screen(ExportScreen(folder, candidate, at_once=at_once))

    def open_chat(self, folder: Path, file: Path | None = None) -> None:
        """A conversation with a run's winner, or with a file that was exported of it."""
        from evomerge_tui.screens.chat.chat import ChatScreen

        self.push_screen(ChatScreen(folder, file))

    def open_new_run(self, recipe: Path | None = None) -> None:
        """The steps of a new run, from a recipe when there is one."""
        from evomerge_tui.screens.new_run.screen import NewRunScreen

        self.push_screen(NewRunScreen(recipe))

    def open_comparison(self, folders: tuple[Path, ...]) -> None:
        """Runs side by side; one alone to choose others beside it."""
        from evomerge_tui.screens.comparison.comparison import ComparisonScreen

        self.push_screen(ComparisonScreen(folders))

    def open_publishing(self, folder: Path) -> None:
        """A run's winner, to be shared on the hub."""
        from evomerge_tui.screens.publishing.publishing import PublishingScreen

        self.push_screen(PublishingScreen(folder))

    def _open_once(self, screen: type[Screen[None]]) -> None:
        if not any(isinstance(opened, screen) for opened in self.screen_stack):
            self.push_screen(screen())

    @work(thread=True, exit_on_error=False)
    def _load_what_comes_next(self) -> None:
        """The dashboard's plot needs numpy: loaded while the first screen is read, so that opening it takes no time."""
        import evomerge_tui.screens.dashboard.dashboard  # noqa: F401

        # what is loaded by now stays: the collector need not look through it again while keys are waiting
        gc.freeze()

    def _leave_with_the_terminal(self) -> None:
        """When the terminal goes, so do we: Textual has no handler, and would read nothing forever at full speed."""

        def leave() -> None:
            # leaving writes to a terminal that may take nothing more: wait a little, then go anyway
            last = threading.Timer(_LAST_SECONDS, os._exit, (_HUNG_UP,))
            last.daemon = True
            last.start()
            self.exit(_HUNG_UP)

        if not self.is_headless:
            threading.Thread(target=_end_with_the_terminal, name="terminal", daemon=True).start()
        for name in ("SIGHUP", "SIGTERM"):
            # Windows has neither the one nor handlers in the loop, and a loop beside the main thread takes none
            with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), leave)


if TYPE_CHECKING:
    # the app is what its screens take it for
    _: type[Shell] = EvomergeApp


def _works(screens: Iterable[Screen[Any]]) -> list[UnderWay]:
    """What these screens do that ends with them."""
    return [one for screen in screens if isinstance(screen, Page) for one in screen.under_way()]


def _is_terminal() -> bool:
    return sys.__stdout__ is not None and sys.__stdout__.isatty()


def _end_with_the_terminal() -> None:
    """Waits for the terminal to go, and ends the process a little later. A loop that waits for a dead terminal to take what it
    writes handles no signal any more; where it still does, it is gone before."""
    if not hasattr(select, "poll"):
        return  # Windows ends a console's processes itself
    terminal = select.poll()
    terminal.register(sys.__stdin__.fileno() if sys.__stdin__ else 0, select.POLLHUP)
    if any(event & select.POLLHUP for _, event in terminal.poll()):
        time.sleep(_LAST_SECONDS)
        os._exit(_HUNG_UP)


def open_screens(*, unicode: bool, folder: Path | None = None) -> int:
    """Shows the UI until it is left; returns the exit status."""
    settings = load_settings()
    if not unicode:
        settings = replace(settings, unicode=False)
    if not (sys.stdin.isatty() or os.environ.get("TEXTUAL_DRIVER")):
        raise InputError("the screens need a terminal", remedy="`evomerge-tui --help` lists the commands that don't")
    status = EvomergeApp(settings, folder=folder, tour=not tour_path().exists()).run()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    return status or 0
