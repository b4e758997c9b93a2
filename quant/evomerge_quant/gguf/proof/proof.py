"""A GGUF compared with the model that it was made of: tokens, distributions, answers and score."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.gguf.proof.bounds import ProofBounds, bounds_of
from evomerge_quant.gguf.proof.measurement import Measured, OnProgress, measure
from evomerge_quant.gguf.proof.reference import ModelReference
from evomerge_quant.llama.context import LlamaError
from evomerge_quant.llama.model import open_gguf


@dataclass(frozen=True)
class Proof:
    """What was found; None where it could not be measured.

    `token_mismatches` counts items whose token ids differ. KL is in nats over `positions`. `top1_agreement` is the share of
    positions where both find the same token most likely, on the reference's texts; `greedy_agreement` the share of the file's
    own greedy tokens up to where the reference would have chosen another. Scores are the task's, 0..1. `failures` says in
    words what is out of bounds; the proof has `passed` when there are none.
    """

    type_name: str
    items: int
    positions: int
    token_ids_equal: bool
    token_mismatches: int
    mean_kl: float | None
    max_kl: float | None
    top1_agreement: float | None
    greedy_agreement: float | None
    score: float | None
    reference_score: float | None
    reference_precision: str
    bounds: ProofBounds
    failures: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON; with `passed` and the score drop that is allowed on so many items."""
        allowed = round(self.bounds.score_drop(self.items), 4)
        bounds = {**asdict(self.bounds), "score_drop": allowed}
        return {**asdict(self), "failures": list(self.failures), "bounds": bounds, "passed": self.passed}


def prove_against(reference: ModelReference, gguf: Path, *, type_name: str, on_progress: OnProgress | None = None) -> Proof:
    """Opens the file with llama.cpp and compares it with the reference. A file that can't be read fails; nothing is raised."""
    started = time.perf_counter()
    report = on_progress or (lambda _what, _share: None)
    bounds = bounds_of(type_name, parameters=reference.parameters, reference_precision=reference.precision)
    found = Measured()
    try:
        with open_gguf(gguf) as model:
            measure(model, reference, found, report)
    except (InputError, LlamaError, CandidateError) as error:
        found.trouble.append(f"the file can't be used: {error}")
    apart = found.divergence
    return Proof(
        type_name=type_name,
        items=len(reference.items),
        positions=apart.positions if apart else 0,
        token_ids_equal=found.mismatches == 0,
        token_mismatches=found.mismatches or 0,
        mean_kl=_finite(apart.mean_kl) if apart else None,
        max_kl=_finite(apart.max_kl) if apart else None,
        top1_agreement=apart.top1_agreement if apart else None,
        greedy_agreement=found.greedy,
        score=found.score,
        reference_score=found.reference_score,
        reference_precision=reference.precision,
        bounds=bounds,
        failures=(*found.trouble, *_outside(found, bounds, len(reference.items))),
        seconds=time.perf_counter() - started,
    )


def _outside(found: Measured, bounds: ProofBounds, items: int) -> list[str]:
    failures = []
    if found.mismatches:
        reason = f": {found.why_other_ids}" if found.why_other_ids else ""
        failures.append(f"{found.mismatches} of {items} items have other token ids than the model's tokenizer gives{reason}")
    if found.divergence is not None and not found.divergence.mean_kl <= bounds.mean_kl:
        failures.append(f"mean KL {found.divergence.mean_kl:.2g} is above {bounds.mean_kl:g} ({bounds.reason})")
    if found.score is not None and found.reference_score is not None:
        drop, allowed = found.reference_score - found.score, bounds.score_drop(items)
        if drop > allowed:
            failures.append(f"the score falls by {100 * drop:.1f} points, more than {100 * allowed:.1f} on {items} items")
    return failures


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
