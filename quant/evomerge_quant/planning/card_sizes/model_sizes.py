"""Shapes of well-known sizes of models, for tables and for models that are generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class ModelSize:
    """A Llama's shape: widths, layers, attention heads, words of the vocabulary."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    words: int
    tied: bool = True

    def config(self) -> Any:
        """transformers' config."""
        from transformers import LlamaConfig

        return LlamaConfig(
            vocab_size=self.words,
            hidden_size=self.hidden,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            max_position_embeddings=2048,
            tie_word_embeddings=self.tied,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )


# `tiny` is there to try things out; the others have the shapes of Qwen 2.5 and, at 8b, of Llama 3.
MODEL_SIZES: Mapping[str, ModelSize] = MappingProxyType(
    {
        "tiny": ModelSize(64, 128, 2, 4, 2, 300),
        "0.5b": ModelSize(896, 4864, 24, 14, 2, 151_936),
        "1.5b": ModelSize(1536, 8960, 28, 12, 2, 151_936),
        "3b": ModelSize(2048, 11_008, 36, 16, 2, 151_936),
        "7b": ModelSize(3584, 18_944, 28, 28, 4, 152_064, tied=False),
        "8b": ModelSize(4096, 14_336, 32, 32, 8, 128_256, tied=False),
        "14b": ModelSize(5120, 13_824, 48, 40, 8, 152_064, tied=False),
    }
)


def shapes_of(size: ModelSize) -> dict[str, tuple[int, ...]]:
    """The model's tensors by name."""
    import torch

    from evomerge_quant.resident.network.skeleton import make_skeleton

    skeleton = make_skeleton(size.config(), "bf16", torch.bfloat16)
    return {name: tuple(parameter.shape) for name, parameter in skeleton.named_parameters()}
