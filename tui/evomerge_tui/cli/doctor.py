"""`evomerge-tui doctor`: what is missing on this machine and how to fix it, what fits on a card, and a card's check."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

_SIZE, _REPORT = "1.5b", "card-report.json"
_SIGNS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "missing": ("MISSING", "red")}


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("doctor", help="check this machine and show how to fix what is missing")
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--fits", action="store_true", help="show which models fit on cards of 8 to 24 GB, and RAM by method")
    others.add_argument("--card", action="store_true", help="try everything on the graphics card, with generated models")
    parser.add_argument("--size", metavar="SIZE", help=f"size of the models for --card, 0.5b to 14b (default: {_SIZE})")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"report of --card (default: {_REPORT})")
    add_json(parser)
    parser.set_defaults(command=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    """Exit status 1 when something is missing, or wrong with the card."""
    if args.card:
        return _card(args)
    for name in ("size", "out"):
        if getattr(args, name) is not None:
            raise InputError("it is for --card alone", where=f"--{name}", remedy="add --card, or leave it out")
    if args.fits:
        return _fits(args)
    return _machine(args)


def _fits(args: argparse.Namespace) -> int:
    from evomerge_quant.planning.card_sizes.fits import what_fits

    sizes = what_fits()
    if args.json:
        print_json({"sizes": [dataclasses.asdict(size) for size in sizes]})
        return 0
    from evomerge_tui.cli.output.fits_tables import fits_tables
    from evomerge_tui.terminal.safe_console import SafeConsole

    SafeConsole().print(*fits_tables(sizes), sep="\n\n")
    return 0


def _card(args: argparse.Namespace) -> int:
    import json

    from evomerge_core.files.durable import write_whole
    from evomerge_quant.card_check.check import check_card
    from evomerge_quant.card_check.results import CardResult

    def show(result: CardResult) -> None:
        if not args.json:
            print(f"{result.state:<8}{result.subject}: {result.text}", flush=True)

    out = args.out or Path(_REPORT)
    if out.is_dir():  # said before minutes of work, not after them
        raise InputError("is a folder", where=out, remedy="name a file for the report")
    report = check_card(args.size or _SIZE, Path.cwd(), show)
    found = {**dataclasses.asdict(report), "passed": report.passed}
    write_whole(out, json.dumps(found, indent=2) + "\n")
    if args.json:
        print_json(found)
    else:
        print(f"{report.card}, a model of {report.parameters / 1e9:.2f} B weights, {report.seconds:.0f} s; report: {out}")
    return 0 if report.passed else 1


def _machine(args: argparse.Namespace) -> int:
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
