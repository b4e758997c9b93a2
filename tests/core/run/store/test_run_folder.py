"""The run folder: one job at a time, seen by any number of onlookers."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder import folder
from evomerge_core.run.run_folder.fingerprints import check_unchanged
from evomerge_core.run.run_folder.folder import create_folder, open_store, read_store
from evomerge_core.run.run_folder.lock import hold, is_held
from evomerge_core.run.run_folder.place import require_own_files

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


def leavings(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()} - {"job.lock"}


@pytest.mark.parametrize("written", [1, 2])
@pytest.mark.parametrize("died", [True, False])
def test_a_run_that_could_not_be_made_leaves_the_way_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int, died: bool
) -> None:
    """The disk is full, or the process is killed and tidies nothing up, after a few of the files."""
    write_text, so_far = Path.write_text, []

    def fails(path: Path, *words: str, **options: str) -> int:
        so_far.append(path)
        if len(so_far) == written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_text(path, *words, **options)

    run = tmp_path / "run"
    run.mkdir()
    with monkeypatch.context() as patches:
        patches.setattr(Path, "write_text", fails)
        if died:
            patches.setattr(folder, "_sweep", lambda _: None)
        with pytest.raises(
            InputError, match=r" is full: \S+run needs about 16.8 MB; free some space, then start the run again"
        ):
            create_folder(run, "evomerge: 1\n", FINGERPRINTS)
    assert bool(leavings(run)) == died
    with pytest.raises(InputError, match=r"is not a run folder \(run.db is missing\)"):
        open_store(run)
    create_folder(run, "evomerge: 1\n", FINGERPRINTS)
    assert leavings(run) == {"recipe.yaml", "sources.json", "run.db"}


def test_a_folder_that_was_made_for_the_run_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "write_text", fails)
    with pytest.raises(InputError, match=r"the run folder can't be written \(Input/output error\)"):
        create_folder(tmp_path / "run", "evomerge: 1\n", FINGERPRINTS)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_never_taken_for_a_leaving(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("mine: true\n")
    with pytest.raises(InputError, match="is not empty"):
        create_folder(tmp_path, "evomerge: 1\n", FINGERPRINTS)
    assert (tmp_path / "recipe.yaml").read_text() == "mine: true\n"


def test_a_look_at_the_lock_makes_nothing(run: Path) -> None:
    (run / "job.lock").unlink()
    assert not is_held(run)
    assert not (run / "job.lock").exists()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.skipif(os.name == "nt", reason="of POSIX's kinds of files")
@pytest.mark.parametrize(
    ("make", "what"),
    [(Path.mkdir, "a folder"), (_pipe, "a pipe or a device"), (_link, "a link that leads nowhere")],
    ids=["folder", "pipe", "link"],
)
@pytest.mark.parametrize("has_copy", [False, True])
def test_whatever_lies_in_the_stores_place_is_named(run: Path, make: Callable[[Path], None], what: str, has_copy: bool) -> None:
    if has_copy:
        with closing(open_store(run, keeps_copies=True)) as store:
            store.keep_copy()
    (run / "run.db").unlink()
    make(run / "run.db")
    for read in (read_store, open_store):
        with pytest.raises(InputError) as refused:
            read(run)
        assert f"run.db: is {what}; a run has a file of that name; move it away" in str(refused.value)
        assert ("resume" in str(refused.value)) == has_copy
    with pytest.raises(InputError, match=r"run\.db: is a "):
        require_own_files(run)


@pytest.mark.skipif(os.name == "nt", reason="of POSIX's kinds of files")
@pytest.mark.parametrize("name", ["recipe.yaml", "sources.json", "run.copy.db", "run.damaged.db", "job.log", "run.db-wal"])
def test_a_job_writes_to_files_alone(run: Path, name: str) -> None:
    (run / name).unlink(missing_ok=True)
    _pipe(run / name)
    with pytest.raises(InputError, match=f"{name}: is a pipe or a device; the run has a file of that name"):
        require_own_files(run)


def test_hashes_of_sources_longer_than_anybody_means_are_refused(run: Path) -> None:
    with (run / "sources.json").open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(InputError, match=r"sources\.json: larger than 100 MB; restore it from a copy"):
        check_unchanged(run, {})
