"""Settings: theme, symbols, priority, folders, the Hub token, keys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from evomerge_core.errors import InputError
from evomerge_tui.keys.actions import ACTIONS, Action
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.keys.clashes import clash
from evomerge_tui.keys.key_names import key_names
from evomerge_tui.screens.page import Page
from evomerge_tui.user.settings import PRIORITIES, Settings, hub_token_is_set, save_hub_token, save_settings, settings_path
from evomerge_tui.widgets.form_row import FormRow, Tick
from evomerge_tui.widgets.rows_table import Cell, Column, RowsTable
from evomerge_tui.widgets.top_bar import TopBar

_SEPARATOR = os.pathsep
_THEMES = (("dark", "dark"), ("light", "light"), ("terminal colours", "ansi"))


class SettingsScreen(Page):
    """What is changed takes effect and is written when it is saved."""

    TITLE = "Settings"
    CSS_PATH = "settings.tcss"
    SCOPES = ("settings", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("settings")

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, str] = {}

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="form", can_focus=False):
            yield FormRow("Theme", Select(_THEMES, id="theme", allow_blank=False, compact=True))
            yield FormRow("Symbols", Tick("Unicode symbols", id="unicode"), "off: for fonts without them")
            yield FormRow("Animations", Tick("on", id="animations"), "off: for slow connections")
            priority = Select([(name, name) for name in PRIORITIES], id="job-priority", allow_blank=False, compact=True)
            yield FormRow("Job priority", priority, "low lets other programs go first")
            yield FormRow(
                "New runs in", Input(id="runs-folder"), "relative to the start folder; a recipe's own output comes first"
            )
            yield FormRow("Models in", Input(id="model-folders"), f"separated by {_SEPARATOR}; Hub cache included")
            yield FormRow("Notices", Tick("on", id="notices"), "a desktop notice when a run ends")
            yield FormRow("Chats", Tick("keep", id="chat-history"), "conversations go on next time; only you can read them")
            token = Input(password=True, id="hub-token", placeholder="paste a new token")
            yield FormRow("Hub token", token, id="token-row")
            yield FormRow("File", Static(str(settings_path()), id="settings-file", markup=False))
            yield Static(self.evomerge.with_keys("Keys: press {table.open} on an action, then its new key"), classes="title")
            yield RowsTable[Action](
                self._key_columns(), lambda action: action.id, sort="where", text=_searched, opens="Change key", id="key-list"
            )

    def on_mount(self) -> None:
        settings = self.evomerge.settings
        self._keys = dict(settings.keys)
        self.query_one("#theme", Select).value = settings.theme
        self.query_one("#unicode", Tick).value = settings.unicode
        self.query_one("#animations", Tick).value = settings.animations
        self.query_one("#job-priority", Select).value = settings.job_priority
        self.query_one("#notices", Tick).value = settings.notices
        self.query_one("#chat-history", Tick).value = settings.chat_history
        self.query_one("#runs-folder", Input).value = settings.runs_folder
        self.query_one("#model-folders", Input).value = _SEPARATOR.join(settings.model_folders)
        self.query_one("#key-list", RowsTable).set_rows(ACTIONS)
        self._show_token()
        self.query_one("#theme").focus()

    def _key_columns(self) -> list[Column[Action]]:
        def keys(action: Action) -> Cell:
            changed = action.id in self._keys
            return key_names(self._keys.get(action.id, action.key)), "best" if changed else ""

        return [
            Column("where", "Where", 10, lambda action: (_where(action), "muted"), ACTIONS.index),
            Column("action", "Action", 15, lambda action: (action.description, ""), lambda action: action.description),
            Column("keys", "Key", 12, keys, lambda action: keys(action)[0]),
            Column(
                "what",
                "What it does",
                0,
                lambda action: (action.tooltip, "muted"),
                lambda action: action.tooltip,
                least_table=90,
            ),
        ]

    @work(thread=True, exclusive=True, group="token", exit_on_error=False)
    def _show_token(self) -> None:
        hint = "is set" if hub_token_is_set() else "not set: gated models unavailable"
        self.app.call_from_thread(self.query_one("#token-row", FormRow).set_hint, hint)

    @on(RowsTable.Opened)
    @work(exclusive=True, group="key")
    async def _ask_key(self, event: RowsTable.Opened) -> None:
        from evomerge_tui.screens.dialogs.press_key import PressKey

        action: Action = event.row
        key = await self.app.push_screen_wait(PressKey(action))
        if key is None:
            return
        keys = {name: chosen for name, chosen in self._keys.items() if name != action.id} | ({action.id: key} if key else {})
        if (found := clash(keys)) is not None:
            changed, other, shared = found
            told = f"{key_names(shared)} is the key of {other.description} ({_where(other)}) already: choose another one"
            self.evomerge.tell(f"{changed.description}: {told}", "error")
            return
        self._keys = keys
        self.query_one("#key-list", RowsTable).refresh()
        self._mark()

    @on(Input.Changed)
    @on(Tick.Changed)
    @on(Select.Changed)
    def _mark(self) -> None:
        """Says that something is not saved yet."""
        changed = self._settings() != self.evomerge.settings or bool(self.query_one("#hub-token", Input).value)
        self.query_one(TopBar).set_standing(Content.styled("● not saved", "$warning") if changed else Content(""))

    def _settings(self) -> Settings:
        """What the form says."""
        folders = self.query_one("#model-folders", Input).value.split(_SEPARATOR)
        values: dict[str, Any] = {
            "theme": self.query_one("#theme", Select).value,
            "unicode": self.query_one("#unicode", Tick).value,
            "animations": self.query_one("#animations", Tick).value,
            "job_priority": self.query_one("#job-priority", Select).value,
            "runs_folder": self.query_one("#runs-folder", Input).value.strip() or Settings().runs_folder,
            "model_folders": tuple(folder.strip() for folder in folders if folder.strip()),
            "notices": self.query_one("#notices", Tick).value,
            "chat_history": self.query_one("#chat-history", Tick).value,
            "keys": dict(self._keys),
        }
        return Settings(**values)

    def action_save(self) -> None:
        settings = self._settings()
        missing = [folder for folder in settings.model_folders if not Path(folder).expanduser().is_dir()]
        if missing:
            self.evomerge.tell(f"Models in: no such folder: {missing[0]}", "error")
            return
        box = self.query_one("#hub-token", Input)
        try:
            if box.value.strip():
                save_hub_token(box.value)
                box.value = ""
            save_settings(settings)
        except InputError as error:
            self.evomerge.tell(str(error), "error")
            return
        self.evomerge.use_settings(settings)
        self._show_token()
        self._mark()
        self.evomerge.tell("Settings saved")


def _where(action: Action) -> str:
    """The screen or widget of an action, as a person calls it."""
    return {"app": "Everywhere", "page": "Screens", "dialog": "Dialogs", "table": "Lists", "new_run": "New run"}.get(
        action.scope, action.scope.capitalize()
    )


def _searched(action: Action) -> str:
    return f"{action.id} {action.tooltip}"
