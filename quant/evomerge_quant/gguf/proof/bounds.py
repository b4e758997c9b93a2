"""How far a GGUF may be from the model that it was made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

# One-sided 95 %.
_Z = 1.645
# Models of fewer weights lose more, and have bounds of their own.
SMALL = 1_000_000_000
# Products in bf16 are that far from float32 ones already.
BF16_NOISE = 5e-3


@dataclass(frozen=True)
class ProofBounds:
    """What a file may lose, at most.

    `mean_kl` is in nats over all positions. `points` is the drop of the task's score in 0..1 that a file may have on endlessly
    many items; `flips` is the share of items whose score may change either way, which adds luck on few. `reason` says why.
    """

    mean_kl: float
    points: float
    flips: float
    reason: str

    def score_drop(self, items: int) -> float:
        """The allowed drop on so many items: a file that really loses `points` is called suspect in 5 of 100 cases."""
        return self.points + _Z * math.sqrt(self.flips / max(1, items))


@dataclass(frozen=True)
class _Line:
    """The bounds of some types; `small_kl` is `mean_kl` for models of fewer than `SMALL` weights."""

    names: tuple[str, ...]
    mean_kl: float
    small_kl: float
    points: float
    flips: float
    reason: str


# Mean KL that is published for Llama-3-8B on Wikitext-2 (llama.cpp tools/perplexity/README.md): Q8_0 0.0014, Q6_K 0.0055,
# Q5_K_M 0.011, Q4_K_M 0.031, Q4_0 0.072, Q3_K_M 0.102, Q2_K 0.445. Measured with SmolLM2-135M on the items that it was evolved
# for, on other items, and on prompts of all kinds: F16 0.000002 to 0.000004, BF16 0.00008 to 0.0004, Q8_0 0.003 to 0.008
# (of which the weights cost a third: the rest is that llama.cpp rounds activations to 8 bits too), Q6_K 0.008, Q4_K_M 0.04 to
# 0.09, Q3_K_M 0.17 to 0.21. A wrong tokenizer, a transposed or a missing tensor is above 1.
_LINES = (
    _Line(("F32", "F16"), 1e-4, 1e-4, 0.02, 0.01, "holds the weights, in 16 bits or more"),
    _Line(("BF16",), 1e-3, 1e-3, 0.02, 0.02, "holds the weights, but llama.cpp rounds activations to bf16"),
    _Line(("Q8_0",), 5e-3, 0.015, 0.03, 0.03, "8.5 bits a weight"),
    _Line(("Q6_K",), 0.015, 0.03, 0.04, 0.06, "6.6 bits a weight"),
    _Line(("Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0"), 0.04, 0.08, 0.06, 0.1, "5 to 6 bits a weight"),
    _Line(
        ("Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4_MOE"),
        0.12, 0.25, 0.15, 0.2, "4 to 5 bits a weight, which can cost small models ten points",
    ),
    _Line(
        ("Q3_K_L", "Q3_K_M", "Q3_K_S", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS"),
        0.4, 0.8, 0.4, 0.4, "3 to 4 bits a weight, which can cost small models much of what they can do",
    ),
)  # fmt: skip
_LOWEST = _Line((), 2.5, 5.0, 1.0, 1.0, "below 3 bits a weight: only gross faults can be distinguished from ordinary loss")


def bounds_of(type_name: str, *, parameters: int = SMALL, reference_precision: str = "fp32") -> ProofBounds:
    """The bounds of a type, by its name, for a model of so many weights.

    Wider by `BF16_NOISE` where the model itself could only be computed in bf16.
    """
    line = next((line for line in _LINES if type_name in line.names), _LOWEST)
    small = parameters < SMALL
    reason = f"{line.reason}; fewer than a billion weights" if small and line.small_kl > line.mean_kl else line.reason
    found = ProofBounds(line.small_kl if small else line.mean_kl, line.points, line.flips, reason)
    if reference_precision == "fp32":
        return found
    return replace(found, mean_kl=found.mean_kl + BF16_NOISE, reason=f"{reason}; the model itself was computed in bf16")
