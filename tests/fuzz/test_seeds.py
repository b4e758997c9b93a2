"""The files that the fuzzer breaks are sound, and every command that reads them does what it is for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from evomerge_tui.cli.main import main
from fuzz.inner import INNER, carry_out
from fuzz.readers import commands
from fuzz.seeds import write_seeds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    write_seeds(folder)
    return folder


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_sound_file_is_read(
    command: tuple[str, ...], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    words = [str(tmp_path / "out") if word == "OUT" else word for word in command]
    status = carry_out(words) if words[0] in INNER else main([*words, "--json"])
    # gsm8k's items, which a genome file asks for, aren't on this machine.
    assert status == (1 if command[1] == "genome.yml" else 0), capsys.readouterr()


def test_what_no_command_reads_is_read_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    read = {words: INNER[words[0]](*words[1:]) for words in commands() if words[0] in ("settings", "history", "votes")}
    assert [*read.values()] == [3, 1, "light"]
