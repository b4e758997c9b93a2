"""Paths in what commands say can be copied into a shell: the shell is the oracle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evomerge_core.files.full_disk import resume_it
from evomerge_core.files.path_text import on_command_line

NAMES = ["runs/first", "my runs/it's $HOME", "a;b & c", "-x", "日本 語", "~/runs", 'a "b"', "*"]


@pytest.mark.skipif(sys.platform == "win32", reason="asks a POSIX shell")
@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_the_path_that_was_meant(name: str, tmp_path: Path) -> None:
    said = subprocess.run(["sh", "-c", f"printf %s {on_command_line(name)}"], cwd=tmp_path, capture_output=True, check=True)
    assert Path(said.stdout.decode()) == Path(name)
    assert not said.stdout.startswith(b"-")


def test_a_plain_path_stays_plain() -> None:
    assert on_command_line("/home/me/runs/first-1") == "/home/me/runs/first-1"
    assert on_command_line(r"C:\runs\first", windows=True) == r"C:\runs\first"
    assert on_command_line(r"C:\my runs\a&b", windows=True) == '"C:\\my runs\\a&b"'


def test_what_to_do_with_a_run_names_it_so() -> None:
    assert resume_it(Path("my runs/a")) == "`evomerge-tui resume 'my runs/a'`"
