"""`evomerge-tui harness MODEL TASK...`: lm-evaluation-harness's tasks on a model in 4 bits, without a server."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers, add_json, print_json


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("harness", help="score a model on tasks of lm-evaluation-harness")
    parser.add_argument("model", metavar="MODEL", help="a folder, a hub id, or either with +ADAPTER")
    parser.add_argument("tasks", nargs="+", metavar="TASK", help="task names of the harness, such as arc_easy gsm8k")
    parser.add_argument(
        "--precision", choices=("nf4", "int5", "int8", "bf16", "fp32"), default="nf4", help="weight precision (default: nf4)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="items per task (default: all)")
    parser.add_argument("--chat", action="store_true", help="wrap prompts in the model's chat template")
    add_json(parser)
    parser.set_defaults(command=_harness)


def _harness(args: argparse.Namespace) -> int:
    if find_spec("lm_eval") is None:
        raise InputError(
            "lm-evaluation-harness is not installed", where="harness", remedy="run pip install 'evomerge-tui[harness]'"
        )
    from evomerge_quant.resident.harness import run_harness

    if args.limit is not None and args.limit < 1:
        raise InputError("must be at least 1", where=f"--limit {args.limit}")
    model, folder = _loaded(args.model, args.precision)
    found = run_harness(model, folder, args.tasks, limit=args.limit, chat=args.chat)
    scores = {task: _numbers(metrics) for task, metrics in found["results"].items()}
    if args.json:
        print_json({"model": args.model, "precision": args.precision, "results": scores})
        return 0
    for task, metrics in scores.items():
        print(f"{task}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return 0


def _loaded(reference: str, precision: Any) -> tuple[Any, Path]:
    """The resident model with this reference's weights, and the folder of its tokenizer."""
    from evomerge_core.merging.config import whole_model
    from evomerge_core.merging.engine import MergeEngine
    from evomerge_core.merging.plan.plan import make_plan
    from evomerge_core.sources.source import open_sources
    from evomerge_quant.resident.model import build

    config = whole_model(reference, reference)
    sources = open_sources([reference], relative_to=Path.cwd())
    folder = sources[reference].folder
    model = build(folder, precision=precision)
    model.load(MergeEngine(sources, reuses_memory=True).stream(make_plan(config, sources)))
    return model, folder


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics themselves, without names, counts and their standard errors."""
    kept = {name: value for name, value in metrics.items() if isinstance(value, float) and "stderr" not in name}
    return {name.removesuffix(",none"): float(value) for name, value in kept.items()}
