"""Fixtures of the command tests: one finished tiny run serves them all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command_line import command
from support.tiny_run import write_recipe


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings and known runs of the tests alone, and a clock's zone that is the same everywhere."""
    place = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "STATE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(place / name.lower()))
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield


@pytest.fixture(autouse=True)
def own_runs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the runs that another has started, and none leaves a fault that the screens have only logged."""
    state = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    yield
    logged = [path.read_text(encoding="utf-8") for path in state.rglob("faults.log")]
    assert not logged, logged


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A finished run's folder, and what `run --json` said. Its recipe and models lie beside it."""
    place = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(place)
    return place / "run", command("run", recipe, "--out", place / "run", "--json")
