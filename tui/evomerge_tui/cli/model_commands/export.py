"""`evomerge-tui export RUN|MODEL_DIR`: a run's winner, or a model folder, as verified GGUF files."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from evomerge_core.run.setup import Setup
    from evomerge_core.run.store.records import Candidate
    from evomerge_quant.gguf.export import Exported
    from evomerge_quant.gguf.plan import ExportPlan
    from evomerge_quant.gguf.progress import OnStep
    from evomerge_quant.gguf.quantize.file_types import FileType
    from evomerge_quant.gguf.rescore import Rescored
    from evomerge_quant.gguf.runners.handover import Runner
    from evomerge_quant.gguf.subject.subject import Subject

    ShowSteps = Callable[[], AbstractContextManager[OnStep]]

DEFAULT_TYPE = "Q4_K_M"


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and how; `model` is the folder of a run or of a model.

    `rescore` is how many candidates are scored as files first (None: the winner is exported). `out` and `converter` are None
    where the usual places are meant.
    """

    model: Path
    types: tuple[FileType, ...]
    candidate: str | None = None
    rescore: int | None = None
    imatrix: bool = False
    proof: bool = True
    out: Path | None = None
    runner: Runner | None = None
    converter: Path | None = None
    mmproj: Path | None = None


@dataclass(frozen=True)
class ExportResult:
    """The files, the name of the model that they hold, and what `--rescore` found."""

    label: str
    exported: Exported
    rescored: Rescored | None

    def to_json(self) -> dict[str, Any]:
        files = [file.to_json() for file in self.exported.files]
        facts = {
            "model": self.label,
            "files": files,
            "warnings": list(self.exported.warnings),
            "passed": self.exported.passed,
        }
        if self.exported.eyes is not None:
            facts["mmproj"] = self.exported.eyes.to_json()
        return facts if self.rescored is None else facts | {"rescored": self.rescored.to_json()}


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("export", help="write a winner or a model as GGUF files, and verify them")
    parser.add_argument("model", type=Path, metavar="RUN|MODEL_DIR", help="the folder of a run or of a model")
    parser.add_argument(
        "--type",
        nargs="+",
        action="extend",
        metavar="TYPE",
        help=f"such as F16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, IQ4_XS (default: {DEFAULT_TYPE}); several share one conversion",
    )
    parser.add_argument("--candidate", metavar="LABEL", help="export this candidate of the run instead of the winner")
    parser.add_argument(
        "--rescore", type=int, metavar="N", help="score the best N candidates as files of the first type; export the best file"
    )
    parser.add_argument(
        "--imatrix", action="store_true", help="measure an importance matrix on the run's search items (slower, better files)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="a folder, or a .gguf file for one type (default: beside the model)"
    )
    parser.add_argument(
        "--for", dest="runner", choices=("ollama", "lmstudio", "koboldcpp", "jan"), metavar="RUNNER",
        help="put the files where ollama, lmstudio, koboldcpp or jan finds them, and print the next command",
    )  # fmt: skip
    parser.add_argument("--converter", type=Path, metavar="DIR", help="use the converter of this llama.cpp folder")
    parser.add_argument(
        "--mmproj",
        type=Path,
        metavar="FILE",
        help="see with this GGUF file of the base's, where llama.cpp can't convert its eyes",
    )
    parser.add_argument("--plan", action="store_true", help="show sizes, expected loss and disk space, and write nothing")
    parser.add_argument("--no-proof", dest="proof", action="store_false", help="don't verify the files against the model")
    add_json(parser)
    parser.set_defaults(command=_export)


def carry_out(request: ExportRequest, console: Console, show_steps: ShowSteps) -> ExportResult:
    """Plans, writes and verifies the files; the console shows the plan and the files, `show_steps` the progress.

    InputError for anything that keeps the files from being made; what was half-made by then is gone, as it is when the process
    is terminated.
    """
    from evomerge_core.files.private import private_files
    from evomerge_core.run.run_folder.names import STORE
    from evomerge_quant.gguf.convert.convert import waiting_converter
    from evomerge_quant.gguf.convert.converter import find_converter
    from evomerge_quant.gguf.export import export
    from evomerge_quant.gguf.prover import items_of, provers
    from evomerge_quant.gguf.subject.find_subject import find_subject
    from evomerge_tui.cli.output.export_display import show_exported, show_plan

    into_the_run = request.out is None and (request.model / STORE).is_file()
    with _terminated_as_interrupted(), private_files() if into_the_run else nullcontext():
        folder = find_converter(request.converter)
        # The converter takes seconds to load; meanwhile the model is read.
        with waiting_converter(folder) as converter:
            subject, rescored = find_subject(request.model, request.candidate), None
            if request.rescore is not None:
                subject, rescored = _rescored(request, subject, request.rescore, folder, console, show_steps)
            plan = _plan(request, subject)
            show_plan(console, plan)
            with show_steps() as on_step:
                proofs = provers(subject) if request.proof else None
                exported = export(
                    plan,
                    converter,
                    on_step,
                    prove=None if proofs is None else proofs.text,
                    calibration=items_of(subject, "search") if request.imatrix else (),
                    runner=request.runner,
                    prove_sight=None if proofs is None else proofs.sight,
                    converter_folder=folder,
                )
            show_exported(console, exported, plan.warnings)
    return ExportResult(subject.label, exported, rescored)


def export_winner(run: Path, type_names: Sequence[str], console: Console) -> Exported:
    """Writes and verifies a run's winner in these types. InputError as for `carry_out`."""
    from evomerge_quant.gguf.quantize.file_types import find_types
    from evomerge_tui.cli.output.export_display import progress_bar

    request = ExportRequest(run, find_types(type_names, imatrix=False))
    return carry_out(request, console, partial(progress_bar, console)).exported


def _export(args: argparse.Namespace) -> int:
    from evomerge_tui.cli.output.export_display import json_steps, progress_bar
    from evomerge_tui.terminal.safe_console import SafeConsole

    request = _request(args)
    if args.plan:
        _show_plan_only(request, as_json=args.json)
        return 0
    console = SafeConsole(stderr=args.json)
    show_steps = partial(json_steps, print_json) if args.json else partial(progress_bar, console)
    result = carry_out(request, console, show_steps)
    if args.json:
        print_json(result.to_json())
    return 0 if result.exported.passed else 1


def _request(args: argparse.Namespace) -> ExportRequest:
    from evomerge_quant.gguf.quantize.file_types import find_types

    types = find_types(args.type or [DEFAULT_TYPE], imatrix=args.imatrix)
    if not args.model.is_dir():
        raise InputError(f"{args.model}: no such folder; give the folder of a run or of a model")
    return ExportRequest(
        model=args.model,
        types=types,
        candidate=args.candidate,
        rescore=args.rescore,
        imatrix=args.imatrix,
        proof=args.proof,
        out=args.out,
        runner=args.runner,
        converter=args.converter,
        mmproj=args.mmproj,
    )


def _show_plan_only(request: ExportRequest, *, as_json: bool) -> None:
    from evomerge_quant.gguf.subject.find_subject import find_subject
    from evomerge_tui.cli.output.export_display import plan_facts, show_plan
    from evomerge_tui.terminal.safe_console import SafeConsole

    plan = _plan(request, find_subject(request.model, request.candidate), only_look=True)
    print_json(plan_facts(plan)) if as_json else show_plan(SafeConsole(), plan)


def _plan(request: ExportRequest, subject: Subject, *, only_look: bool = False) -> ExportPlan:
    from evomerge_quant.gguf.plan import make_plan
    from evomerge_quant.gguf.runners.handover import place_for

    place = place_for(request.runner, request.out, subject.name)
    return make_plan(subject, request.types, place, imatrix=request.imatrix, only_look=only_look, mmproj=request.mmproj)


def _rescored(
    request: ExportRequest, subject: Subject, count: int, converter: Path, console: Console, show_steps: ShowSteps
) -> tuple[Subject, Rescored]:
    """The candidate whose file is best, to be exported in the winner's place, and the scores of all."""
    from evomerge_core.run.run_folder.folder import read_store
    from evomerge_quant.gguf.rescore import exporter, rescore, rescored_candidates
    from evomerge_tui.cli.output.export_display import show_rescored

    if subject.setup is None or request.candidate is not None:
        raise InputError("--rescore: needs a run, and no --candidate, since it finds the candidate")
    if subject.eyes is not None:
        raise InputError("files aren't scored on pictures yet", where="--rescore", remedy="leave the option out")
    run, wanted = request.model, request.types[0]
    candidates, winner = rescored_candidates(run, subject.setup, count)
    for candidate in candidates:
        # each may be the best: what lies in its file's place is refused before the work
        _plan(request, _in_winners_place(subject.setup, run, candidate, is_winner=candidate == winner))
    encoding = f"{wanted.name}+imatrix" if request.imatrix else wanted.name
    make = exporter(run, subject.setup, wanted, converter, imatrix=request.imatrix)
    with show_steps() as on_step:
        found = rescore(run, subject.setup, count, encoding, make, on_step)
    show_rescored(console, found)
    store = read_store(run)
    best = next(candidate for candidate in store.candidates() if candidate.label == found.best)
    store.close()
    return _in_winners_place(subject.setup, run, best, is_winner=found.best == found.winner), found


def _in_winners_place(setup: Setup, run: Path, candidate: Candidate, *, is_winner: bool) -> Subject:
    from evomerge_quant.gguf.subject.export_paths import winner_exports
    from evomerge_quant.gguf.subject.run_subject import subject_of_candidate

    return replace(subject_of_candidate(setup, run, candidate, is_winner=is_winner), home=winner_exports(run))


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Treats termination, and the end of the terminal, as ctrl+c, so that nothing half-made stays behind."""
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # what somebody ignores on purpose (`nohup`) stays ignored
    before = {number: signal.signal(number, _interrupt) for number in signals if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
