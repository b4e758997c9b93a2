"""Sends a command to a run's job and waits until the job has acknowledged it."""

from __future__ import annotations

import argparse
import time

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import print_json

_POLL_SECONDS = 0.2


def send(args: argparse.Namespace, name: str) -> int:
    """Appends the command to the store of `args.run`; returns when the job has carried it out or has ended."""
    from evomerge_core.files.full_disk import resume_it
    from evomerge_core.run.run_folder.commands import append_command
    from evomerge_core.run.run_folder.folder import open_store
    from evomerge_core.run.run_folder.lock import is_held
    from evomerge_core.run.view.progress import read_progress

    store = open_store(args.run)
    try:
        if not is_held(args.run):
            state = read_progress(args.run).state
            raise InputError(f"no job is running (the run is {state})", where=args.run, remedy=f"run {resume_it(args.run)}")
        number = append_command(args.run, name)
        while is_held(args.run) and (name == "stop" or not store.is_acknowledged(number)):
            time.sleep(_POLL_SECONDS)
    finally:
        store.close()
    return print_state(args, name)


def print_state(args: argparse.Namespace, name: str) -> int:
    """Prints the run's state after a command."""
    from evomerge_core.run.view.progress import read_progress

    state = read_progress(args.run).state
    if args.json:
        print_json({"run": str(args.run), "command": name, "state": state})
    else:
        print(f"{args.run}: {state}")
    return 0
