"""The files that the fuzzer breaks are sound, and every command that reads them does what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_tui.cli.main import main
from evomerge_tui.user.settings import load_settings
from fuzz.readers import commands
from fuzz.seeds import write_seeds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    write_seeds(folder)
    return folder


@pytest.mark.parametrize("command", [words for words in commands() if words[0] != "settings"], ids=" ".join)
def test_a_sound_file_is_read(
    command: tuple[str, ...], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    status = main([*(str(tmp_path / "out") if word == "OUT" else word for word in command), "--json"])
    # gsm8k's items, which a genome file asks for, aren't on this machine.
    assert status == (1 if command[1] == "genome.yml" else 0), capsys.readouterr()


def test_sound_settings_are_read(folder: Path) -> None:
    assert load_settings(folder / "settings.yaml").theme == "light"
