"""Fixtures of the command tests: one finished tiny run serves them all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import command
from tiny_run import write_recipe


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A finished run's folder, and what `run --json` said. Its recipe and models lie beside it."""
    place = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(place)
    return place / "run", command("run", recipe, "--out", place / "run", "--json")
