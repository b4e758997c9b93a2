"""Fixtures of the command tests: one finished tiny run serves them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import write_recipe


def command(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `evomerge-tui` as a person does: a process of its own."""
    line = [sys.executable, "-m", "evomerge_tui", *(str(word) for word in words)]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A finished run's folder, and what `run --json` said. Its recipe and models lie beside it."""
    place = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(place)
    return place / "run", command("run", recipe, "--out", place / "run", "--json")
