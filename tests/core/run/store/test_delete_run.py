"""Deleting a run takes what the program wrote, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.delete import delete_run
from evomerge_core.run.run_folder.folder import create_folder
from evomerge_core.run.run_folder.lock import hold


def test_a_runs_folder_goes_whole(tmp_path: Path) -> None:
    create_folder(tmp_path / "run", "evomerge: 1\nname: gone\n", {})
    (tmp_path / "run" / "winner" / "model").mkdir(parents=True)
    (tmp_path / "run" / "winner" / "model" / "model.safetensors").write_bytes(b"x")
    delete_run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_somebody_elses_stays(tmp_path: Path) -> None:
    create_folder(tmp_path / "run", "evomerge: 1\nname: kept\n", {})
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    delete_run(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_run_at_work_and_what_is_no_run_are_refused(tmp_path: Path) -> None:
    create_folder(tmp_path / "run", "evomerge: 1\nname: busy\n", {})
    with hold(tmp_path / "run"), pytest.raises(InputError, match="a job is running here"):
        delete_run(tmp_path / "run")
    assert (tmp_path / "run" / "run.db").is_file()
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="not a run folder"):
        delete_run(tmp_path / "other")
