"""Adapters of models whose head is the embedding: what they store of the one matrix, and what would make two of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.adapters.settings import is_saved_whole, trained_rows
from evomerge_core.sources.checkpoint import Checkpoint
from evomerge_core.sources.stored.weight_file import WeightFile
from evomerge_core.sources.tensors.names import EMBEDDING, is_head, is_tied_name
from evomerge_core.sources.tensors.tie import are_here, is_same

_UNTIE = (
    "merge it into a model whose config says tie_word_embeddings: false and which stores the embedding as lm_head.weight too, "
    "or train it with ensure_weight_tying"
)


def tied_replacement(
    weights: WeightFile, stored: Mapping[str, str], config: Mapping[str, Any], checkpoint: Checkpoint
) -> dict[str, str]:
    """What an adapter puts in place of a tied model's one matrix: the embedding's name -> the key in the adapter's file.

    `stored` are the keys of embedding and head. peft stores both where tokens were added, equal ones. InputError for two that
    differ, and for one of them trained alone.
    """
    if not stored:
        return {}
    embedding = next((name for name in checkpoint.tensors if EMBEDDING.search(name)), "")
    name = next((name for name in stored if not is_head(name)), next(iter(stored)))
    key, bound = stored[name], bool(config.get("ensure_weight_tying"))
    if not bound:
        for other, copy in stored.items():
            if not is_same(weights, key, weights, copy):
                raise _refusal(weights.path, f"holds {name} and {other} that differ")
        # Without a wrapper of its own, what is stored is loaded into the one matrix.
        alone = len(stored) == 1 and is_saved_whole(config, name.rpartition(".")[0])
        if alone and not _is_own(weights, key, checkpoint, embedding):
            raise _refusal(weights.path, f"changes {name} alone")
    return {embedding: key}


def twin_of_tied(
    path: Path, name: str, config: Mapping[str, Any], checkpoint: Checkpoint, *, rows_of_both: bool = False
) -> bool:
    """Whether this is a tied model's head, trained as one with the embedding; InputError where the two would come to differ.

    `rows_of_both`: peft gives the embedding's trained rows to the head without being asked to.
    """
    if not is_tied_name(name) or not checkpoint.tied:
        return False
    bound = config.get("ensure_weight_tying") or (rows_of_both and not is_head(name))
    if not bound:
        raise _refusal(path, f"changes {name} alone")
    return is_head(name)


def are_rows_again(weights: WeightFile, rows: Mapping[str, str], module: str, config: Mapping[str, Any]) -> bool:
    """Whether a head's trained rows are the embedding's: peft stores both where the vocabulary was resized.

    `rows` are the modules with trained rows, and their keys in the adapter's file.
    """
    embedding = next((other for other in rows if EMBEDDING.search(f"{other}.weight")), None)
    if embedding is None or not is_head(f"{module}.weight"):
        return False
    index = trained_rows(config, module)
    return index in (None, trained_rows(config, embedding)) and is_same(weights, rows[module], weights, rows[embedding])


def _is_own(weights: WeightFile, key: str, checkpoint: Checkpoint, embedding: str) -> bool:
    own = checkpoint.tensors.get(embedding)
    return own is not None and are_here(weights, own) and is_same(weights, key, own, embedding)


def _refusal(path: Path, problem: str) -> InputError:
    return InputError(f"{problem}, but the model ties its embedding and head", where=path, remedy=_UNTIE)
