"""What a model is, as facts for a table or JSON."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.adapter import Adapter
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.checks.finite import check_finite
from evomerge_core.sources.checks.soundness import own_problems
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.model_card import front_matter, licence_in
from evomerge_core.sources.stored.tokenizer_files import vocabulary_file
from evomerge_core.sources.tensors.left_out import blocks_of
from evomerge_core.sources.tensors.names import EMBEDDING
from evomerge_core.sources.tokens import vocabulary, why_without_tokens
from evomerge_core.sources.vision_facts import VisionFacts, vision_facts
from evomerge_core.sources.vocabulary.chat_template import template_of
from evomerge_core.sources.vocabulary.rows import row_problems


@dataclass(frozen=True)
class AdapterFacts:
    """A LoRA adapter: its rank and alpha (of most layers), the layers' names that it changes, its parameters."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    parameters: int


@dataclass(frozen=True)
class ModelFacts:
    """A model in figures; None where config.json doesn't say.

    `parameters` counts the model's weights without the adapter's, `dtypes` the number of tensors of each dtype, `rows` the
    embedding's height with the adapter's rows, `vocab_size` what config.json says it is and `tokens` the tokenizer's entries,
    `bytes` the size of the files that are read; `sha256` is short and of all of them. `left_out` names
    stored layers and blocks that are no part of the model, and so of no child. `vision` is there for a model that reads
    pictures; layers, sizes and rows are then its language part's, `parameters` and `dtypes` those of all its tensors.
    """

    reference: str
    folder: str
    architecture: str
    parameters: int
    dtypes: Mapping[str, int]
    layers: int | None
    hidden_size: int | None
    intermediate_size: int | None
    heads: int | None
    kv_heads: int | None
    rows: int | None
    vocab_size: int | None
    tokens: int | None
    tied: bool
    left_out: tuple[str, ...]
    rope: Mapping[str, Any] | None
    context: int | None
    norm: str | None
    chat_template: bool
    adapter: AdapterFacts | None
    bytes: int
    licence: str | None
    sha256: str
    problems: tuple[str, ...]
    vision: VisionFacts | None = None


def inspect(source: Source) -> ModelFacts:
    """The facts of one model; hashes its files and scans its weights for NaN and Inf."""
    stated = settings(source)
    checkpoint, adapter = source.checkpoint, source.adapter
    body = checkpoint.body
    facts = [file.facts[name] for part in (checkpoint.tensors, body.tensors if body else {}) for name, file in part.items()]
    tokens = vocabulary(source)
    return ModelFacts(
        reference=source.reference,
        folder=str(source.folder),
        architecture=next(iter(source.config.get("architectures") or ()), str(source.config.get("model_type"))),
        parameters=sum(_count(entry.shape) for entry in facts),
        dtypes=dict(Counter(entry.dtype for entry in facts)),
        layers=stated.get("num_hidden_layers"),
        hidden_size=stated.get("hidden_size"),
        intermediate_size=stated.get("intermediate_size"),
        heads=stated.get("num_attention_heads"),
        kv_heads=stated.get("num_key_value_heads"),
        rows=next((source.shape(name)[0] for name in source.names if EMBEDDING.search(name)), None),
        vocab_size=stated.get("vocab_size"),
        tokens=None if tokens is None else len(tokens),
        tied=source.tied,
        left_out=blocks_of(source.checkpoint.left_out),
        rope=stated.get("rope_parameters"),
        context=stated.get("max_position_embeddings"),
        norm=_norm(source, stated),
        chat_template=_has_chat_template(source.tokenizer_folder),
        adapter=None if adapter is None else _adapter_facts(adapter),
        bytes=sum(path.stat().st_size for path in source.files),
        licence=licence_in(front_matter(source.folder / "README.md")),
        sha256=_digest(source.fingerprints()),
        problems=tuple(str(problem) for problem in _problems(source)),
        vision=vision_facts(source),
    )


def _problems(source: Source) -> Iterator[InputError]:
    yield from own_problems(source)
    yield from row_problems(source)
    if vocabulary(source) is None and vocabulary_file(source.tokenizer_folder) is not None:
        yield why_without_tokens(source)
    yield from check_finite(source)


def _count(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _norm(source: Source, stated: Mapping[str, Any]) -> str | None:
    """The norm's type and epsilon, such as `RMSNorm 1e-05`."""
    norms = [name for name in source.names if re.search(r"(norm|\.ln_\w+)\.(weight|bias)$", name)]
    if not norms:
        return None
    kind = "LayerNorm" if any(name.endswith(".bias") for name in norms) else "RMSNorm"
    keys = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon")
    eps = next((stated[key] for key in keys if isinstance(stated.get(key), float)), None)
    return kind if eps is None else f"{kind} {eps:.3g}"


def _has_chat_template(folder: Path) -> bool:
    return template_of(folder) is not None or (folder / "chat_template.json").is_file()


def _adapter_facts(adapter: Adapter) -> AdapterFacts:
    ranks = Counter(adapter.weights.facts[pair.a].shape[0] for pair in adapter.pairs.values())
    targets = {name.removesuffix(".weight").rpartition(".")[2] for name in (*adapter.pairs, *adapter.replaced)}
    return AdapterFacts(
        rank=ranks.most_common(1)[0][0] if ranks else 0,
        alpha=float(adapter.config.get("lora_alpha", 8)),
        targets=tuple(sorted(targets)),
        parameters=sum(_count(facts.shape) for facts in adapter.weights.facts.values()),
    )


def _digest(fingerprints: Mapping[str, str]) -> str:
    lines = "\n".join(f"{name} {digest}" for name, digest in sorted(fingerprints.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]
