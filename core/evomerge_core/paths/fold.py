"""Folding a path's scales into weights, so that the child is an ordinary model.

Where every block reads the stream through a norm that doesn't see its scale, and writes to it through few tensors, dividing
what a hop writes by the product of all scales so far (its gain) leaves the stream at every hop what it was, divided by that
gain; the final norm takes the rest away. Blocks whose output goes through a norm of its own are folded into that norm's weight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source


@dataclass(frozen=True)
class Fold:
    """The tensors of a layer that write to the stream, by a pattern of their names after the layer's number.

    `offset` is what the norms that are folded into add to their weight before they multiply by it.
    """

    written: re.Pattern[str]
    offset: float = 0.0

    def applies(self, rest: str) -> bool:
        """Whether this tensor of a layer takes its part of the gain."""
        return self.written.search(rest) is not None

    def divide(self, tensor: Tensor, gain: float) -> Tensor:
        """The tensor with its output divided by `gain`; computed in float32, in the tensor's own dtype."""
        values = (tensor.to(torch.float32) + self.offset) / gain - self.offset
        return values.to(tensor.dtype)


_PROJECTIONS = Fold(re.compile(r"^(self_attn\.o_proj|mlp\.down_proj)\.(weight|bias)$"))
_POST_NORMS = Fold(re.compile(r"^(post_attention_layernorm|post_feedforward_layernorm)\.weight$"), offset=1.0)
# The architectures whose folded child was compared with the running path.
FOLDS: Mapping[str, Fold] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma", "granite", "smollm3", "phi3", "cohere"), _PROJECTIONS),
    "starcoder2": Fold(re.compile(r"^(self_attn\.o_proj|mlp\.c_proj)\.(weight|bias)$")),
    "gpt_neox": Fold(re.compile(r"^(attention\.dense|mlp\.dense_4h_to_h)\.(weight|bias)$")),
    "gemma2": _POST_NORMS,
    "gemma3_text": _POST_NORMS,
}
_NO_PRE_NORM = "its layers read the stream without a norm, so that its scale changes what they compute"
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(("olmo2", "olmo3", "exaone4"), _NO_PRE_NORM),
    **dict.fromkeys(
        ("falcon", "gptj", "phi", "stablelm", "codegen", "bloom"),
        "attention and MLP write to the stream side by side in a way that can't be folded yet",
    ),
}


def require_fold(base: Source) -> Fold:
    """How the scales of a path over models like `base` are folded; InputError where they can't be."""
    kind = str(settings(base).get("model_type"))
    if kind in FOLDS:
        return FOLDS[kind]
    reason = _REASONS.get(kind, "how its layers write to the stream is unknown")
    raise InputError(
        f"scales of a path can't be folded into the weights of {kind}: {reason}",
        where=f"{base.folder / 'config.json'}: model_type",
        remedy="use scales: none",
    )
