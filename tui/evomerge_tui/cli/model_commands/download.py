"""`evomerge-tui download MODEL`: fetches a model into the hub's cache; continues an interrupted download."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from evomerge_tui.cli.arguments import Subparsers, print_json

if TYPE_CHECKING:
    from evomerge_core.discovery.hub_download import Downloaded

_REPORT_SECONDS = 0.25


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("download", help="download a model from the hub, or continue an interrupted download")
    parser.add_argument("model", metavar="MODEL", help="a hub id: owner/name or owner/name@revision")
    parser.add_argument("--allow-pickle", action="store_true", help="also download pickle checkpoints")
    parser.add_argument("--json", action="store_true", help="print JSON objects, one per line: progress, then the folder")
    parser.set_defaults(command=_download)


def _download(args: argparse.Namespace) -> int:
    from evomerge_core.discovery.hub_download import download_model

    folder = download_model(args.model, _reporter(as_json=args.json), allow_pickle=args.allow_pickle)
    print_json({"model": args.model, "folder": str(folder)}) if args.json else print(folder)
    return 0


def _reporter(*, as_json: bool) -> Callable[[Downloaded], None]:
    """Prints progress a few times a second; called from several threads."""
    lock = threading.Lock()
    last = 0.0

    def report(progress: Downloaded) -> None:
        nonlocal last
        with lock:
            if time.monotonic() - last < _REPORT_SECONDS and progress.done < progress.total:
                return
            last = time.monotonic()
            if as_json:
                print_json({"done": progress.done, "total": progress.total})
            elif progress.total:
                print(f"{progress.done / 1e9:.2f} of {progress.total / 1e9:.2f} GB", flush=True)

    return report
