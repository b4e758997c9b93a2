"""A PEFT LoRA adapter, read as a task vector: what it adds to each tensor of a checkpoint, never multiplied out on disk."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from evomerge_core.errors import InputError, MissingFile
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.checkpoint import EMBEDDING, HEAD, Checkpoint
from evomerge_core.sources.weight_file import DTYPES, WeightFile, open_weights

MERGE_FIRST = "merge it into its model with peft's merge_and_unload, and give the merged folder as the source"
# Settings that change what the two factors mean, with the values under which they don't.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "bias": ("none",),
    "lora_bias": (False,),
    "use_dora": (False,),
    "use_qalora": (False,),
    "use_bdlora": (None, False),
    "kasa_config": (None,),
    "velora_config": (None,),
    "monteclora_config": (None,),
    "arrow_config": (None,),
    "alora_invocation_tokens": (None, []),
    "layer_replication": (None, []),
    "target_parameters": (None, []),
    "trainable_token_indices": (None, [], {}),
}
# These initialisations also change the model's own weights, which an adapter doesn't carry.
CHANGES_THE_MODEL = ("pissa", "olora", "corda", "loftq", "lora_ga")
PREFIX = "base_model.model."
FACTOR = re.compile(r"^(?P<module>.+)\.lora_(?P<table>embedding_)?(?P<factor>[AB])(\.(?!weight$)\w+)?(\.weight)?$")
# peft wraps a layer: the original stays beside what was trained, and some versions save both.
WRAPPER = re.compile(r"\.(base_layer|modules_to_save(\.default)?)\.(?=\w+$)")
WRAPPED_ORIGINAL = ".original_module."


class LowRank(NamedTuple):
    """A task vector `scale * up @ down`: `up` [out, r] and `down` [r, in], all float32."""

    up: Tensor
    down: Tensor
    scale: float


@dataclass(frozen=True)
class Pair:
    """The two factors of one tensor, by their names in the adapter's file, and what they are multiplied by.

    `swapped`: the product stands transposed to the tensor, as for embeddings and `fan_in_fan_out` layers.
    """

    a: str
    b: str
    scale: float
    swapped: bool


@dataclass(frozen=True)
class Adapter:
    """An open adapter, fitted to a checkpoint.

    Tensor names in `pairs` and `replaced` are the checkpoint's; a tensor in both is replaced first and then added to.
    """

    folder: Path
    config: Mapping[str, Any] = field(compare=False)
    weights: WeightFile = field(compare=False, repr=False)
    pairs: Mapping[str, Pair] = field(compare=False, repr=False)
    replaced: Mapping[str, str] = field(compare=False, repr=False)
    files: tuple[Path, ...] = field(compare=False)

    def low_rank(self, name: str) -> LowRank | None:
        """What is added to the tensor; None when the adapter leaves it alone or replaces it whole."""
        pair = self.pairs.get(name)
        if pair is None:
            return None
        a, b = (self.weights.read(key).to(torch.float32) for key in (pair.a, pair.b))
        return LowRank(a.T, b.T, pair.scale) if pair.swapped else LowRank(b, a, pair.scale)

    def replacement(self, name: str) -> Tensor | None:
        """The whole tensor that the adapter puts in place (`modules_to_save`), mapped, as stored."""
        key = self.replaced.get(name)
        return None if key is None else self.weights.read(key)


def open_adapter(folder: Path, checkpoint: Checkpoint, *, allow_pickle: bool = False) -> Adapter:
    """Opens a PEFT adapter folder for a checkpoint.

    Raises InputError for a kind of adapter that isn't plain LoRA, a factor without its partner, a pair that fits no
    tensor of the checkpoint, and wrong widths or ranks.
    """
    config = read_adapter_config(folder)
    return fit_adapter(folder, config, open_weights(_weights_path(folder), allow_pickle=allow_pickle), checkpoint)


def fit_adapter(folder: Path, config: Mapping[str, Any], weights: WeightFile, checkpoint: Checkpoint) -> Adapter:
    """The same for a config and factors that are open already."""
    for name, facts in weights.facts.items():
        if facts.dtype not in DTYPES:
            raise InputError(
                f"{name} is stored as {facts.dtype}", where=weights.path, remedy="save the adapter as float32 or bfloat16"
            )
    replaced = _find_replaced(weights, config, checkpoint)
    pairs = _find_pairs(weights, config, checkpoint, replaced)
    if not pairs and not replaced:
        raise InputError("holds no LoRA pair", where=weights.path, remedy="save the adapter again with peft's save_pretrained")
    _require_targets(weights.path, config, checkpoint, pairs)
    files = [folder / "adapter_config.json", weights.path]
    # A tokenizer counts only where the adapter brings its own embedding rows.
    if any(EMBEDDING.search(name) for name in replaced) and (folder / "tokenizer.json").is_file():
        files.append(folder / "tokenizer.json")
    return Adapter(folder, config, weights, pairs, replaced, tuple(files))


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json; raises InputError for a kind of adapter that isn't plain LoRA."""
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy="give the adapter's folder, with adapter_config.json in it")
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise MissingFile("no such file", where=path, remedy="after the + goes a PEFT LoRA adapter's folder")
    config = read_json(path)
    kind = config.get("peft_type")
    if kind != "LORA":
        raise InputError(f"{kind} is not LORA, the only kind that is read", where=f"{path}: peft_type", remedy=MERGE_FIRST)
    for key, neutral in NEUTRAL.items():
        if config.get(key, neutral[0]) not in neutral:
            raise InputError(f"{config[key]!r} can't be expressed by two factors", where=f"{path}: {key}", remedy=MERGE_FIRST)
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(CHANGES_THE_MODEL):
        raise InputError(
            f"{start!r} changed the model's own weights as well", where=f"{path}: init_lora_weights", remedy=MERGE_FIRST
        )
    _require_numbers(path, config)
    return config


def _require_numbers(path: Path, config: Mapping[str, Any]) -> None:
    """Refuses a rank or alpha that is not a positive number, and a pattern that is not a regular expression."""
    for key, pattern_key in (("r", "rank_pattern"), ("lora_alpha", "alpha_pattern")):
        patterns = config.get(pattern_key) or {}
        if not isinstance(patterns, dict):
            raise InputError(
                "must map layers to numbers", where=f"{path}: {pattern_key}", remedy="download or copy the adapter again"
            )
        for value in (config.get(key, 8), *patterns.values()):
            if not isinstance(value, (int, float)) or value <= 0:
                raise InputError(
                    f"{value!r} is not a positive number", where=f"{path}: {key}", remedy="download or copy the adapter again"
                )
        targets = config.get("target_modules")
        for expression in (*patterns, *([targets] if isinstance(targets, str) else [])):
            try:
                re.compile(expression)
            except re.error as error:
                raise InputError(
                    f"{expression!r} is not a regular expression ({error})", where=path, remedy="correct it"
                ) from None


def _weights_path(folder: Path) -> Path:
    for name in ("adapter_model.safetensors", "adapter_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise MissingFile("no such file", where=folder / "adapter_model.safetensors", remedy="download or copy the adapter again")


def _find_pairs(
    weights: WeightFile, config: Mapping[str, Any], checkpoint: Checkpoint, replaced: Mapping[str, str]
) -> dict[str, Pair]:
    found: dict[tuple[str, bool], dict[str, str]] = {}
    for key in weights.facts:
        match = FACTOR.match(key)
        if match:
            found.setdefault((match["module"], match["table"] is not None), {})[match["factor"]] = key
    pairs = {}
    for (module, table), factors in found.items():
        if len(factors) < 2:
            raise InputError(
                f"{next(iter(factors.values()))} has no partner",
                where=weights.path,
                remedy="download or copy the adapter again",
            )
        path = module.removeprefix(PREFIX)
        name = f"{path}.weight"
        if _is_tied_twin(weights.path, name, config, checkpoint):
            continue
        pair = Pair(factors["A"], factors["B"], _scale(config, path), table or bool(config.get("fan_in_fan_out")))
        wanted = _shape(weights.path, pair.a, name, checkpoint)
        if name in replaced:
            wanted = weights.facts[replaced[name]].shape
        _require_fit(weights, name, pair, wanted, _rank(config, path))
        pairs[name] = pair
    return pairs


def _shape(path: Path, key: str, name: str, checkpoint: Checkpoint) -> tuple[int, ...]:
    """The shape of the tensor that `key` of the adapter changes."""
    if name in checkpoint.tensors:
        return checkpoint.facts(name).shape
    raise InputError(
        f"{key} changes {name}, which {checkpoint.folder} doesn't have", where=path, remedy="give the model it was trained on"
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
            remedy="give the adapter_config.json that was saved with these weights",
        )
    made = (a[1], b[0]) if pair.swapped else (b[0], a[1])
    if made != wanted:
        raise InputError(
            f"{pair.a} and {pair.b} make {list(made)}, but {name} is {list(wanted)}",
            where=weights.path,
            remedy="give the model that the adapter was trained on",
        )


def _rank(config: Mapping[str, Any], module: str) -> int:
    return int(_by_pattern(config.get("rank_pattern"), module, config.get("r", 8)))


def _scale(config: Mapping[str, Any], module: str) -> float:
    alpha = float(_by_pattern(config.get("alpha_pattern"), module, config.get("lora_alpha", 8)))
    rank = _rank(config, module)
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _by_pattern(patterns: Mapping[str, float] | None, module: str, default: float) -> float:
    """PEFT's rule: the first pattern that matches the end of the module's path counts."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _find_replaced(weights: WeightFile, config: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, str]:
    """Tensors that the adapter holds whole: the checkpoint's name -> the adapter's."""
    replaced = {}
    saved = tuple(config.get("modules_to_save") or ())
    for key in weights.facts:
        if FACTOR.match(key) or WRAPPED_ORIGINAL in key:
            continue
        name = WRAPPER.sub(".", key.removeprefix(PREFIX))
        module = name.rpartition(".")[0]
        if not module.endswith(saved) and not _is_end(name):
            raise InputError(f"{key} is neither a LoRA factor nor in modules_to_save", where=weights.path, remedy=MERGE_FIRST)
        if _is_tied_twin(weights.path, name, config, checkpoint) or _is_unchanged(weights, key, name, checkpoint):
            continue
        replaced[name] = key
    return replaced


def _is_end(name: str) -> bool:
    return bool(EMBEDDING.search(name) or HEAD.search(name))


def _is_unchanged(weights: WeightFile, key: str, name: str, checkpoint: Checkpoint) -> bool:
    """Whether the adapter only holds the model's own tensor again, as peft does where an embedding has a pair."""
    wanted, shape = _shape(weights.path, key, name, checkpoint), weights.facts[key].shape
    # A tokenizer that grew gives the embedding and the head more rows.
    free = 1 if _is_end(name) else 0
    if len(shape) != len(wanted) or shape[free:] != wanted[free:]:
        raise InputError(
            f"{key} is {list(shape)}, but {name} is {list(wanted)}",
            where=weights.path,
            remedy="give the model that the adapter was trained on",
        )
    return shape == wanted and bool((weights.read(key).to(torch.float32) == checkpoint.read(name).to(torch.float32)).all())


def _is_tied_twin(path: Path, name: str, config: Mapping[str, Any], checkpoint: Checkpoint) -> bool:
    """Whether this is a tied model's head, trained as one with the embedding; refuses to let the two differ."""
    if not _is_end(name) or not checkpoint.tied:
        return False
    if not config.get("ensure_weight_tying"):
        raise InputError(
            f"changes {name} alone, but the model ties its embedding and head",
            where=path,
            remedy="train the adapter with ensure_weight_tying, or without these two",
        )
    return HEAD.search(name) is not None


def _require_targets(path: Path, config: Mapping[str, Any], checkpoint: Checkpoint, pairs: Mapping[str, Pair]) -> None:
    """Refuses an adapter that lacks a pair for a layer that it claims to have been trained on."""
    if config.get("layers_to_transform") is not None or config.get("exclude_modules"):
        return
    targets = config.get("target_modules") or ()
    for name in checkpoint.tensors:
        if name.endswith(".weight") and name not in pairs and _is_target(targets, name.removesuffix(".weight")):
            raise InputError(
                f"target_modules names {name.removesuffix('.weight')}, but no pair changes it",
                where=path,
                remedy="download or copy the adapter again",
            )


def _is_target(targets: str | Iterable[str], module: str) -> bool:
    if isinstance(targets, str):
        return targets != "all-linear" and re.fullmatch(targets, module) is not None
    return any(module == target or module.endswith(f".{target}") for target in targets)
