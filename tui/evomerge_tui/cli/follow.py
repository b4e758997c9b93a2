"""Starts a run's job and follows it to its result, or leaves it to itself."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_core.errors import InputError
from evomerge_core.run.folder import LOG, WINNER, open_store
from evomerge_core.run.progress import read_progress
from evomerge_tui.cli.arguments import print_json

if TYPE_CHECKING:
    from rich.console import Console


def add_detach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="start the job and return at once")


def follow(folder: Path, *, detach: bool, as_json: bool) -> int:
    """Starts the job unless the run is finished; shows progress, then the result. Returns the exit status.

    With `as_json` progress goes to standard error and the last line of standard output is the result.
    """
    from rich.console import Console

    from evomerge_tui import job
    from evomerge_tui.watch import watch

    open_store(folder).close()
    if read_progress(folder).state != "finished":
        job.start(folder)
    if detach:
        state = read_progress(folder).state
        print_json({"run": str(folder), "state": state}) if as_json else print(f"{folder}: {state}")
        return 0
    console = Console(stderr=as_json)
    try:
        progress = watch(folder, console)
    except KeyboardInterrupt:
        print(f"the job goes on: `evomerge-tui status {folder}`, `evomerge-tui stop {folder}`", file=sys.stderr)
        return 130
    if progress.state == "failed":
        raise InputError(progress.message or f"{folder}: the job failed; see its job.log")
    if progress.state != "finished":
        print(f"{folder}: {progress.state} (see its {LOG}); `evomerge-tui resume {folder}` goes on", file=sys.stderr)
        return 1
    _show_result(folder, as_json, console)
    return 0


def _show_result(folder: Path, as_json: bool, console: Console) -> None:
    from evomerge_tui.result import result_tables

    result = json.loads((folder / WINNER / "result.json").read_text(encoding="utf-8"))
    if as_json:
        print_json(result)
    else:
        console.print(result_tables(result))
