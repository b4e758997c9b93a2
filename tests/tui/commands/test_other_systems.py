"""What Windows does otherwise: code pages, files that a scanner holds, and torch without CUDA beside a card."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.files import durable
from evomerge_core.recipe.load import load_recipe
from evomerge_quant.planning.checks import unused_card
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.preflight import preflight
from evomerge_tui.terminal.utf8_output import write_utf8
from support.tiny_run import write_recipe

LAPTOP = Capacity("cpu", "a laptop", 4, 16 * 10**9, 10 * 10**9)


@pytest.mark.parametrize(("terminal", "written"), [(False, "→ 日本\n".encode()), (True, b"? ??\n")])
def test_a_code_page_loses_nothing_that_goes_to_a_file(terminal: bool, written: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252", newline="\n")
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", stream)
    write_utf8()
    sys.stdout.write("→ 日本\n")
    sys.stdout.flush()
    assert raw.getvalue() == written


def hold(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be renamed the first few times."""
    replace, left = Path.replace, iter(range(times))

    def held(source: Path, target: Path) -> Path:
        if next(left, None) is not None:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", held)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(durable, "_WAITS", (0.0, 0.0, 0.0))
    (tmp_path / "part").write_text("whole")
    return tmp_path / "part"


def test_a_file_that_is_held_for_a_moment_is_renamed_on_windows(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    hold(3, monkeypatch)
    durable.rename(file, file.with_name("done"))
    assert file.with_name("done").read_text() == "whole"


@pytest.mark.parametrize(("platform", "times"), [("win32", 9), ("linux", 1)])
def test_a_file_that_stays_held_is_an_error(file: Path, platform: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    hold(times, monkeypatch)
    with pytest.raises(PermissionError):
        durable.rename(file, file.with_name("done"))


@pytest.mark.parametrize(
    ("device", "card", "warned"), [("auto", "RTX 4090", True), ("auto", None, False), ("cpu", "RTX 4090", False)]
)
def test_a_card_that_torch_cannot_use_is_a_warning_with_its_remedy(
    tmp_path: Path, device: str, card: str | None, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_card, "card_name", lambda: card)
    evaluation: Any = {"precision": "nf4", "device": device}
    report = preflight(load_recipe(write_recipe(tmp_path, evaluation=evaluation)), capacity=LAPTOP, out=tmp_path / "run")
    found = [check for check in report.checks if check.subject == "Graphics card"]
    assert len(found) == warned
    assert all(check.state == "warning" and "--index-url" in check.remedy and "RTX 4090" in check.text for check in found)
    assert report.ready
