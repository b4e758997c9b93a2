"""Settings: one file, written whole, whose mistakes are named; a token that is never shown."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from evomerge_core.errors import InputError
from evomerge_tui.keys.clashes import clash
from evomerge_tui.user.settings import Settings, hub_token_is_set, load_settings, save_hub_token, save_settings, settings_path
from support.screen_tools import click_text, make_app, shown, until


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    settings = Settings(theme="light", unicode=False, model_folders=("/models",), keys={"app.help": "f8"})
    save_settings(settings, tmp_path / "deep" / "settings.yaml")
    assert load_settings(tmp_path / "deep" / "settings.yaml") == settings
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["settings.yaml"]


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.yaml") == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme: dark\nanimation: true\n", ["settings.yaml:2", "animation", "did you mean 'animations'"]),
        ("theme: drak\n", ["settings.yaml:1", "theme", "dark"]),
        ("unicode: 3\n", ["settings.yaml:1", "unicode"]),
        ("keys:\n  app.hepl: f2\n", ["settings.yaml:2", "app.hepl", "did you mean 'app.help'"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path / "settings.yaml")
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_token_lies_where_the_hubs_library_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert not hub_token_is_set()
    save_hub_token(" hf_secret\n")
    assert hub_token_is_set()
    assert (tmp_path / "token").read_text() == "hf_secret"
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.anyio
async def test_the_screen_saves_with_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("comma")
        await until(pilot, lambda: "Hub token" in shown(app))
        await pilot.press("tab", "space")
        app.screen.query_one("#hub-token").focus()
        await pilot.press(*"hf_secret")
        assert "hf_secret" not in shown(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: (tmp_path / "token").exists() and settings_path().exists())
        assert load_settings().unicode is False
        assert "hf_secret" not in settings_path().read_text()
        assert "hf_secret" not in app.export_screenshot()
        await until(pilot, lambda: shown(app).isascii())


@pytest.mark.anyio
async def test_the_mouse_changes_the_theme_and_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "? Help" in shown(app))
        await click_text(pilot, "? Help")
        await click_text(pilot, "Theme, keys, folders")
        await until(pilot, lambda: "Hub token" in shown(app))
        await click_text(pilot, "dark")
        await click_text(pilot, "light")
        await click_text(pilot, "Help", beside="f1", times=2)
        await until(pilot, lambda: "Press the new key" in shown(app))
        await pilot.press("f8")
        await click_text(pilot, "^s Save")
        await until(pilot, lambda: settings_path().exists())
        assert load_settings().theme == "light"
        assert load_settings().keys == {"app.help": "f8"}
        assert app.theme == "evomerge-light"


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"dashboard.pause": "r"}, ("dashboard.resume", "'r'")),
        ({"dashboard.pause": "f1"}, ("app.help", "'f1'")),
        ({"models.use": "ctrl+n"}, ("new_run.next", "'ctrl+n'")),
        ({"home.new": "f8", "home.quickstart": "f7,f8"}, ("'f8'",)),
    ],
)
def test_a_key_that_is_bound_twice_is_refused(keys: dict[str, str], named: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({"keys": keys}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_settings(file)
    for words in (str(file), next(iter(keys)), *named):
        assert words in str(caught.value)


def test_keys_that_are_never_there_together_may_be_the_same() -> None:
    assert clash({"models.use": "t", "models.rank": "u"}) is None
    assert clash({"goal.try": "b", "dashboard.pause": "n"}) is None
    assert clash({}) is None


@pytest.mark.anyio
async def test_the_screen_refuses_a_key_that_is_bound_already(tmp_path: Path) -> None:
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("comma")
        await click_text(pilot, "Help", beside="f1", times=2)
        await until(pilot, lambda: "Press the new key" in shown(app))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "^t is the key of Theme" in app.last_message)
        assert "not saved" not in shown(app)


@pytest.mark.anyio
async def test_the_theme_that_a_key_chose_is_there_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    save_settings(Settings(unicode=True, job_priority="normal"))
    app = make_app(tmp_path, runs_folder=str(tmp_path), unicode=False)
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: load_settings().theme == "light")
    # what this start alone was given, as by --no-unicode, isn't kept
    assert load_settings() == Settings(theme="light", unicode=True, job_priority="normal")
