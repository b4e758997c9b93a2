"""A short series of the fuzzer, in a process of its own; CONTRIBUTING has the command for a long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("words", [("--seed", "1", "--count", "200"), ("--reader", "gguf", "--seed", "1", "--count", "12")])
def test_files_broken_at_random_end_in_a_good_result_or_one_line(words: tuple[str, ...]) -> None:
    line = [sys.executable, "-m", "fuzz", *words, "--show"]
    done = subprocess.run(line, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
