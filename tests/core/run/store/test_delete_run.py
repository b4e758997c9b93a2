"""Deleting a run takes what the program wrote, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.delete import delete_run
from evomerge_core.run.run_folder.folder import create_folder
from evomerge_core.run.run_folder.lock import hold
from evomerge_core.run.run_folder.scratch import SCRATCH


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


@pytest.mark.parametrize("name", ["winner", "features", "run.db", "recipe.yaml", "job.lock", "job.log", f"{SCRATCH}1"])
def test_of_a_link_the_link_alone_goes(tmp_path: Path, name: str) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    create_folder(run, "evomerge: 1\nname: linked\n", {})
    is_file = (run / name).exists() or name == "job.log"
    if is_file:
        elsewhere.write_bytes((run / name).read_bytes() if (run / name).exists() else b"log")
        (run / name).unlink(missing_ok=True)
    else:
        elsewhere.mkdir()
        (elsewhere / "model.gguf").write_bytes(b"x")
    before = elsewhere.read_bytes() if is_file else [path.name for path in elsewhere.iterdir()]
    (run / name).symlink_to(elsewhere)
    delete_run(run)
    # what this program never makes as a link stays where it is
    assert run.exists() == (name == f"{SCRATCH}1")
    assert (elsewhere.read_bytes() if is_file else [path.name for path in elsewhere.iterdir()]) == before


def test_what_a_killed_process_left_goes_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    create_folder(run, "evomerge: 1\nname: killed\n", {})
    for store in ("run.db", "run.copy.db", "run.copy.db.part", "run.db.part", "run.damaged.db"):
        for ending in ("", "-wal", "-shm", "-journal"):
            (run / f"{store}{ending}").touch()
    delete_run(run)
    assert not run.exists()


def test_a_folder_that_cannot_be_removed_is_one_line(tmp_path: Path) -> None:
    run = tmp_path / "run"
    create_folder(run, "evomerge: 1\nname: odd\n", {})
    (run / "run.damaged.db").mkdir()
    with pytest.raises(InputError, match=r"can't be deleted \(.*run\.damaged\.db\)"):
        delete_run(run)
