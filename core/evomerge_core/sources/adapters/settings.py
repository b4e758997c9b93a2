"""adapter_config.json: what is read, what is refused, and which layers a setting is about (PEFT's own rules)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError, MissingFile
from evomerge_core.files.json_file import read_json
from evomerge_core.limited.expression import SlowExpression, fault_of, matches_whole

MERGE_FIRST = "merge it into its model with peft's merge_and_unload, and give the merged folder as the source"
# Settings that make more of an adapter than factors, magnitudes, biases and rows, with the values under which they don't.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "bias": ("none", "all", "lora_only"),
    "lora_bias": (None, False, True),
    "use_qalora": (False,),
    "use_bdlora": (None, False),
    "kasa_config": (None,),
    "velora_config": (None,),
    "monteclora_config": (None,),
    "arrow_config": (None,),
    "alora_invocation_tokens": (None, []),
    "layer_replication": (None, []),
    "target_parameters": (None, []),
}
# These initialisations also change the model's own weights, which an adapter doesn't carry.
_CHANGES_THE_MODEL = ("pissa", "olora", "corda", "loftq", "lora_ga")
_COPY_AGAIN = "download or copy the adapter again"


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json; raises InputError for a kind of adapter that can't be merged, and for settings of another type."""
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy="give the adapter's folder, with adapter_config.json in it")
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise MissingFile("no such file", where=path, remedy="after the + goes a PEFT LoRA adapter's folder")
    config = read_json(path)
    kind = config.get("peft_type")
    if kind != "LORA":
        raise InputError(f"{kind} is not LORA, the only kind that is read", where=f"{path}: peft_type", remedy=MERGE_FIRST)
    for key, neutral in _NEUTRAL.items():
        if config.get(key, neutral[0]) not in neutral:
            raise InputError(f"{config[key]!r} can't be expressed by two factors", where=f"{path}: {key}", remedy=MERGE_FIRST)
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_THE_MODEL):
        raise InputError(
            f"{start!r} changed the model's own weights as well", where=f"{path}: init_lora_weights", remedy=MERGE_FIRST
        )
    _require_numbers(path, config)
    _require_names(path, config)
    return config


def rank_of(config: Mapping[str, Any], module: str) -> int:
    """The rank of a layer's factors, by its path in the model."""
    return int(_by_pattern(config, "rank_pattern", module, config.get("r", 8)))


def scale_of(config: Mapping[str, Any], module: str) -> float:
    """What the product of a layer's factors is multiplied by."""
    alpha = float(_by_pattern(config, "alpha_pattern", module, config.get("lora_alpha", 8)))
    rank = rank_of(config, module)
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def is_saved_whole(config: Mapping[str, Any], module: str) -> bool:
    """Whether `modules_to_save` names a module, or one around it, by the end of its path: then it is stored whole."""
    parts = module.split(".")
    around = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(path.endswith(name) for name in config.get("modules_to_save") or () for path in around)


def is_target(config: Mapping[str, Any], module: str) -> bool:
    """Whether a module must have factors. `all-linear`, and lists that some layers are taken from, promise none."""
    if config.get("layers_to_transform") is not None or config.get("exclude_modules") or is_saved_whole(config, module):
        return False
    targets = config.get("target_modules") or ()
    if isinstance(targets, str):
        return targets != "all-linear" and _matches("target_modules", targets, module)
    return any(module == target or module.endswith(f".{target}") for target in targets)


def trained_rows(config: Mapping[str, Any], module: str) -> tuple[int, ...] | None:
    """The rows of an embedding that `trainable_token_indices` names; None where it names none of this module."""
    stated = config.get("trainable_token_indices")
    if isinstance(stated, list):
        return tuple(stated)
    return next((tuple(rows) for name, rows in (stated or {}).items() if module.endswith(name)), None)


def _by_pattern(config: Mapping[str, Any], key: str, module: str, default: float) -> float:
    """The first pattern that matches the end of the module's path counts."""
    patterns: Mapping[str, float] = config.get(key) or {}
    for pattern, value in patterns.items():
        if _matches(key, _at_the_end(pattern), module):
            return value
    return default


def _matches(key: str, expression: str, module: str) -> bool:
    try:
        return matches_whole(expression, module)
    except SlowExpression as error:
        raise SlowExpression(error.problem, where=f"adapter_config.json: {key}", remedy=error.remedy) from None


def _at_the_end(pattern: str) -> str:
    return rf"(.*\.)?({pattern})"


def _require_numbers(path: Path, config: Mapping[str, Any]) -> None:
    """Refuses a rank or alpha that is not a positive number, and a pattern that is not a regular expression."""
    for key, pattern_key in (("r", "rank_pattern"), ("lora_alpha", "alpha_pattern")):
        patterns = config.get(pattern_key) or {}
        if not isinstance(patterns, dict):
            raise InputError("must map layers to numbers", where=f"{path}: {pattern_key}", remedy=_COPY_AGAIN)
        stated = {key: config.get(key, 8), **{f"{pattern_key}.{pattern}": value for pattern, value in patterns.items()}}
        for name, value in stated.items():
            if not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise InputError(f"{value!r} is not a positive number", where=f"{path}: {name}", remedy=_COPY_AGAIN)
        for pattern in patterns:
            _require_expression(f"{path}: {pattern_key}", pattern, _at_the_end(pattern))
    targets = config.get("target_modules")
    if isinstance(targets, str):
        _require_expression(f"{path}: target_modules", targets, targets)


def _require_expression(where: str, written: str, expression: str) -> None:
    fault = fault_of(expression)
    if fault:
        raise InputError(f"{written[:100]!r} is not a regular expression ({fault})", where=where, remedy="correct it")


def _require_names(path: Path, config: Mapping[str, Any]) -> None:
    """Refuses lists of modules and rows that are no such lists."""
    for key in ("target_modules", "modules_to_save"):
        value = config.get(key)
        if value is not None and not _is_list_of(str, value) and not (key == "target_modules" and isinstance(value, str)):
            raise InputError(f"{value!r} is not a list of names", where=f"{path}: {key}", remedy=_COPY_AGAIN)
    rows = config.get("trainable_token_indices")
    stated = rows.values() if isinstance(rows, dict) else [rows or []]
    if not all(_is_list_of(int, one) and all(row >= 0 for row in one) for one in stated):
        raise InputError(f"{rows!r} are not the numbers of rows", where=f"{path}: trainable_token_indices", remedy=_COPY_AGAIN)


def _is_list_of(kind: type, value: object) -> bool:
    items: Iterable[object] = value if isinstance(value, list) else ()
    return isinstance(value, list) and all(isinstance(item, kind) and not isinstance(item, bool) for item in items)
