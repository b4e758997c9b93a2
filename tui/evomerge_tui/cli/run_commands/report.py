"""`evomerge-tui report RUN`: a run's verdict, scores, genomes and cost as Markdown, JSON and plots."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("report", help="write a report of a run: Markdown, JSON and plots")
    add_run_folder(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the report (default: RUN/report)")
    add_json(parser)
    parser.set_defaults(command=_report)


def _report(args: argparse.Namespace) -> int:
    from evomerge_core.files.private import private_files
    from evomerge_core.run.report.content import read_report
    from evomerge_core.run.report.write import render_report, write_report
    from evomerge_core.run.run_folder.folder import require_sound_store
    from evomerge_core.run.view.sound_records import sound_records

    with sound_records(args.run):
        require_sound_store(args.run)
        report = read_report(args.run)
        verdict = None if report.result is None else report.result["verdict"]
        texts = render_report(report)
    with private_files() if args.out is None else nullcontext():
        files = write_report(texts, args.out or args.run / "report")
    if args.json:
        print_json({"run": str(args.run), "state": report.state, "verdict": verdict, "files": [str(file) for file in files]})
    else:
        print(files[0])
    return 0
