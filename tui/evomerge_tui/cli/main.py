"""`evomerge-tui`: finds the command, and turns bad input into one line and exit status 2."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Callable, Sequence

from evomerge_core.errors import InputError
from evomerge_core.files.disk_problem import disk_problem
from evomerge_tui.cli import doctor, preflight, recipes, serve
from evomerge_tui.cli.model_commands import chat, download, export, harness, inspect, merge, pool, publish
from evomerge_tui.cli.quickstart import quickstart
from evomerge_tui.cli.run_commands import (
    candidate,
    compare,
    evolve,
    pause,
    report,
    resume,
    run,
    status,
    stop,
    try_parents,
    vote,
)
from evomerge_tui.terminal.guarded_output import OutputEnded, guarded_output

# A list and not a look into the folder: `--help` shows the commands in this order, a run's own first.
COMMANDS = (
    quickstart,
    run,
    serve,
    status,
    pause,
    resume,
    stop,
    vote,
    candidate,
    evolve,
    report,
    compare,
    recipes,
    preflight,
    try_parents,
    merge,
    export,
    publish,
    inspect,
    pool,
    harness,
    download,
    chat,
    doctor,
)

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None, *, open_screens: Command | None = None) -> int:
    """Runs one command; returns its exit status: 0 done, 1 the work failed, 2 bad input, 130 interrupted.

    Without a command, `open_screens` is called: this module never loads screens itself.
    """
    with guarded_output():
        try:
            return _carried_out(argv, open_screens)
        except OutputEnded as ended:
            ended.let_it_end()
            if ended.is_unread:
                return 1
            print(f"error: {ended}", file=sys.stderr)
            return 2


def _carried_out(argv: Sequence[str] | None, open_screens: Command | None) -> int:
    command_line = parser()
    args = command_line.parse_args(argv)
    command: Command | None = args.command or open_screens
    if command is None:
        command_line.error("a command is needed")
    try:
        status = command(args)
        # what can't be written is noticed here, and not by Python at its end
        sys.stdout.flush()
        return status
    except OutputEnded:
        raise
    except InputError as error:
        return _refuse(error, args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError as error:
        print(f"error: a process that this one works with has ended ({error.strerror}); try again", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as error:
        problem = disk_problem(error, getattr(args, "run", None) or getattr(args, "out", None) or ".")
        if problem is None:
            raise
        return _refuse(problem, args)


def _refuse(error: InputError, args: argparse.Namespace) -> int:
    print(f"error: {error}", file=sys.stderr)
    if getattr(args, "json", False):
        print(json.dumps({"error": str(error)}))
    return 2


def parser() -> argparse.ArgumentParser:
    """The whole command line; importing it loads neither torch nor textual."""
    top = argparse.ArgumentParser(prog="evomerge-tui", description="Breed language models on one graphics card.")
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    top.add_argument("--no-unicode", action="store_true", help="draw the screens with ASCII characters only")
    top.set_defaults(command=None)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", description="Without a command, the screens open.")
    for command in COMMANDS:
        command.add_parser(commands)
    return top


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"evomerge-tui {version('evomerge-tui')}")
        parser.exit()
