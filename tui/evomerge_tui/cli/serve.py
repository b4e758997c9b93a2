"""`evomerge-tui serve`: the screens in a browser on this machine."""

from __future__ import annotations

import argparse

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers

_PORT = 8421
_LAST_PORT = 65535


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("serve", help="open the screens in a browser, on this machine only")
    parser.add_argument("--port", type=int, metavar="N", default=_PORT, help=f"port to listen on (default: {_PORT})")
    parser.set_defaults(command=_serve)


def _serve(args: argparse.Namespace) -> int:
    if not 0 < args.port <= _LAST_PORT:
        raise InputError(f"must be between 1 and {_LAST_PORT}", where=f"--port {args.port}")
    from evomerge_tui.processes.serving import serve

    def show(address: str) -> None:
        print(
            f"open {address}\nanyone with this address can use the screens; ctrl+c ends the server, not the jobs",
            flush=True,
        )

    serve(args.port, unicode=not args.no_unicode, show=show)
    return 0
