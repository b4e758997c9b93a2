"""A short series of the fuzzer, in a process of its own; CONTRIBUTING has the command for a long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_files_broken_at_random_end_in_a_good_result_or_one_line() -> None:
    line = [sys.executable, "-m", "fuzz", "--seed", "1", "--count", "200", "--show"]
    done = subprocess.run(line, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
