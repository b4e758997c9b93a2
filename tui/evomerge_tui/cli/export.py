"""`evomerge-tui export RUN|MODEL_DIR`: a run's winner, or a model folder, as GGUF files that are proved."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

if TYPE_CHECKING:
    from subprocess import Popen

    from rich.console import Console

    from evomerge_quant.gguf.quantize.file_types import FileType
    from evomerge_quant.gguf.rescore import Rescored
    from evomerge_quant.gguf.subject.subject import Subject

DEFAULT_TYPE = "Q4_K_M"


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("export", help="write a winner or a model as GGUF, and prove the file")
    parser.add_argument("model", type=Path, metavar="RUN|MODEL_DIR", help="a run's folder, or a model's")
    parser.add_argument(
        "--type",
        nargs="+",
        action="extend",
        metavar="TYPE",
        help=f"such as F16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, IQ4_XS (default: {DEFAULT_TYPE}); several come from one conversion",
    )
    parser.add_argument("--candidate", metavar="LABEL", help="another candidate of the run than the winner")
    parser.add_argument(
        "--rescore", type=int, metavar="N", help="score the best N candidates as files of the first type; the best file wins"
    )
    parser.add_argument("--imatrix", action="store_true", help="weigh what matters on the run's search items (slower, better)")
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="a folder, or a .gguf file for one type (default: beside the model)"
    )
    parser.add_argument(
        "--for", dest="runner", choices=("ollama", "lmstudio", "koboldcpp", "jan"), metavar="RUNNER",
        help="place the files for ollama, lmstudio, koboldcpp or jan, and print the command that comes next",
    )  # fmt: skip
    parser.add_argument("--converter", type=Path, metavar="DIR", help="a llama.cpp folder whose converter is to be taken")
    parser.add_argument("--plan", action="store_true", help="show sizes, expected loss and room, and end")
    parser.add_argument("--no-proof", dest="proof", action="store_false", help="don't hold the files against the model")
    add_json(parser)
    parser.set_defaults(command=_export)


def _export(args: argparse.Namespace) -> int:
    from evomerge_quant.gguf.convert.convert import waiting_converter
    from evomerge_quant.gguf.convert.converter import find_converter
    from evomerge_quant.gguf.quantize.file_types import find_types
    from evomerge_tui.exporting import stoppable

    types = find_types(args.type or [DEFAULT_TYPE], imatrix=args.imatrix)
    if not args.model.is_dir():
        raise InputError(f"{args.model}: no such folder; give a run's folder or a model's")
    if args.plan:
        return _plan(args, types)
    with stoppable():
        folder = find_converter(args.converter)
        # The converter takes seconds to load: meanwhile the model is looked at.
        with waiting_converter(folder) as converter:
            return _carry_out(args, types, folder, converter)


def _plan(args: argparse.Namespace, types: tuple[FileType, ...]) -> int:
    """What an export would write; nothing is written."""
    from rich.console import Console

    from evomerge_quant.gguf.plan import make_plan
    from evomerge_quant.gguf.runners.handover import place_for
    from evomerge_quant.gguf.subject.subject import find_subject
    from evomerge_tui.cli.output.export_display import plan_facts, show_plan

    subject = find_subject(args.model, args.candidate)
    place = place_for(args.runner, args.out, subject.name)
    plan = make_plan(subject, types, place, imatrix=args.imatrix, only_look=True)
    print_json(plan_facts(plan)) if args.json else show_plan(Console(), plan)
    return 0


def _carry_out(args: argparse.Namespace, types: tuple[FileType, ...], folder: Path, converter: Popen[bytes]) -> int:
    from rich.console import Console

    from evomerge_quant.gguf.export import export
    from evomerge_quant.gguf.plan import make_plan
    from evomerge_quant.gguf.runners.handover import place_for
    from evomerge_quant.gguf.subject.subject import find_subject
    from evomerge_tui.cli.output.export_display import show_exported, show_plan, showing, telling_json
    from evomerge_tui.exporting import items_of, prover

    console = Console(stderr=args.json)
    subject = find_subject(args.model, args.candidate)
    rescored = None
    if args.rescore is not None:
        subject, rescored = _rescored(args, subject, types[0], folder, console)
    plan = make_plan(subject, types, place_for(args.runner, args.out, subject.name), imatrix=args.imatrix)
    show_plan(console, plan)
    with telling_json(print_json) if args.json else showing(console) as on_step:
        done = export(
            plan,
            converter,
            on_step,
            prove=prover(subject) if args.proof else None,
            calibration=items_of(subject, "search") if args.imatrix else (),
            runner=args.runner,
        )
    show_exported(console, done, plan.warnings)
    if args.json:
        files = [file.to_json() for file in done.files]
        answer = {"model": subject.label, "files": files, "warnings": list(done.warnings), "passed": done.passed}
        print_json(answer if rescored is None else answer | {"rescored": rescored.to_json()})
    return 0 if done.passed else 1


def _rescored(
    args: argparse.Namespace, subject: Subject, wanted: FileType, converter: Path, console: Console
) -> tuple[Subject, Rescored]:
    """The candidate whose file is best, to be exported in the winner's place, and the table of all that were scored."""
    from evomerge_core.run.store.folder import open_store
    from evomerge_quant.gguf.rescore import exporter, rescore
    from evomerge_quant.gguf.subject.export_paths import winner_exports
    from evomerge_quant.gguf.subject.run_subject import subject_of
    from evomerge_tui.cli.output.export_display import show_rescored, showing, telling_json

    if subject.setup is None or args.candidate is not None:
        raise InputError("--rescore: needs a run, and no --candidate: it finds the candidate")
    encoding = f"{wanted.name}+imatrix" if args.imatrix else wanted.name
    make = exporter(args.model, subject.setup, wanted, converter, imatrix=args.imatrix)
    with telling_json(print_json) if args.json else showing(console) as on_step:
        found = rescore(args.model, subject.setup, args.rescore, encoding, make, on_step)
    show_rescored(console, found)
    store = open_store(args.model)
    best = next(one for one in store.candidates() if one.label == found.best)
    store.close()
    chosen = subject_of(subject.setup, args.model, best, is_winner=found.best == found.winner)
    return replace(chosen, home=winner_exports(args.model)), found
