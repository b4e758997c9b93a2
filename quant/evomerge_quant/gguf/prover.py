"""Verifies the files of an export: on which items, and against which model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.gguf.proof.proof_items import ProofItem, proof_items, proof_items_default
from evomerge_quant.gguf.subject.subject import Subject

if TYPE_CHECKING:
    from evomerge_quant.gguf.export import Prove
    from evomerge_quant.gguf.proof.proof import Proof
    from evomerge_quant.gguf.proof.reference import Reference


def items_of(subject: Subject, split: str) -> tuple[ProofItem, ...]:
    """The run's items of a split; for a model without a run, neutral prompts."""
    return proof_items_default() if subject.setup is None else proof_items(subject.setup, split)


def prover(subject: Subject) -> Prove:
    """Compares the files of one model with it, on its validation items; the model is loaded for the first file."""
    # Takes seconds to load, which an export without verification doesn't need.
    from evomerge_quant.gguf.proof.proof import prove_against
    from evomerge_quant.gguf.proof.reference import Reference

    references: dict[Path, Reference] = {}

    def prove(gguf: Path, model: Path, type_name: str, on_step: OnStep) -> Proof:
        on_step(ExportStep(f"verify {type_name}"))
        if model not in references:
            references[model] = Reference(model, items_of(subject, "validation"))

        def report(_: str, share: float) -> None:
            on_step(ExportStep(f"verify {type_name}", share))

        return prove_against(references[model], gguf, type_name=type_name, on_progress=report)

    return prove
