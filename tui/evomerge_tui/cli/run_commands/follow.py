"""Starts a run's job and follows it to its result, or leaves it running."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line
from evomerge_tui.cli.arguments import print_json

if TYPE_CHECKING:
    from rich.console import Console

# What is done with a finished run before its result is printed; returns what to add to the result. A failure is not raised but
# added as `error`.
Ending = Callable[[Path, "Console"], Mapping[str, Any]]


def add_detach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="start the job in the background and return at once")


def follow(folder: Path, *, detach: bool, as_json: bool, ending: Ending | None = None) -> int:
    """Starts the job unless the run is finished; shows progress, then the result. Returns the exit status, 1 when `ending`
    returns an `error`.

    With `as_json` progress goes to standard error and the last line of standard output is the result.
    """
    from evomerge_core.run.run_folder.folder import require_run
    from evomerge_core.run.run_folder.names import LOG
    from evomerge_core.run.view.progress import read_progress
    from evomerge_tui.cli.output.live_status import watch
    from evomerge_tui.processes import job
    from evomerge_tui.terminal.safe_console import SafeConsole

    require_run(folder)
    named = on_command_line(folder)
    if not _is_done(folder):
        restored = job.start(folder)
        if restored is not None:
            print(restored, file=sys.stderr)
    if detach:
        state = read_progress(folder).state
        print_json({"run": str(folder), "state": state}) if as_json else print(f"{folder}: {state}")
        return 0
    console = SafeConsole(stderr=as_json)
    try:
        progress = watch(folder, console)
    except KeyboardInterrupt:
        print(
            f"the job keeps running; see `evomerge-tui status {named}`, or end it with `evomerge-tui stop {named}`",
            file=sys.stderr,
        )
        return 130
    if progress.state == "failed":
        raise InputError(progress.message or f"{folder}: the job failed; see {folder / LOG}")
    if progress.state == "interrupted" and progress.message:
        raise InputError(progress.message)
    if progress.state != "finished":
        ended = f"{folder}: {progress.state} (see {folder / LOG})"
        print(f"{ended}; continue with `evomerge-tui resume {named}`", file=sys.stderr)
        return 1
    return _show_result(folder, as_json, console, ending)


def _is_done(folder: Path) -> bool:
    """Whether the run is finished, its store sound and its winner whole; what a winner has lost, and gets again, is said."""
    from evomerge_core.run.run_folder.folder import require_sound_store
    from evomerge_core.run.run_folder.names import STORE
    from evomerge_core.run.store.connection import DamagedStore
    from evomerge_core.run.verdict.winner_files import forget_winner, winner_damage
    from evomerge_core.run.view.progress import read_progress

    if not (folder / STORE).exists():
        # the job's start goes on from the copy
        return False
    try:
        require_sound_store(folder)
        # before the result is read, which may be what is damaged
        damage = winner_damage(folder)
        if damage is not None:
            forget_winner(folder)
            print(f"{damage}: it is made again", file=sys.stderr)
        return damage is None and read_progress(folder).state == "finished"
    except DamagedStore:
        # here too
        return False


def _show_result(folder: Path, as_json: bool, console: Console, ending: Ending | None) -> int:
    from evomerge_core.run.view.result import read_result
    from evomerge_tui.cli.output.result_tables import result_tables

    result = read_result(folder)
    assert result is not None, "a finished run has one"
    console.print(result_tables(result))
    added = {} if ending is None else ending(folder, console)
    if as_json:
        print_json({**result, **added})
    if "error" in added:
        print(f"error: {added['error']}", file=sys.stderr)
    return 1 if "error" in added else 0
