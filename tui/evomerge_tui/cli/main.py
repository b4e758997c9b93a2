"""`evomerge-tui`: finds the command, and turns bad input into one line and exit status 2."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full
from evomerge_tui.cli import doctor, preflight, recipes, serve
from evomerge_tui.cli.model_commands import chat, download, export, harness, inspect, merge, pool, publish
from evomerge_tui.cli.quickstart import quickstart
from evomerge_tui.cli.run_commands import candidate, evolve, pause, report, resume, run, status, stop, try_parents, vote
from evomerge_tui.terminal.guarded_output import guarded_output

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


# What a disk says that is broken, may only be read, or whose files are others' or have a limit of size.
_DISK_ERRORS = (errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
# What it says of a path that none of its files can have.
_PATH_ERRORS = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None, *, open_screens: Command | None = None) -> int:
    """Runs one command; returns its exit status: 0 done, 1 the work failed, 2 bad input, 130 interrupted.

    Without a command, `open_screens` is called: this module never loads screens itself.
    """
    with guarded_output():
        return _carried_out(argv, open_screens)


def _carried_out(argv: Sequence[str] | None, open_screens: Command | None) -> int:
    command_line = parser()
    args = command_line.parse_args(argv)
    command: Command | None = args.command or open_screens
    if command is None:
        command_line.error("a command is needed")
    try:
        return command(args)
    except InputError as error:
        return _refuse(error, args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # whatever read our output has ended (`| head`): nothing may be written any more, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        problem = _disk_problem(error, args)
        if problem is None:
            raise
        return _refuse(problem, args)


def _refuse(error: InputError, args: argparse.Namespace) -> int:
    print(f"error: {error}", file=sys.stderr)
    if getattr(args, "json", False):
        print(json.dumps({"error": str(error)}))
    return 2


def _disk_problem(error: OSError, args: argparse.Namespace) -> InputError | None:
    """What a disk refused, wherever it did; None for an error that has other reasons."""
    named = error.filename or getattr(args, "run", None) or getattr(args, "out", None) or "."
    if is_full(error):
        return full_disk(Path(named), SPARE_BYTES)
    if error.errno in _PATH_ERRORS:
        return InputError(f"can't be a path ({error.strerror})", where=_shortened(str(named)), remedy="give another")
    if error.errno not in _DISK_ERRORS:
        return None
    return InputError(f"can't be read or written ({error.strerror})", where=named, remedy="check the disk and its permissions")


def _shortened(name: str) -> str:
    return name if len(name) < 100 else f"{name[:97]}..."


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
