"""The forward pass that answering is made of: tokens in, hidden states out, logits where they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.resident.answering.attention import Windows, masks, windows
from evomerge_quant.resident.answering.cache import RowCache
from evomerge_quant.resident.answering.pictures import PictureTokens
from evomerge_quant.resident.answering.recording import Recording

# Logits are float32, 4 bytes each: 64 MiB at a time.
LOGITS_AT_ONCE = 2**24
# Of these, as many in float64 at a time, and their exponentials.
EXACT_AT_ONCE = 2**21


@dataclass(frozen=True)
class PlacedTokens:
    """Tokens with their positions and branches: int64 [rows, tokens] each. Branch 0 is the trunk (the prompt).

    `turns` [3, rows, tokens] are what tokens are turned by where that has three parts and isn't the position itself;
    `pictures` [rows, tokens] which picture a token shows, 0 for none, where a picture's tokens see each other.
    """

    tokens: Tensor
    positions: Tensor
    branches: Tensor
    turns: Tensor | None = None
    pictures: Tensor | None = None

    def pictures_of(self, columns: int) -> tuple[Tensor, Tensor] | None:
        """Which picture each of all columns shows, the tokens' own being the last, and which each token."""
        if self.pictures is None:
            return None
        return nn.functional.pad(self.pictures, (columns - self.pictures.shape[1], 0)), self.pictures


@dataclass(frozen=True)
class Reader:
    """A decoder of `layers` layers, its head of `vocabulary` logits, what its attention layers see, whether its steps can be
    recorded, and the pictures that tokens beyond the vocabulary stand for."""

    decoder: Any
    head: Callable[[Tensor], Tensor]
    windows: Windows
    layers: int
    vocabulary: int
    dtype: torch.dtype
    device: torch.device
    recording: Recording
    pictures: PictureTokens | None = None

    def read(self, placed: PlacedTokens, seen: tuple[Tensor, Tensor], cache: RowCache) -> Tensor:
        """Reads tokens after what the cache holds; hidden states [rows, tokens, width].

        `seen` is (position, branch) of all columns, those of the cache and then the new ones.
        """
        shown = placed.pictures_of(seen[0].shape[1])
        mask = masks(self.windows, self.dtype, seen, (placed.positions, placed.branches), shown)
        out = self.decoder(
            **self._given(placed.tokens),
            position_ids=placed.positions.clamp(min=0) if placed.turns is None else placed.turns,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
        )
        hidden: Tensor = out.last_hidden_state
        return hidden

    def _given(self, tokens: Tensor) -> dict[str, Any]:
        if self.pictures is None:
            return {"input_ids": tokens}
        embedded = self.pictures.embedded(self.decoder.get_input_embeddings(), tokens)
        return {"inputs_embeds": embedded, **self.pictures.added(tokens)}

    def next_tokens(self, hidden: Tensor) -> list[int]:
        """The most likely next token after each hidden state [n, width]. CandidateError when it is not a number."""
        most, tokens = self.head(hidden).max(dim=-1)
        _require_numbers(most)
        found: list[int] = tokens.tolist()
        return found

    def judge(self, hidden: Tensor, targets: Tensor) -> tuple[list[int], list[float]]:
        """After each hidden state [n, width]: the most likely token, and the log-probability of the target (int64 [n]).

        CandidateError when a log-probability is not a number.
        """
        best: list[int] = []
        logprobs: list[float] = []
        at_once = max(1, LOGITS_AT_ONCE // self.vocabulary)
        for states, wanted in zip(torch.split(hidden, at_once), torch.split(targets, at_once), strict=True):
            logits = self.head(states)
            # In float64 a sum of exponentials differs between processors far beyond what float32 keeps.
            sums = [some.double().logsumexp(dim=-1) for some in _few_at_a_time(logits)]
            found = logits.gather(1, wanted[:, None])[:, 0] - torch.cat(sums)
            _require_numbers(found)
            found = found.float()
            best += logits.argmax(dim=-1).tolist()
            logprobs += found.tolist()
        return best, logprobs


def make_reader(model: Any, dtype: torch.dtype, device: torch.device) -> Reader:
    """The reader of a transformers causal language model that computes in `dtype` on `device`."""
    config = model.config
    return Reader(
        decoder=model.base_model,
        head=_head(model.get_output_embeddings(), config),
        windows=windows(config),
        layers=config.num_hidden_layers,
        vocabulary=config.vocab_size,
        dtype=dtype,
        device=device,
        recording=Recording(device),
    )


def _head(projection: nn.Module, config: Any) -> Callable[[Tensor], Tensor]:
    """Float32 logits from hidden states, finished as the family does it (Cohere, Granite, Gemma)."""
    factor = (getattr(config, "logit_scale", None) or 1.0) / (getattr(config, "logits_scaling", None) or 1.0)
    cap = getattr(config, "final_logit_softcapping", None)

    def head(hidden: Tensor) -> Tensor:
        logits: Tensor = projection(hidden).float()
        if factor != 1.0:
            logits.mul_(factor)
        if cap is not None:
            _bend(logits, cap)
        return logits

    return head


def _bend(logits: Tensor, cap: float) -> None:
    """Logits [n, vocabulary] between -cap and cap, in place."""
    for some in _few_at_a_time(logits):
        # A processor's own float32 tanh differs from another's in the last bit, its float64 one beyond what float32 keeps.
        some.copy_(torch.tanh(some.double() / cap) * cap)


def _few_at_a_time(logits: Tensor) -> tuple[Tensor, ...]:
    """Views of logits [n, vocabulary], of as many rows as are computed in float64 at a time."""
    return torch.split(logits, max(1, EXACT_AT_ONCE // logits.shape[-1]))


def _require_numbers(values: Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise CandidateError("the model's logits hold NaN or Inf")
