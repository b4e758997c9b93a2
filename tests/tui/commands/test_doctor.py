"""Doctor: says what is there, and how what is missing is mended."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from evomerge_tui.machine.doctor.surroundings import machine_checks, terminal_checks, writable_check
from evomerge_tui.machine.machine import read_machine
from support.command_line import command
from support.screen_tools import make_app, shown, until


def test_the_command_names_the_installed_versions() -> None:
    checks = {check["name"]: check for check in json.loads(command("doctor", "--json").stdout.splitlines()[-1])["checks"]}
    assert version("torch") in checks["torch"]["found"]
    assert version("bitsandbytes") in checks["bitsandbytes"]["found"]
    assert {"hub", "hub token", "language detection", "disk", "RAM", "C++ compiler", "terminal encoding"} <= set(checks)
    for check in checks.values():
        assert check["state"] != "missing" or check["remedy"], check


def test_what_is_missing_comes_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (compiler,) = [check for check in machine_checks(read_machine(tmp_path)) if check.name == "C++ compiler"]
    assert compiler.state == "note"
    assert compiler.remedy


def test_a_folder_that_cant_be_written_is_reported(tmp_path: Path) -> None:
    assert writable_check(tmp_path).state == "ok"
    assert writable_check(tmp_path / "nowhere").state == "missing"


def test_a_terminal_without_colours_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    found = {check.name: check for check in terminal_checks()}
    assert found["terminal colours"].found == "256"
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert {check.name: check for check in terminal_checks()}["terminal colours"].state == "ok"


@pytest.mark.anyio
async def test_the_screen_shows_the_checks(tmp_path: Path) -> None:
    app = make_app(tmp_path, runs_folder=str(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: version("torch") in shown(app), 120)
        assert "bitsandbytes" in shown(app)
