"""Every action has an id, a description and a tooltip, and can be reached by key, palette, help and mouse."""

from __future__ import annotations

import ast
import re
from itertools import permutations
from pathlib import Path

import pytest
from textual.binding import Binding

import evomerge_tui.screens
from evomerge_tui.keys.actions import ACTIONS, actions_of
from evomerge_tui.keys.clashes import clash
from evomerge_tui.screens.dialogs.help import HelpScreen
from evomerge_tui.screens.new_run.screen import NewRunScreen
from evomerge_tui.screens.page import Page
from evomerge_tui.screens.settings import SettingsScreen
from support.own_widgets import own_classes
from support.screen_tools import click_text, make_app, shown, until


def test_ids_are_unique_and_nothing_is_without_words() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))
    for action in ACTIONS:
        assert action.description, action
        assert action.tooltip, action
        assert action.key, action


def test_all_bindings_come_from_the_registry() -> None:
    classes = own_classes()
    assert len(classes) > 20
    known = {action.id for action in ACTIONS}
    for widget in classes:
        for binding in vars(widget).get("BINDINGS", ()):
            assert isinstance(binding, Binding), widget
            assert binding.id in known, (widget, binding)
            assert binding.description, (widget, binding)
            assert binding.tooltip, (widget, binding)


def test_a_key_of_a_screen_is_refused_to_its_widgets_and_theirs_to_it() -> None:
    screens = [one for one in own_classes() if issubclass(one, Page) and len(getattr(one, "SCOPES", ())) > 1]
    # its steps are there one at a time
    screens.remove(NewRunScreen)
    assert len(screens) > 8
    for screen in screens:
        for first, second in permutations(screen.SCOPES, 2):
            taken, other = actions_of(first)[0], actions_of(second)[0]
            assert clash({other.id: taken.key}) is not None, (screen, first, second)


def test_every_action_can_be_carried_out_somewhere() -> None:
    """A method of that name exists on a class that has the action's scope."""
    from evomerge_tui.app import EvomergeApp

    classes = [*own_classes(), EvomergeApp]
    for action in ACTIONS:
        target, _, name = action.run.partition("(")[0].rpartition(".")
        holders = [EvomergeApp] if target == "app" else [c for c in classes if action.scope in _scopes(c)]
        assert any(hasattr(c, f"action_{name}") for c in holders), action


def _scopes(one: type) -> tuple[str, ...]:
    return (
        *getattr(one, "SCOPES", ()),
        *([one.SCOPE] if hasattr(one, "SCOPE") else []),
        *(("page",) if issubclass(one, Page) else ()),
    )  # type: ignore[attr-defined]


def test_no_key_means_two_things_on_a_screen() -> None:
    for screen in (kind for kind in own_classes() if issubclass(kind, Page) and kind.SCOPES):
        own = screen.SCOPES[0]
        keys: dict[str, str] = {}
        for action in (*actions_of(own), *actions_of("app")):
            for key in action.key.split(","):
                assert keys.setdefault(key, action.id) == action.id, f"{screen.__name__}: {key} is {keys[key]} and {action.id}"


@pytest.mark.anyio
async def test_help_lists_every_action_and_does_what_is_chosen(tmp_path: Path) -> None:
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        possible = [action for action in actions_of("home") if action.name in ("new", "quickstart")]
        for action in (*possible, *actions_of("app")):
            assert action.description in shown(app), action
        assert "Duplicate" not in shown(app), "there is no run to duplicate"
        await click_text(pilot, "Theme, keys, folders")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))


@pytest.mark.anyio
async def test_the_palette_finds_an_action_by_its_words(tmp_path: Path) -> None:
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Search" in shown(app))
        await pilot.press(*"folders")
        await until(pilot, lambda: "Theme, keys, folders" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))


@pytest.mark.anyio
async def test_texts_name_the_keys_that_actions_have(tmp_path: Path) -> None:
    keys = {
        "home.quickstart": "z", "home.new": "f7,n", "app.palette": "ctrl+f", "dashboard.export": "f6", "goal.add": "f5",
        "comparison.tab_curves": "f4", "models.base": "slash", "table.open": "f3",
    }  # fmt: skip
    app = make_app(tmp_path, runs_folder=str(tmp_path), keys=keys)
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        app.action_tour()
        seen = ""
        for _ in range(6):
            await until(pilot, lambda seen=seen: shown(app) not in seen and " of 6: " in shown(app))
            seen += shown(app)
            await pilot.press("right")
        words = " ".join(seen.replace("│", " ").split())
        assert "z on this screen" in words
        assert "f7: choose models" in words
        assert "f3 on a run" in words
        assert "f6 makes GGUF files, c chats" in words
        assert "^f finds actions" in words
        app.open_comparison(())
        await until(pilot, lambda: "f4 Curves" in shown(app) and "2 Verdicts" in shown(app))
        await until(pilot, lambda: "choose two runs or more (f3)" in shown(app))
        app.open_new_run()
        await until(pilot, lambda: "press / on a model" in " ".join(shown(app).split()))
        await pilot.press("2")
        await until(pilot, lambda: "press f5 to add one" in shown(app))


def test_no_text_names_a_key_that_may_be_another() -> None:
    """Keys stand in texts as their actions' ids; enter in a field and esc in a dialog are nobody's to change."""
    known = {action.id for action in ACTIONS}
    folder = Path(evomerge_tui.screens.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"\b[Pp]ress ([a-z?]|space|ctrl\+\w)\b(?! of)", node.value), (path, node.value)
                assert set(re.findall(r"\{(\w+\.\w+)\}", node.value)) <= known, (path, node.value)


@pytest.mark.anyio
async def test_keys_can_be_remapped(tmp_path: Path) -> None:
    app = make_app(tmp_path, runs_folder=str(tmp_path), keys={"app.settings": "f9"})
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("comma")
        await pilot.pause(0.2)
        assert not isinstance(app.screen, SettingsScreen)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
