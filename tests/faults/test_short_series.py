"""A short series of faults, in a process of its own: `python -m faults --table` tries every place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir() or os.name == "nt", reason="watches files by /proc, and forks")
def test_faults_at_drawn_places_lose_nothing() -> None:
    line = [sys.executable, "-m", "faults", "--sample", "1", "--seed", "16"]
    done = subprocess.run(line, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    # a fault of each kind in each part
    assert "18 faults in" in done.stdout
