"""A GGUF's logits along given tokens, many texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from evomerge_quant.gguf.proof.comparison import Stretch
from evomerge_quant.llama.answering import batch_tokens
from evomerge_quant.llama.context import MOST_SEQUENCES, LlamaContext, TokenRun
from evomerge_quant.llama.model import LlamaModel

_PREFIX = 0  # the sequence that holds what all texts begin with


class FileLogits:
    """Reads batches of stretches, made beforehand so that there is room for each; what all begin with is read once.

    Raises LlamaError when there is no memory for the largest batch.
    """

    def __init__(self, model: LlamaModel, prefix: Sequence[int], batches: Sequence[Sequence[Stretch]]) -> None:
        self.skipped = len(prefix)
        cells = max(sum(len(text.tokens) for text in batch) for batch in batches)
        sequences = 1 + max(map(len, batches))
        self._context = LlamaContext(model, cells=cells, sequences=min(sequences, MOST_SEQUENCES), batch=batch_tokens(model))
        self._context.read([TokenRun(_PREFIX, 0, prefix)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._context.close()

    def logits(self, stretches: Sequence[Stretch]) -> list[Tensor]:
        """Float32 logits [tokens from `start` on, vocabulary] of each stretch."""
        runs = []
        for sequence, text in enumerate(stretches, 1):
            skipped = self.skipped if len(text.tokens) > self.skipped else 0
            if skipped:
                self._context.fork(_PREFIX, sequence)
            runs.append(TokenRun(sequence, skipped, text.tokens[skipped:], wanted=len(text.tokens) - text.start))
        found = [torch.from_numpy(logits) for logits in self._context.read(runs)]
        for run in runs:
            self._context.cut(run.sequence, 0)
        return found
