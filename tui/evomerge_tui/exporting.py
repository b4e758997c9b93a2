"""An export as commands carry it out: proved against the model's items, and stopped without leaving anything half-made."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from evomerge_quant.gguf.export import Exported, Prove
    from evomerge_quant.gguf.subject.subject import Subject


def export_winner(run: Path, type_names: Sequence[str], console: Console) -> Exported:
    """Writes and proves a run's winner in these types, and shows plan, progress and files. InputError as for `export`."""
    from evomerge_quant.gguf.convert.convert import waiting_converter
    from evomerge_quant.gguf.convert.converter import find_converter
    from evomerge_quant.gguf.export import export
    from evomerge_quant.gguf.plan import make_plan
    from evomerge_quant.gguf.quantize.file_types import find_types
    from evomerge_quant.gguf.runners.handover import place_for
    from evomerge_quant.gguf.subject.subject import find_subject
    from evomerge_tui.cli.output.export_display import show_exported, show_plan, showing

    types = find_types(type_names, imatrix=False)
    with stoppable(), waiting_converter(find_converter(None)) as converter:
        subject = find_subject(run, None)
        plan = make_plan(subject, types, place_for(None, None, subject.name), imatrix=False)
        show_plan(console, plan)
        with showing(console) as on_step:
            done = export(plan, converter, on_step, prove=prover(subject))
        show_exported(console, done, plan.warnings)
    return done


def items_of(subject: Subject, split: str) -> Any:
    """The run's items of a split; for a model without a run, neutral prompts."""
    from evomerge_quant.gguf.proof.proof_items import proof_items, proof_items_default

    return proof_items_default() if subject.setup is None else proof_items(subject.setup, split)


def prover(subject: Subject) -> Prove:
    """Proves files of one model, which is loaded at the first."""
    from evomerge_quant.gguf.progress import OnStep, Step
    from evomerge_quant.gguf.proof.proof import Proof, prove_against
    from evomerge_quant.gguf.proof.reference import Reference

    known: dict[Path, Reference] = {}

    def prove(gguf: Path, model: Path, type_name: str, on_step: OnStep) -> Proof:
        on_step(Step(f"prove {type_name}"))
        if model not in known:
            known[model] = Reference(model, items_of(subject, "validation"))

        def report(_: str, share: float) -> None:
            on_step(Step(f"prove {type_name}", share))

        return prove_against(known[model], gguf, type_name=type_name, on_progress=report)

    return prove


@contextmanager
def stoppable() -> Iterator[None]:
    """Being terminated is taken like ctrl+c, so that nothing half-made stays behind."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
