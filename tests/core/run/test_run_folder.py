"""The run folder: one job at a time, seen by any number of onlookers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.store.folder import check_unchanged, create_folder, hold, is_held, open_store

FINGERPRINTS = {"./base": {"model.safetensors": "ab" * 32}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    create_folder(tmp_path / "run", "evomerge: 1\n", FINGERPRINTS)
    return tmp_path / "run"


def test_a_second_job_is_refused_until_the_first_ends(run: Path) -> None:
    with hold(run):
        assert is_held(run)
        with pytest.raises(InputError, match="a job is already running here"):
            hold(run)
    assert not is_held(run)


def test_onlookers_never_keep_a_job_out(run: Path) -> None:
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_held(run)

    onlookers = [threading.Thread(target=look) for _ in range(2)]
    for onlooker in onlookers:
        onlooker.start()
    try:
        for _ in range(50):
            with hold(run):
                pass
    finally:
        over.set()
        for onlooker in onlookers:
            onlooker.join()


def test_a_new_run_waits_for_its_job(run: Path) -> None:
    assert open_store(run).fact("state") == "created"
    with pytest.raises(InputError, match="not empty"):
        create_folder(run, "", {})


def test_changed_sources_are_named(run: Path) -> None:
    check_unchanged(run, FINGERPRINTS)
    for now in ({}, {"./base": {"model.safetensors": "cd" * 32}}):
        with pytest.raises(InputError, match=r"model\.safetensors: changed since the run began \(source \./base\)"):
            check_unchanged(run, now)
