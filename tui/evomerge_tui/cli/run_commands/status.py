"""`evomerge-tui status RUN`: the state of a run, once or until its job ends."""

from __future__ import annotations

import argparse
import dataclasses

from evomerge_core.errors import InputError
from evomerge_core.visible_text import visible_json
from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder

# Bytes of a store that are looked through in less than a second; what is shown is looked through in larger ones too.
_LOOKED_THROUGH = 2**26


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("status", help="show the progress of a run")
    add_run_folder(parser)
    parser.add_argument("--watch", action="store_true", help="keep watching until the job ends; ctrl+c leaves it running")
    parser.add_argument("--plain", action="store_true", help="print plain sentences, for screen readers and logs")
    add_json(parser)
    parser.set_defaults(command=_status)


def _status(args: argparse.Namespace) -> int:
    from evomerge_core.run.run_folder.folder import require_sound_store
    from evomerge_core.run.view.progress import read_progress
    from evomerge_core.run.view.sound_records import sound_records
    from evomerge_tui.cli.output.live_status import display, plain_sentences, watch
    from evomerge_tui.terminal.safe_console import SafeConsole

    if args.json and args.watch:
        raise InputError("prints one object and can't watch", where="--json", remedy="leave out --watch")
    with sound_records(args.run):
        require_sound_store(args.run, most_bytes=_LOOKED_THROUGH)
        progress = read_progress(args.run)
        text = visible_json(dataclasses.asdict(progress))
    if args.json:
        print(text)
        return 0
    console = SafeConsole()
    if args.watch:
        progress = watch(args.run, console, plain=args.plain)
    with sound_records(args.run):
        sentences, shown = plain_sentences(progress), display(progress)
    if args.plain:
        print(*sentences, sep="\n")
    elif not args.watch:
        console.print(shown)
    if progress.message:
        print(progress.message)
    return 0
