"""The language part of a vision-language model whose class transformers has no causal language model for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModel


class DecoderWithHead(nn.Module):
    """A decoder and its head, by the names that a text model gives them."""

    _supports_attention_backend = True

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        make: Any = AutoModel.from_config
        self.model = make(config, dtype=torch.float32, trust_remote_code=False)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    @property
    def base_model(self) -> Any:
        """The decoder."""
        return self.model

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.lm_head

    def tie_weights(self) -> None:
        """Makes the head the embedding where the config says so."""
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def set_attn_implementation(self, name: str) -> None:
        """As transformers' own models have it."""
        self.model.set_attn_implementation(name)
