"""What changes while a job runs: it ends with one line, what it scored is kept, and resuming ends where the whole run did."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.candidate import cached_evaluation
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.recovery import restore_if_damaged
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.processes import job
from support.command_line import command
from support.tiny_run import scores, write_recipe

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove, rename or cut off what a job has open")

Change = Callable[[Path], None]
SMALL = {
    "splits": {"search": 4, "validation": 2, "test": 4},
    "budget": {"evaluations": 6},
    "evaluation": {"precision": "fp32", "device": "cpu"},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed; its models and items lie beside it."""
    folder = tmp_path_factory.mktemp("whole")
    run = create_run(load_recipe(write_recipe(folder, **SMALL)), out=folder / "run")
    assert job.work(run) == 0
    return run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """The same run, not begun, over models of its own."""
    shutil.copytree(whole.parent, tmp_path / "mine", ignore=shutil.ignore_patterns("run"))
    return create_run(load_recipe(tmp_path / "mine" / "recipe.yaml"), out=tmp_path / "mine" / "run")


@pytest.fixture
def disturb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Change], int]:
    """Carries out a run, with a change while its 8th candidate is scored; returns the exit status."""

    def carry_out(run: Path, change: Change) -> int:
        asked = 0
        ask = cached_evaluation.ask_candidate

        def ask_and_change(*words: Any, **options: Any) -> Any:
            nonlocal asked
            asked += 1
            responses = ask(*words, **options)
            if asked == 8:
                change(run)
            return responses

        with monkeypatch.context() as patch:
            patch.setattr(cached_evaluation, "ask_candidate", ask_and_change)
            return job.work(run)

    return carry_out


def resume(run: Path) -> None:
    """What `resume` does, in this process."""
    restore_if_damaged(run)
    assert job.work(run) == 0


def source(run: Path) -> Path:
    return run.parent / "second" / "model.safetensors"


def overwrite(run: Path) -> None:
    with source(run).open("r+b") as file:
        file.seek(-64, os.SEEK_END)
        file.write(bytes(64))


def overwrite_in_secret(run: Path) -> None:
    """With size and time as before."""
    before = source(run).stat()
    overwrite(run)
    os.utime(source(run), ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_source(run: Path) -> None:
    other = source(run).with_name("other")
    shutil.copy(run.parent / "first" / "model.safetensors", other)
    other.replace(source(run))


def replace_store(run: Path) -> None:
    shutil.copy(run / "run.db", run / "other.db")
    (run / "other.db").replace(run / "run.db")


def restore_source(whole: Path, run: Path) -> None:
    for file in ("model.safetensors", "config.json", "tokenizer.json"):
        shutil.copy(whole.parent / "second" / file, run.parent / "second" / file)


def nothing(*_: Path) -> None: ...


def remove_store(_: Path, run: Path) -> None:
    (run / "run.db").unlink()


SOURCE = "{second}/model.safetensors"
CASES: dict[str, tuple[Change, str, Callable[[Path, Path], None]]] = {
    "a source overwritten": (overwrite, f"{SOURCE}: was written to while the job ran; restore it, then", restore_source),
    "a source replaced": (replace_source, f"{SOURCE}: was replaced while the job ran; restore it, then", restore_source),
    "a source removed": (lambda run: source(run).unlink(), f"{SOURCE}: was removed while the job ran", restore_source),
    "a source cut": (lambda run: os.truncate(source(run), 5000), f"{SOURCE}: was cut short, from ", restore_source),
    "a tokenizer": (
        lambda run: (run.parent / "second" / "tokenizer.json").write_text("{}") and None,  # type: ignore[func-returns-value]
        "{second}/tokenizer.json: was cut short, from ",
        restore_source,
    ),
    "a config removed": (
        lambda run: (run.parent / "second" / "config.json").unlink(),
        "{second}/config.json: was removed while the job ran",
        restore_source,
    ),
    "the store removed": (
        lambda run: (run / "run.db").unlink(),
        "{run}/run.db: was removed while the job ran; `evomerge-tui resume {run}` goes on from run.copy.db, which has all",
        nothing,
    ),
    "the store replaced": (
        replace_store,
        "{run}/run.db: was replaced while the job ran; remove it, then `evomerge-tui resume {run}` goes on from run.copy.db",
        remove_store,
    ),
    "the store's log removed": (
        lambda run: (run / "run.db-wal").unlink(),
        "{run}/run.db-wal: was removed while the job ran; go on with `evomerge-tui resume {run}`",
        nothing,
    ),
    "the lock removed": (lambda run: (run / "job.lock").unlink(), "{run}/job.lock: was removed while the job ran", nothing),
    "the folder renamed": (
        lambda run: run.rename(run.with_name("renamed")) and None,  # type: ignore[func-returns-value]
        "{run}: the run's folder was renamed or removed while its job ran; put it back, or resume it under its new name",
        lambda _, run: run.with_name("renamed").rename(run) and None,  # type: ignore[func-returns-value]
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_ends_the_job_and_loses_nothing(
    whole: Path, run: Path, case: str, disturb: Callable[[Path, Change], int], capfd: pytest.CaptureFixture[str]
) -> None:
    change, expected, restore = CASES[case]
    assert disturb(run, change) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line]
    line = expected.format(run=run, second=run.parent / "second")
    assert [one for one in said if one.startswith(line)], said
    assert not (run / "winner" / "model").exists()
    restore(whole, run)
    resume(run)
    assert scores(run) == scores(whole)


def test_no_winner_is_made_of_a_source_that_was_overwritten_in_secret(
    run: Path, disturb: Callable[[Path, Change], int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert disturb(run, overwrite_in_secret) == 2
    line = f"{source(run)}: was overwritten in secret while the job ran; restore it, and start a new run"
    assert line in capfd.readouterr().err
    assert not (run / "winner" / "model").exists()


@pytest.mark.parametrize("change", ["touched", "the same again"])
def test_a_source_that_holds_the_same_is_the_same(
    whole: Path, run: Path, disturb: Callable[[Path, Change], int], change: str
) -> None:
    def touch(run: Path) -> None:
        os.utime(source(run), ns=(1, 1))

    def copy_again(run: Path) -> None:
        shutil.copy(source(run), source(run).with_name("again"))
        source(run).with_name("again").replace(source(run))

    assert disturb(run, touch if change == "touched" else copy_again) == 0
    assert scores(run) == scores(whole)


def test_a_removed_folder_is_said_in_the_log(
    run: Path, disturb: Callable[[Path, Change], int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert disturb(run, lambda run: shutil.rmtree(run)) == 2
    assert f"{run}: the run's folder was renamed or removed while its job ran" in capfd.readouterr().err
    assert not run.exists()


def test_a_job_whose_lock_was_taken_leaves_the_run_to_the_other(
    run: Path, disturb: Callable[[Path, Change], int], capfd: pytest.CaptureFixture[str]
) -> None:
    """The other job is one that has stored its process and holds the new lock."""

    def begin_another(run: Path) -> None:
        (run / "job.lock").unlink()
        store = open_store(run)
        write_facts(store, pid=os.getpid() + 1, state="running")
        store.close()

    assert disturb(run, begin_another) == 2
    assert f"{run / 'job.lock'}: was removed while the job ran" in capfd.readouterr().err
    assert read_progress(run).state == "interrupted"
    assert read_progress(run).message is None


DIE = """
import os, sys
from evomerge_core.run.watch import Watch
from evomerge_tui.processes import job
look, looks, source = Watch.require_unchanged, 0, sys.argv.pop()
def look_and_cut(self):
    global looks
    look(self)
    looks += 1
    if looks == 9:  # before a candidate, not after one
        os.truncate(source, 0)
Watch.require_unchanged = look_and_cut
sys.exit(job.main())
"""


def test_a_source_cut_while_it_is_read_is_named_where_the_system_ended_the_job(whole: Path, run: Path) -> None:
    """The cut comes after the look and before the read: the system ends the process there, whatever it does."""
    with (run / "job.log").open("ab") as log:
        ended = subprocess.run([sys.executable, "-c", DIE, str(run), str(source(run))], stdout=log, stderr=log)
    assert ended.returncode == -signal.SIGBUS, (run / "job.log").read_text()
    assert "Bus error" in (run / "job.log").read_text()
    line = f"{source(run)}: was cut short, from {source_size(whole)} to 0 bytes while the job ran; restore it, then"
    progress = read_progress(run)
    assert (progress.state, (progress.message or "").startswith(line)) == ("interrupted", True)
    refused = command("resume", run)
    assert refused.returncode == 2
    assert str(source(run)) in refused.stderr
    restore_source(whole, run)
    resume(run)
    assert scores(run) == scores(whole)


def source_size(whole: Path) -> int:
    return source(whole).stat().st_size


@pytest.mark.parametrize("name", ["winner", "job.log", "job.lock", "run.db", "recipe.yaml"])
def test_a_link_in_a_run_folder_is_not_followed(run: Path, name: str) -> None:
    outside = run.parent / "outside"
    outside.mkdir() if name == "winner" else outside.write_text("precious")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(outside)
    refused = command("resume", run)
    assert refused.returncode == 2
    assert f"{run / name}: is a link" in refused.stderr
    assert outside.is_dir() or outside.read_text() == "precious"


def test_a_file_in_the_winners_place_is_said_before_the_work(run: Path) -> None:
    (run / "winner").write_text("mine")
    refused = command("resume", run)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {run / 'winner'}: is a file; the run has a folder of that name; move it away")
    assert (run / "winner").read_text() == "mine"
