"""A PEFT LoRA adapter, read as what it makes of each tensor of a checkpoint, as peft's merge_and_unload does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from evomerge_core.errors import InputError, MissingFile
from evomerge_core.limited.expression import SlowExpression
from evomerge_core.sources.adapters.keys import Keys, sort_keys
from evomerge_core.sources.adapters.settings import (
    MERGE_FIRST,
    is_saved_whole,
    is_target,
    rank_of,
    read_adapter_config,
    scale_of,
    trained_rows,
)
from evomerge_core.sources.adapters.tied import are_rows_again, tied_replacement, twin_of_tied
from evomerge_core.sources.checkpoint import Checkpoint
from evomerge_core.sources.stored.tokenizer_files import vocabulary_file
from evomerge_core.sources.stored.weight_file import DTYPES, WeightFile, open_weights
from evomerge_core.sources.tensors.names import EMBEDDING, LAYER, is_end, is_head, is_tied_name
from evomerge_core.sources.tensors.tie import are_here, is_same
from evomerge_core.sources.vision.body import is_seeing
from evomerge_core.sources.vision.layout import text_names

# Families whose linear layers store their weights transposed (Conv1D): peft goes by the layer, not by `fan_in_fan_out`.
_TRANSPOSED = ("gpt2", "openai-gpt")
_SAVED_WITH_THEM = "give the adapter_config.json that was saved with these weights"


class LowRank(NamedTuple):
    """A task vector `scale * up @ down`: `up` [out, r] and `down` [r, in], all float32."""

    up: Tensor
    down: Tensor
    scale: float


@dataclass(frozen=True)
class Pair:
    """The two factors of one tensor, by their names in the adapter's file, and what they are multiplied by.

    `swapped`: the product stands transposed to the tensor, as for embeddings and the linear layers of GPT-2. `magnitude` is the
    name of DoRA's vector, which holds the norm of each of the merged tensor's rows (of each column where swapped).
    """

    a: str
    b: str
    scale: float
    swapped: bool
    magnitude: str | None = None


@dataclass(frozen=True)
class Bias:
    """What is added to a layer's bias (`lora_bias`): its key in the file, and what it is multiplied by."""

    key: str
    scale: float


@dataclass(frozen=True)
class Rows:
    """Rows of a tensor that were trained alone (`trainable_token_indices`): which ones, and their key in the file."""

    index: tuple[int, ...]
    key: str


@dataclass(frozen=True)
class Adapter:
    """An open adapter, fitted to a checkpoint.

    Tensor names in `pairs`, `replaced`, `rows` and `biases` are the checkpoint's; a tensor in several is replaced first, then
    added to, and last given its rows.
    """

    folder: Path
    config: Mapping[str, Any] = field(compare=False)
    weights: WeightFile = field(compare=False, repr=False)
    pairs: Mapping[str, Pair] = field(compare=False, repr=False)
    replaced: Mapping[str, str] = field(compare=False, repr=False)
    files: tuple[Path, ...] = field(compare=False)
    rows: Mapping[str, Rows] = field(compare=False, repr=False, default_factory=dict)
    biases: Mapping[str, Bias] = field(compare=False, repr=False, default_factory=dict)
    # What DoRA multiplies each output's weights by: the same for every candidate of a run.
    _factors_of: dict[str, Tensor] = field(compare=False, repr=False, default_factory=dict)

    def low_rank(self, name: str) -> LowRank | None:
        """What is added to the checkpoint's tensor; None where the adapter does nothing to it, or more than that."""
        pair = self.pairs.get(name)
        if pair is None or pair.magnitude is not None or name in self.replaced or name in self.rows:
            return None
        return self._factors(pair)

    def merged(self, name: str, stored: Tensor) -> Tensor:
        """What peft's merge_and_unload makes of the checkpoint's tensor `stored`; mapped where nothing is computed."""
        key = self.replaced.get(name)
        tensor = stored if key is None else self.weights.read(key)
        pair, rows, bias = self.pairs.get(name), self.rows.get(name), self.biases.get(name)
        if pair is not None:
            tensor = self._added(name, pair, tensor)
        if bias is not None:
            tensor = tensor.to(torch.float32) + self.weights.read(bias.key).to(torch.float32) * bias.scale
        return tensor if rows is None else self._with_rows(rows, tensor)

    def dtype(self, name: str, stored: torch.dtype) -> torch.dtype:
        """The dtype of `merged`: float32 where a pair or a bias changes the tensor, else as stored there or here."""
        if name in self.pairs or name in self.biases:
            return torch.float32
        key, rows = self.replaced.get(name), self.rows.get(name)
        own = stored if key is None else self._dtype(key)
        return own if rows is None else torch.promote_types(own, self._dtype(rows.key))

    def _dtype(self, key: str) -> torch.dtype:
        return DTYPES[self.weights.facts[key].dtype]

    def _factors(self, pair: Pair) -> LowRank:
        a, b = (self.weights.read(key).to(torch.float32) for key in (pair.a, pair.b))
        return LowRank(a.T, b.T, pair.scale) if pair.swapped else LowRank(b, a, pair.scale)

    def _added(self, name: str, pair: Pair, tensor: Tensor) -> Tensor:
        from evomerge_core.fixed_order.products import product  # compiled loops take a while to load

        added = self._factors(pair)
        whole = product(added.up, added.down.t()).mul_(added.scale).add_(tensor)
        if pair.magnitude is None:
            return whole
        if name not in self._factors_of:
            self._factors_of[name] = self._lengthening(pair.magnitude, whole.t() if pair.swapped else whole)
        factor = self._factors_of[name]
        return whole.mul_(factor if pair.swapped else factor.unsqueeze(1))

    def _lengthening(self, magnitude: str, whole: Tensor) -> Tensor:
        """DoRA: the direction is LoRA's, the length of each output's weights a number of its own (arXiv 2402.09353)."""
        from evomerge_core.methods.parts.reductions import row_norms

        return self.weights.read(magnitude).to(torch.float32).reshape(-1) / row_norms(whole)

    def _with_rows(self, rows: Rows, tensor: Tensor) -> Tensor:
        trained = self.weights.read(rows.key)
        dtype = torch.promote_types(tensor.dtype, trained.dtype)
        return tensor.to(dtype).index_copy(0, torch.tensor(rows.index, dtype=torch.int64), trained.to(dtype))


def open_adapter(folder: Path, checkpoint: Checkpoint, *, allow_pickle: bool = False) -> Adapter:
    """Opens a PEFT adapter folder for a checkpoint.

    Raises InputError for a kind of adapter that can't be merged, a factor without its partner, a tensor that fits none of the
    checkpoint's, wrong widths or ranks, and changes to one of two tied matrices alone.
    """
    config = read_adapter_config(folder)
    weights = open_weights(_weights_path(folder), allow_pickle=allow_pickle)
    try:
        return fit_adapter(folder, config, weights, checkpoint)
    except SlowExpression as error:
        raise error.within(folder) from None


def fit_adapter(folder: Path, config: Mapping[str, Any], weights: WeightFile, checkpoint: Checkpoint) -> Adapter:
    """The same for a config and tensors that are open already."""
    for name, facts in weights.facts.items():
        if facts.dtype not in DTYPES:
            raise InputError(
                f"{name} is stored as {facts.dtype}", where=weights.path, remedy="save the adapter as float32 or bfloat16"
            )
    keys = sort_keys(weights.facts)
    _refuse_body(weights.path, keys, checkpoint)
    replaced = _find_replaced(weights, keys, config, checkpoint)
    pairs = _find_pairs(weights, keys, config, checkpoint, replaced)
    rows = _find_rows(weights, keys, config, checkpoint, pairs, replaced)
    if not pairs and not replaced and not rows:
        raise InputError("holds no LoRA pair", where=weights.path, remedy="save the adapter again with peft's save_pretrained")
    _require_targets(weights.path, config, checkpoint, pairs)
    biases = _find_biases(weights, keys, config, checkpoint)
    files = [folder / "adapter_config.json", weights.path]
    # A tokenizer counts only where the adapter brings its own embedding rows.
    tokenizer = vocabulary_file(folder)
    if tokenizer is not None and any(EMBEDDING.search(name) for name in (*replaced, *rows)):
        files.append(tokenizer)
    return Adapter(folder, config, weights, pairs, replaced, tuple(files), rows, biases)


def _weights_path(folder: Path) -> Path:
    for name in ("adapter_model.safetensors", "adapter_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise MissingFile("no such file", where=folder / "adapter_model.safetensors", remedy="download or copy the adapter again")


def _refuse_body(path: Path, keys: Keys, checkpoint: Checkpoint) -> None:
    """Refuses an adapter of a vision-language model that changes more than the language part."""
    modules = (*(module for module, _ in keys.factors), *keys.magnitudes, *keys.rows, *keys.whole)
    names = {module: _stored_name(module if module in keys.whole else f"{module}.weight", checkpoint) for module in modules}
    beyond = [module for module, name in names.items() if name not in checkpoint.tensors and is_seeing(module)]
    if not beyond:
        return
    changed = f"nothing but its eyes ({beyond[0]})" if len(beyond) == len(names) else f"{beyond[0]} as well"
    raise InputError(
        f"changes {changed}, but tower and projector are never merged",
        where=path,
        remedy="train it on the language part alone, or merge it into its model with peft and give that model as the base",
    )


def _find_pairs(
    weights: WeightFile, keys: Keys, config: Mapping[str, Any], checkpoint: Checkpoint, replaced: Mapping[str, str]
) -> dict[str, Pair]:
    pairs = {}
    for (module, table), factors in keys.factors.items():
        if len(factors) < 2:
            raise InputError(
                f"{next(iter(factors.values()))} has no partner",
                where=weights.path,
                remedy="download or copy the adapter again",
            )
        name = _stored_name(f"{module}.weight", checkpoint)
        if twin_of_tied(weights.path, name, config, checkpoint):
            continue
        swapped = table or (checkpoint.config.get("model_type") in _TRANSPOSED and LAYER.match(name) is not None)
        magnitude = _magnitude(weights, keys, config, module)
        pair = Pair(factors["A"], factors["B"], scale_of(config, module), swapped, magnitude)
        wanted = _shape(weights.path, pair.a, name, checkpoint)
        if name in replaced:
            wanted = weights.facts[replaced[name]].shape
        _require_fit(weights, name, pair, wanted, rank_of(config, module))
        pairs[name] = pair
    return pairs


def _magnitude(weights: WeightFile, keys: Keys, config: Mapping[str, Any], module: str) -> str | None:
    """DoRA's vector for a layer; InputError where the settings and the file don't agree about it."""
    magnitude = keys.magnitudes.get(module)
    if bool(config.get("use_dora")) != (magnitude is not None):
        problem = f"use_dora is true, but {module} has no magnitude" if magnitude is None else f"{magnitude} needs use_dora"
        raise InputError(problem, where=weights.path, remedy=_SAVED_WITH_THEM)
    return magnitude


def _find_biases(weights: WeightFile, keys: Keys, config: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Bias]:
    """What is added to the biases of layers, of which peft gives every target one with `lora_bias`."""
    stated = bool(config.get("lora_bias"))
    for module in dict.fromkeys((*(module for module, _ in keys.factors), *keys.biases)):
        if stated != (module in keys.biases):
            problem = f"lora_bias is true, but {module} has none" if stated else f"{keys.biases[module]} needs lora_bias"
            raise InputError(problem, where=weights.path, remedy=_SAVED_WITH_THEM)
    biases = {_stored_name(f"{module}.bias", checkpoint): (module, key) for module, key in keys.biases.items()}
    for name, (module, key) in biases.items():
        if name not in checkpoint.tensors:
            problem = f"{key} is added to a bias, but {module} has none in {checkpoint.folder}; peft can't merge it either"
            raise InputError(problem, where=weights.path, remedy="train it without lora_bias")
        shape, wanted = weights.facts[key].shape, checkpoint.facts(name).shape
        if shape != wanted:
            problem = f"{key} is {list(shape)}, but {name} is {list(wanted)}"
            raise InputError(problem, where=weights.path, remedy="give the model that the adapter was trained on")
    return {name: Bias(key, scale_of(config, module)) for name, (module, key) in biases.items()}


def _stored_name(name: str, checkpoint: Checkpoint) -> str:
    """The checkpoint's name for a tensor that transformers calls `name`.

    The first part may be missing (GPT-2's), and a language part may be named as one.
    """
    if name in checkpoint.tensors:
        return name
    heads = [stored for stored in checkpoint.tensors if is_head(stored)]
    if is_head(name) and heads:
        return heads[0]  # GPT-NeoX's `embed_out`
    # peft calls a vision-language model's tensors as transformers does in memory, whatever they are called on disk.
    others = (name.partition(".")[2], *text_names(name))
    return next((other for other in others if other in checkpoint.tensors), name)


def _shape(path: Path, key: str, name: str, checkpoint: Checkpoint) -> tuple[int, ...]:
    """The shape of the tensor that `key` of the adapter changes."""
    if name in checkpoint.tensors:
        return checkpoint.facts(name).shape
    raise InputError(
        f"{key} changes {name}, which {checkpoint.folder} doesn't have",
        where=path,
        remedy=f"give the model it was trained on, or {MERGE_FIRST}",
    )


def _require_fit(weights: WeightFile, name: str, pair: Pair, wanted: tuple[int, ...], rank: int) -> None:
    a, b = weights.facts[pair.a].shape, weights.facts[pair.b].shape
    if len(a) != 2 or len(b) != 2 or len(wanted) != 2:
        raise InputError(
            f"{pair.a} {list(a)} and {pair.b} {list(b)} are not two matrices", where=weights.path, remedy=MERGE_FIRST
        )
    if a[0] != b[1] or a[0] != rank:
        raise InputError(
            f"{pair.a} has rank {a[0]} and {pair.b} rank {b[1]}, where adapter_config.json says {rank}",
            where=weights.path,
            remedy=_SAVED_WITH_THEM,
        )
    made = (a[1], b[0]) if pair.swapped else (b[0], a[1])
    if made != wanted:
        raise InputError(
            f"{pair.a} and {pair.b} make {list(made)}, but {name} is {list(wanted)}",
            where=weights.path,
            remedy="give the model that the adapter was trained on",
        )
    if pair.magnitude is not None and weights.facts[pair.magnitude].shape not in ((b[0],), (1, b[0]), (b[0], 1)):
        raise InputError(
            f"{pair.magnitude} is {list(weights.facts[pair.magnitude].shape)}, where {pair.b} makes {b[0]} outputs",
            where=weights.path,
            remedy="download or copy the adapter again",
        )


def _find_replaced(weights: WeightFile, keys: Keys, config: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, str]:
    """Tensors that the adapter holds whole: the checkpoint's name -> the adapter's."""
    whole = {_stored_name(name, checkpoint): key for name, key in keys.whole.items()}
    tied = {name: key for name, key in whole.items() if checkpoint.tied and is_tied_name(name)}
    replaced = tied_replacement(weights, tied, config, checkpoint)
    for name, key in whole.items():
        if name not in tied:
            _require_known(weights.path, name, key, config)
            replaced[name] = key
    return {name: key for name, key in replaced.items() if not _is_unchanged(weights, key, name, checkpoint)}


def _require_known(path: Path, name: str, key: str, config: Mapping[str, Any]) -> None:
    trained_bias = name.endswith(".bias") and config.get("bias", "none") != "none"
    if not trained_bias and not is_end(name) and not is_saved_whole(config, name.rpartition(".")[0]):
        raise InputError(f"{key} is neither a LoRA factor nor in modules_to_save", where=path, remedy=MERGE_FIRST)


def _is_unchanged(weights: WeightFile, key: str, name: str, checkpoint: Checkpoint) -> bool:
    """Whether the adapter only holds the model's own tensor again, as peft does where an embedding has a pair."""
    wanted, shape = _shape(weights.path, key, name, checkpoint), weights.facts[key].shape
    # A tokenizer that grew gives the embedding and the head more rows.
    free = 1 if is_end(name) else 0
    if len(shape) != len(wanted) or shape[free:] != wanted[free:]:
        raise InputError(
            f"{key} is {list(shape)}, but {name} is {list(wanted)}",
            where=weights.path,
            remedy="give the model that the adapter was trained on",
        )
    own = checkpoint.tensors[name]
    return are_here(weights, own) and is_same(weights, key, own, name)


def _find_rows(
    weights: WeightFile,
    keys: Keys,
    config: Mapping[str, Any],
    checkpoint: Checkpoint,
    pairs: Mapping[str, Pair],
    replaced: Mapping[str, str],
) -> dict[str, Rows]:
    """Embeddings of which some rows were trained: the checkpoint's name -> the rows."""
    rows = {}
    for module, key in keys.rows.items():
        name = _stored_name(f"{module}.weight", checkpoint)
        if checkpoint.tied and are_rows_again(weights, keys.rows, module, config):
            continue
        if twin_of_tied(weights.path, name, config, checkpoint, rows_of_both=True):
            continue
        wanted = _shape(weights.path, key, name, checkpoint)
        if name in replaced:
            wanted = weights.facts[replaced[name]].shape
        if name in pairs:
            raise InputError(f"{key} and {pairs[name].a} change the same tensor", where=weights.path, remedy=MERGE_FIRST)
        rows[name] = _fitting_rows(weights, key, trained_rows(config, module), wanted)
    return rows


def _fitting_rows(weights: WeightFile, key: str, index: tuple[int, ...] | None, wanted: tuple[int, ...]) -> Rows:
    shape = weights.facts[key].shape
    if index is None or shape != (len(index), *wanted[1:]) or max(index, default=0) >= wanted[0]:
        named = "none" if index is None else f"{len(index)}, the last {max(index, default=0)}"
        raise InputError(
            f"{key} is {list(shape)} for a tensor of {list(wanted)}, where trainable_token_indices names {named}",
            where=weights.path,
            remedy="give the model that the adapter was trained on, and the adapter_config.json saved with it",
        )
    return Rows(index, key)


def _require_targets(path: Path, config: Mapping[str, Any], checkpoint: Checkpoint, pairs: Mapping[str, Pair]) -> None:
    """Refuses an adapter that lacks a pair for a layer that it claims to have been trained on."""
    for name in checkpoint.tensors:
        if name.endswith(".weight") and name not in pairs and is_target(config, name.removesuffix(".weight")):
            raise InputError(
                f"target_modules names {name.removesuffix('.weight')}, but no pair changes it",
                where=path,
                remedy="download or copy the adapter again",
            )
