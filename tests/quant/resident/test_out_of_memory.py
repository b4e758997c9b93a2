"""A candidate whose weights don't fit fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.resident.model import build


def too_much() -> Iterator[tuple[str, torch.Tensor]]:
    """Asks torch for more memory than any machine has, as a merge on a small one would."""
    yield "model.embed_tokens.weight", torch.empty(2**60, dtype=torch.uint8)


def test_memory_that_runs_out_while_loading_is_the_candidates_failure(model_folder: Callable[..., Path]) -> None:
    resident = build(model_folder(), precision="nf4", device="cpu")
    with pytest.raises(CandidateError, match="out of memory"):
        resident.load(too_much())
