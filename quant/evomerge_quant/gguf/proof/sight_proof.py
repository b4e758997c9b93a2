"""What verification with pictures found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from evomerge_quant.gguf.proof.bounds import ProofBounds


@dataclass(frozen=True)
class SightProof:
    """What was found; None where it could not be measured.

    `feature_error` is the largest distance of a picture's features from transformers', as a share of their length.
    `token_mismatches` counts items where other tokens stand around or for the picture. KL is in nats over `positions` behind
    the pictures; the greedy agreement is the share of the files' own greedy tokens up to where the model would choose another.
    """

    type_name: str
    items: int
    positions: int
    feature_error: float | None
    token_mismatches: int
    mean_kl: float | None
    max_kl: float | None
    top1_agreement: float | None
    greedy_agreement: float | None
    reference_precision: str
    bounds: ProofBounds
    most_feature_error: float
    eyes_failures: tuple[str, ...]
    failures: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return not (self.failures or self.eyes_failures)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON; with `passed`."""
        lists = {"failures": list(self.failures), "eyes_failures": list(self.eyes_failures)}
        return {**asdict(self), **lists, "bounds": asdict(self.bounds), "passed": self.passed}
