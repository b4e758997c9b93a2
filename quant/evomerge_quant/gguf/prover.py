"""Verifies the files of an export: on which items, and against which model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.gguf.proof.proof_items import ProofItem, proof_items, proof_items_default
from evomerge_quant.gguf.subject.subject import Subject

if TYPE_CHECKING:
    from evomerge_quant.gguf.export import Prove, ProveSight
    from evomerge_quant.gguf.proof.proof import Proof
    from evomerge_quant.gguf.proof.reference import Reference
    from evomerge_quant.gguf.proof.sight_proof import SightProof


def items_of(subject: Subject, split: str) -> tuple[ProofItem, ...]:
    """The run's items of a split; for a model without a run, neutral prompts."""
    return proof_items_default() if subject.setup is None else proof_items(subject.setup, split)


def prover(subject: Subject) -> Prove:
    """Compares the files of one model with it, on its validation items; the model is loaded for the first file."""
    return provers(subject).text


@dataclass(frozen=True)
class Provers:
    """What verifies a file's text, and what verifies a file and its `mmproj` with pictures; None for a model that can't see."""

    text: Prove
    sight: ProveSight | None


def provers(subject: Subject) -> Provers:
    """What compares the files of one model with it; the model is loaded for the first file."""
    return _seeing_provers() if subject.seeing else Provers(_text_prover(subject), None)


def _text_prover(subject: Subject) -> Prove:
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


def _seeing_provers() -> Provers:
    """Of a vision-language model: texts that are the same for all, and pictures that are drawn."""
    from evomerge_quant.gguf.proof.proof import prove_against
    from evomerge_quant.gguf.proof.seeing_reference import SeeingReference, TextReference
    from evomerge_quant.gguf.proof.sight import prove_sight

    references: dict[Path, SeeingReference] = {}

    def reference(model: Path) -> SeeingReference:
        if model not in references:
            references[model] = SeeingReference(model)
        return references[model]

    def prove(gguf: Path, model: Path, type_name: str, on_step: OnStep) -> Proof:
        on_step(ExportStep(f"verify {type_name}"))
        text = TextReference(reference(model), model, proof_items_default())

        def report(_: str, share: float) -> None:
            on_step(ExportStep(f"verify {type_name}", share))

        return prove_against(text, gguf, type_name=type_name, on_progress=report)

    def sight(gguf: Path, mmproj: Path, model: Path, type_name: str, on_step: OnStep) -> SightProof:
        on_step(ExportStep(f"verify {type_name} with pictures"))
        return prove_sight(reference(model), gguf, mmproj, type_name=type_name)

    return Provers(prove, sight)
