"""Whatever a disk refuses a command is one line and status 2, and a signal leaves nothing half-made."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.report import write
from evomerge_core.run.run_folder import known_runs
from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.run_folder.recovery import restore_if_damaged
from evomerge_core.run.view import progress
from evomerge_tui.cli.main import main
from evomerge_tui.cli.model_commands.export import _terminated_as_interrupted
from evomerge_tui.processes import job
from evomerge_tui.talk.votes import keep_vote, new_vote
from evomerge_tui.user.settings import Settings, save_settings


def failing(code: int) -> Callable[..., Any]:
    def fails(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fails


@pytest.fixture
def run(tmp_path: Path) -> Path:
    create_folder(tmp_path / "run", "evomerge: 1\nname: x\n", {})
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, " is full: {run} needs about 16.8 MB; free some space, then try again"),
        (errno.EDQUOT, " is full: {run} needs about 16.8 MB; free some space, then try again"),
        (errno.EIO, "{run}: can't be read or written (Input/output error); check the disk and its permissions"),
        (errno.EROFS, "{run}: can't be read or written (Read-only file system); check the disk and its permissions"),
        (errno.ESTALE, "{run}: can't be read or written (Stale file handle); check the disk and its permissions"),
        (errno.ENODEV, "{run}: can't be read or written (No such device); check the disk and its permissions"),
        (errno.EMFILE, "{run}: can't be opened (Too many open files); allow more open files (`ulimit -n 4096`)"),
        (errno.ENFILE, "{run}: can't be opened (Too many open files in system); allow more open files (`ulimit -n 4096`)"),
        (errno.EISDIR, "{run}: is in the way (Is a directory); move it away"),
        (errno.ENOTEMPTY, "{run}: is in the way (Directory not empty); move it away"),
        (errno.ENOMEM, "{run}: can't be read or written (Cannot allocate memory); free some memory"),
    ],
)
def test_a_command_says_it_in_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, said: str
) -> None:
    monkeypatch.setattr(progress, "read_store", failing(code))
    assert main(["status", str(run), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert said.format(run=run) in printed.err
    assert json.loads(printed.out)["error"] in printed.err


def test_a_lost_store_is_made_again_from_its_copy(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_store(run, keeps_copies=True)) as store:
        store.keep_copy()
    (run / "run.db").unlink()
    assert main(["status", str(run)]) == 2
    assert "run.db: is missing; `evomerge-tui resume" in capsys.readouterr().err
    # what a job's start does to a store; no job is needed
    monkeypatch.setattr(job, "start", restore_if_damaged)
    assert main(["resume", str(run), "--detach", "--json"]) == 0
    assert "the run goes on from the copy of" in capsys.readouterr().err
    assert main(["status", str(run)]) == 0


def test_a_store_that_another_program_keeps_locked(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(_: Path) -> None:
        with closing(sqlite3.connect(run / "run.db", timeout=0, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(progress, "read_store", write)
    with closing(sqlite3.connect(run / "run.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert main(["status", str(run), "--json"]) == 2
    said = capsys.readouterr()
    line = f"{run}: can't be used (database is locked); end the other program that has the store open"
    assert (said.err, json.loads(said.out)) == (f"error: {line}\n", {"error": line})


@pytest.mark.parametrize("command", [["status"], ["chat", "--prompt", "x"], ["export"], ["resume"], ["report"], ["candidate"]])
def test_a_name_that_no_file_can_have_is_said_in_one_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "a" * 5000]) == 2
    said = capsys.readouterr().err
    assert said == f"error: {'a' * 97}...: can't be a path (File name too long); give another\n"


def test_disks_so_full_that_no_temporary_folder_is_found(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(run / "none")])
    monkeypatch.setattr(progress, "read_store", lambda _: tempfile.gettempdir())
    assert main(["status", str(run)]) == 2
    said = capsys.readouterr().err
    assert said == "error: no temporary folder can be written; make room in one, or name another by TMPDIR\n"


def test_a_report_on_a_full_disk(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(write.Path, "write_text", failing(errno.ENOSPC))
    assert main(["report", str(run)]) == 2
    assert f" is full: {run / 'report'} needs about " in capsys.readouterr().err


def test_settings_and_the_list_of_runs_on_a_full_disk(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    monkeypatch.setattr(known_runs, "user_state_path", lambda *_, **__: tmp_path / "state")
    writes: list[Callable[[], object]] = [
        lambda: save_settings(Settings(theme="light"), tmp_path / "settings.yaml"),
        lambda: known_runs.remember(run),
    ]
    for do in writes:
        with pytest.raises(InputError, match=r" is full: \S+ needs about 1 kB; free some space, then try again"):
            do()
    assert not (tmp_path / "settings.yaml").exists()


def test_a_vote_on_a_full_disk(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vote = new_vote("q", ["a", "b"], ["1", "2"], "left", blind=True)
    monkeypatch.setattr(Path, "open", failing(errno.ENOSPC))
    with pytest.raises(InputError, match=r" is full: \S+votes\.jsonl needs about 1 kB; free some space, then vote again"):
        keep_vote(run, vote)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_an_export_as_ctrl_c_does(name: str) -> None:
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("this system has no such signal")
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), _terminated_as_interrupted():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_on_purpose_stays_ignored() -> None:
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("this system has no such signal")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _terminated_as_interrupted():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
