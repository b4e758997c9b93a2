"""Whether a model's head shares the embedding's numbers, told as transformers tells it: by the config, then by what is stored.

Under a config that ties, one stored matrix stands for both, by whichever name; two equal ones are one stored twice; two that
differ stay two. Source: `PreTrainedModel.tie_weights` of transformers 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import torch

from evomerge_core.sources.stored.fingerprint import identity
from evomerge_core.sources.stored.weight_file import WeightFile
from evomerge_core.sources.tensors.names import EMBEDDING, LAYER, is_head

_SAMPLE_ROWS = 16


def stated_tie(config: Mapping[str, Any]) -> bool | None:
    """What config.json says about the tie; None where it leaves it to transformers' default."""
    text = config.get("text_config")
    tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings") if isinstance(text, Mapping) else None)
    return None if tied is None else bool(tied)


def ties(config: Mapping[str, Any]) -> bool:
    """Whether the config ties head and embedding, by transformers' default for the model's type where it doesn't say."""
    stated = stated_tie(config)
    if stated is not None:
        return stated
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        return False
    return bool(getattr(CONFIG_MAPPING[kind](), "tie_word_embeddings", False))


def lone_head(config: Mapping[str, Any], names: Iterable[str]) -> tuple[str, str] | None:
    """The stored head that is the embedding as well, and the embedding's name; None where there is no such head.

    Some writers keep only one name of two tied tensors, and it may be the head's.
    """
    names = tuple(names)
    head = next((name for name in names if is_head(name)), None)
    if head is None or any(EMBEDDING.search(name) for name in names) or not ties(config):
        return None
    embedding = _embedding_name(config, names)
    return None if embedding is None or embedding in names else (head, embedding)


def second_copies(config: Mapping[str, Any], tensors: Mapping[str, WeightFile]) -> list[str]:
    """The stored heads that hold the embedding's numbers once more; none where the config says that they aren't tied."""
    embedding = next((name for name in tensors if EMBEDDING.search(name)), None)
    if embedding is None or stated_tie(config) is False:
        return []
    return [name for name in tensors if is_head(name) and is_same(tensors[embedding], embedding, tensors[name], name)]


def are_here(one: WeightFile, other: WeightFile) -> bool:
    """Whether both files are on this machine, so that their tensors can be read."""
    return one.path.exists() and other.path.exists()


def is_same(one: WeightFile, name: str, other: WeightFile, other_name: str) -> bool:
    """Whether two stored tensors hold the same numbers; those of files that aren't downloaded yet are taken to do so."""
    if one.facts[name].shape != other.facts[other_name].shape:
        return False
    if not are_here(one, other):
        return True
    key = (identity(one.path), name, identity(other.path), other_name)
    return _remembered(key, lambda: _is_equal(one.read(name), other.read(other_name)))


_known: dict[object, bool] = {}


def _remembered(key: object, find: Callable[[], bool]) -> bool:
    """Two matrices of a gigabyte are compared once in a process."""
    if key not in _known:
        _known[key] = find()
    return _known[key]


def _is_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    # Most that differ do so in the first rows.
    return all(torch.equal(*_alike(one[rows], other[rows])) for rows in (slice(_SAMPLE_ROWS), slice(None)))


def _alike(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (one, other) if one.dtype == other.dtype else (one.to(torch.float32), other.to(torch.float32))


@lru_cache(maxsize=32)
def _twin_of_head(kind: str) -> str | None:
    """What transformers calls the embedding that a model type ties its head to."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING

    if kind not in CONFIG_MAPPING:
        return None
    try:
        network: Any = MODEL_FOR_CAUSAL_LM_MAPPING[CONFIG_MAPPING[kind]]
    except (KeyError, ImportError):
        return None
    twins: Any = getattr(network, "_tied_weights_keys", None)
    return next((twin for head, twin in twins.items() if is_head(head)), None) if isinstance(twins, Mapping) else None


def _embedding_name(config: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The embedding's name in this checkpoint: it lies beside the layers, whatever stands before both."""
    kind = config.get("model_type")
    twin = _twin_of_head(kind) if isinstance(kind, str) else None
    stacks = [match["stack"] for name in names if (match := LAYER.match(name))]
    if twin is None or not stacks:
        return None
    before = stacks[0].removesuffix(".").rpartition(".")[0]
    own = ".".join(twin.split(".")[-2:])
    return f"{before}.{own}" if before else own
