"""What a killed rescoring leaves is swept; what a living one uses stays."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from evomerge_core.run.run_folder.delete import delete_run
from evomerge_core.run.run_folder.folder import create_folder
from evomerge_core.run.run_folder.scratch import SCRATCH, SCRATCH_LOCK, sweep_scratch


def scratch(run: Path, name: str) -> Path:
    folder = run / f"{SCRATCH}{name}"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / SCRATCH_LOCK).touch()
    return folder


def test_only_what_nobody_uses_is_swept(tmp_path: Path) -> None:
    left, used = scratch(tmp_path, "left"), scratch(tmp_path, "used")
    (tmp_path / "winner").mkdir()
    with FileLock(used / SCRATCH_LOCK):
        sweep_scratch(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"winner", used.name}
    assert not left.exists()
    sweep_scratch(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"winner"}


def test_a_deleted_run_takes_all_of_it_along(tmp_path: Path) -> None:
    run = tmp_path / "run"
    create_folder(run, "evomerge: 1\n", {})
    scratch(run, "left")
    for name in ("run.copy.db", "run.damaged.db", "job.room"):
        (run / name).write_bytes(b"")
    delete_run(run)
    assert not run.exists()
