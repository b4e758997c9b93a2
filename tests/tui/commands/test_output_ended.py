"""Commands whose output can't be written: nobody reads it any more, its disk is full, or it was closed before."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evomerge_tui.cli import recipes
from evomerge_tui.cli.main import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="of POSIX's pipes and devices")
_LINE = [sys.executable, "-m", "evomerge_tui", "recipes"]


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["table", "json"])
def test_a_command_whose_reader_has_ended_says_nothing(more: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*_LINE, *more], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["table", "json"])
def test_output_to_a_full_disk_is_one_line(more: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*_LINE, *more], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: standard output: can't be written (No space left on device); have it go to another place"
    ]


def test_a_command_without_an_output_does_its_work() -> None:
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *_LINE]
    done = subprocess.run(closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_pipe_to_another_process_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def break_off(*_: Any) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(recipes, "_recipes", break_off)
    assert main(["recipes"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: a process that this one works with has ended")
    assert len(said.splitlines()) == 1
