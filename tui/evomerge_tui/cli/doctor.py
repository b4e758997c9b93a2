"""`evomerge-tui doctor`: what is missing on this machine, and the command that fixes it."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

_SIGNS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "missing": ("MISSING", "red")}


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("doctor", help="check this machine and show how to fix what is missing")
    add_json(parser)
    parser.set_defaults(command=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    """Exit status 1 when something is missing."""
    from evomerge_tui.machine.doctor.examine import examine

    checks = tuple(examine(Path.cwd()))
    missing = any(check.state == "missing" for check in checks)
    if args.json:
        print_json({"checks": [dataclasses.asdict(check) for check in checks], "missing": missing})
        return 0
    from rich.text import Text

    from evomerge_tui.terminal.safe_console import SafeConsole

    console = SafeConsole()
    for check in checks:
        word, colour = _SIGNS[check.state]
        console.print(Text.assemble((f"{word:<8}", colour), f"{check.name}: {check.found}"), soft_wrap=True)
        if check.remedy:
            console.print(Text(f"{'':<8}{check.remedy}", style="bold"), soft_wrap=True)
    return 1 if missing else 0
