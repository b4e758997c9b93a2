"""The job carries out a run, detached from the terminal that started it.

python -m evomerge_tui.processes.job [--priority low] RUN
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from evomerge_core.errors import InputError
from evomerge_core.files.child_environment import without_token
from evomerge_core.files.disk_problem import disk_problem
from evomerge_core.files.full_disk import SPARE_BYTES, needs_room, resume_it
from evomerge_core.files.path_text import on_command_line
from evomerge_core.files.private import private_files
from evomerge_core.run.hub_files import fetch_hub_files
from evomerge_core.run.run_folder.commands import Stopped, obey
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.run_folder.kept_room import give_room, keep_room
from evomerge_core.run.run_folder.known_runs import remember as remember_run
from evomerge_core.run.run_folder.lock import hold, is_held
from evomerge_core.run.run_folder.names import FEATURES, LOG, STORE
from evomerge_core.run.run_folder.place import LostPlace, require_own_files
from evomerge_core.run.run_folder.recovery import restore_if_damaged
from evomerge_core.run.store.facts import read_facts, write_facts
from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.store.store import Store
from evomerge_tui.processes.descendants import kill_all, suspended_descendants
from evomerge_tui.processes.heard_commands import commands_heard
from evomerge_tui.processes.priority import lower_this_session
from evomerge_tui.terminal.guarded_output import guarded_output
from evomerge_tui.user.settings import PRIORITIES, Priority, load_settings
from evomerge_tui.user.user_paths import timings_path

if TYPE_CHECKING:  # a job is started by processes that compute nothing
    from evomerge_core.run.candidate.crew import Crew
    from evomerge_core.run.setup import Setup
    from evomerge_quant.resident.vision.seen import Seen

# The module that a job's process runs; the second name is that of the version before: jobs survive an upgrade.
_JOB_MODULES = {"evomerge_tui.processes.job", "evomerge_tui.job"}
_START_SECONDS = 60
_END_SECONDS = 10


def start(folder: Path) -> str | None:
    """Starts the job in a session of its own, so that it outlives this process, and waits until it holds the lock.

    Its priority comes from the settings. A sentence says when the store was damaged and is taken from its copy. Raises
    `InputError` when a job is already running, or the settings are invalid.
    """
    require_own_files(folder)
    if is_held(folder):
        remedy = f"see `evomerge-tui status {on_command_line(folder)}`"
        raise InputError("a job is already running here", where=folder, remedy=remedy)
    priority = load_settings().job_priority
    fetch_hub_files(folder)
    with hold(folder):
        restored = restore_if_damaged(folder)
    store = open_store(folder)
    # What waits was for the job before. The new one can't do this: when it has the lock, commands may be its own.
    store.drop_commands()
    write_facts(store, state="starting", message=None)
    store.close()
    with contextlib.suppress(InputError):
        # a home folder that can't be written must not stop a run; the run is then found by its folder only
        remember_run(folder)
    # the literal flags of Windows' API: the names exist in `subprocess` on Windows only
    # CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW: a detached process of a virtual environment opens an empty window
    flags = 0x00000200 | 0x08000000 if os.name == "nt" else 0
    with needs_room(folder / LOG, SPARE_BYTES, then=resume_it(folder)), private_files(), (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "evomerge_tui.processes.job", "--priority", priority, "--", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=without_token(),
            start_new_session=os.name != "nt",
            creationflags=flags,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not is_held(folder) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return restored


def end_now(folder: Path) -> None:
    """Ends a run's job at once; the current evaluation is lost, finished ones are in the store.

    Raises `InputError` when no job is running.
    """
    store = open_store(folder)
    try:
        number = read_facts(store).pid
    finally:
        store.close()
    process = _job_process(number, folder) if number is not None and is_held(folder) else None
    if process is None:
        raise InputError("no job is running", where=folder, remedy=f"start one with {resume_it(folder)}")
    # it would start others while its own are looked for
    process.suspend()
    # Ray's processes would end by themselves, but for the youngest ones, which notice late
    began = suspended_descendants(process)
    process.kill()
    process.wait(_END_SECONDS)
    kill_all(began)


def _job_process(number: int, folder: Path) -> psutil.Process | None:
    """The process of that number, if it is this run's job: the number may since belong to another process."""
    try:
        process = psutil.Process(number)
        words = process.cmdline()
    except psutil.Error:
        return None
    return process if _JOB_MODULES & {*words} and Path(words[-1]).absolute() == folder.absolute() else None


def main() -> int:
    """The job's process: sets its priority, then does the work. Returns the exit status."""
    command_line = argparse.ArgumentParser(prog="python -m evomerge_tui.processes.job")
    command_line.add_argument("--priority", choices=PRIORITIES, default="normal")
    command_line.add_argument("run", type=Path)
    args = command_line.parse_args()
    # a signal such as that of a mapped file which was cut off must not end in an empty log
    faulthandler.enable(2)
    if args.priority == "low":
        lower_this_session()
    try:
        return work(args.run, args.priority)
    except InputError as error:
        # the run isn't this job's, or nothing can be written there
        sys.stderr.write(f"{error}\n")
        return 2


def work(folder: Path, priority: Priority = "normal") -> int:
    """Carries out the run in `folder` to its verdict; returns the exit status. All results are in the store.

    `priority` is the one that this process already has; it is stored for `status` and the screens.
    """
    require_own_files(folder)
    with private_files(), hold(folder):
        store = open_store(folder, keeps_copies=True)
        try:
            keep_room(folder)
            store.keep_copy()
            write_facts(store, pid=os.getpid(), priority=priority)
            store.add_event("started", pid=os.getpid(), priority=priority)
            _carry_out(folder, store)
            write_facts(store, state="finished")
            store.add_event("finished")
            return 0
        except Stopped:
            store.add_event("stopped")
            return 0
        except LostPlace as error:
            _leave(folder, store, error)
            return 2
        except InputError as error:
            _tell_failure(folder, store, str(error))
            return 2
        except Exception as error:  # noqa: BLE001
            # the last thing a job does: `status` and the screens must show why it ended; the log has the traceback
            problem = disk_problem(error, folder, then=resume_it(folder))
            if problem is not None:
                _tell_failure(folder, store, str(problem))
                return 2
            _tell_failure(folder, store, f"{type(error).__name__}: {error} (see {folder / LOG})")
            traceback.print_exc()
            return 1
        finally:
            give_room(folder)
            # the log goes into the store's file now, so that whoever may only read finds one file
            store.close()


def _leave(folder: Path, store: Store, lost: LostPlace) -> None:
    """Ends a job that no longer works where its run is: what it has scored is in the store's copy, and why it ended in the log.

    Another job may have begun beside it, if the lock was removed; the run is that one's then.
    """
    if read_facts(store).pid != os.getpid():
        sys.stderr.write(f"{lost}\n")
        return
    _tell_failure(folder, store, str(lost))
    store.keep_copy()
    if lost.where == str(folder / STORE):
        _tell_successor(folder, str(lost))


def _tell_successor(folder: Path, message: str) -> None:
    """Says why the job ended in the store that was put in the place of its own, if it is one of a run at work."""
    with contextlib.suppress(InputError, OSError, sqlite3.Error):
        there = read_store(folder)
        is_at_work = read_facts(there).state in LIVE
        there.close()
        if is_at_work:
            there = open_store(folder)
            write_facts(there, state="failed", message=message)
            there.close()


def _tell_failure(folder: Path, store: Store, message: str) -> None:
    """Keeps why the job ends; where even that can't be written, the log has it, or `status` sees the full disk itself."""
    give_room(folder)
    sys.stderr.write(f"{message}\n")
    try:
        write_facts(store, state="failed", message=message)
        store.add_event("failed", message=message)
    # a store that somebody else holds stays sqlite's own error
    except (InputError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")


def _carry_out(folder: Path, store: Store) -> None:
    since = time.perf_counter()
    from evomerge_core.run.loop import run
    from evomerge_core.run.reopen import reopen
    from evomerge_core.run.selection.select_sources import select_sources
    from evomerge_core.run.verdict.finish import finish
    from evomerge_core.run.watch import watch_run
    from evomerge_quant.chat.judge import judge_of
    from evomerge_quant.gguf.plan import gguf_bytes
    from evomerge_quant.planning.machine.capacity import measure_capacity
    from evomerge_quant.planning.machine.timings import remember, timing_of
    from evomerge_quant.planning.precision import shipped_for
    from evomerge_quant.resident.model import evaluators
    from evomerge_quant.resident.sight import see_pictures

    setup = reopen(folder, read_facts(store), asks=True)
    watch = watch_run(folder, setup, store)
    device, arithmetic = setup.recipe.evaluation.device, setup.recipe.evaluation.arithmetic
    sight = see_pictures(setup, folder / FEATURES, between=lambda: obey(store, watch.require_unchanged))
    watch.also(sight.files)
    setup, seen = sight.setup, sight.seen
    make = evaluators(setup.base_folder, device, arithmetic, setup.speaks, seen)
    shipped = shipped_for(setup.recipe, setup.sources[setup.recipe.base], setup.speaks, seen)
    if setup.recipe.pool and read_facts(store).pool is None:
        with _crew(folder, setup, store, seen) as (crew, paused):
            select_sources(setup, store, make, since=since + paused, watch=watch, crew=crew)
        # from here on the run is one of the chosen sources
        _carry_out(folder, store)
        return
    with _crew(folder, setup, store, seen) as (crew, paused), judge_of(setup.recipe) as judge:
        winner = run(setup, store, make, since=since + paused, shipped=shipped, watch=watch, judge=judge, crew=crew)
    finish(setup, store, winner, folder, gguf_bytes, watch)
    # what workers take at the same time says little about one that has the machine to itself
    timing = None if crew is not None else timing_of(setup, store, measure_capacity(device).name)
    if timing is not None:
        remember(timing, timings_path())


@contextlib.contextmanager
def _crew(folder: Path, setup: Setup, store: Store, seen: Mapping[str, Seen]) -> Iterator[tuple[Crew | None, float]]:
    """The run's workers, and for how many seconds the run was paused while they were started; None where it wants none, and
    this process scores its candidates."""
    from evomerge_core.run.view.workers import wanted_workers

    wanted = wanted_workers(setup.recipe, read_facts(store))
    # those of the job before are none of this one's
    write_facts(store, workers=[])
    if wanted is None:
        yield None, 0.0
        return
    from evomerge_quant.workers.crew import crew_of

    with contextlib.ExitStack() as ends:
        with commands_heard(folder) as pauses:
            crew = ends.enter_context(crew_of(wanted, setup, load_settings().model_folders, folder / FEATURES, seen))
        write_facts(store, workers=crew.told())
        yield crew, sum(pauses)


if __name__ == "__main__":
    # Its log is read in terminals.
    with guarded_output():
        sys.exit(main())
