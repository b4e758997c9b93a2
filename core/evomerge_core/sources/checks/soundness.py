"""What is wrong with a model by itself, whatever it is merged with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.checkpoint import EMBEDDING
from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import vocabulary


def own_problems(source: Source) -> list[InputError]:
    """An error for each contradiction between config.json and the weights or the tokenizer, such as a head that isn't tied."""
    return [*_false_ties(source), *_contradictions(source)]


def _false_ties(source: Source) -> Iterator[InputError]:
    for name, file in source.checkpoint.tied_copies.items():
        embedding = next(key for key in source.names if EMBEDDING.search(key))
        ours, theirs = source.checkpoint.read(embedding), file.read(name)
        if ours.shape != theirs.shape or not bool((ours == theirs).all()):
            problem = f"tie_word_embeddings is true, but {name} differs from {embedding}"
            yield InputError(problem, where=source.folder / "config.json", remedy="set it to false")


def _contradictions(source: Source) -> Iterator[InputError]:
    """A head, layers, widths and tokens that the files state and the tensors don't have."""
    stated = settings(source)
    config = source.folder / "config.json"
    if stated.get("tie_word_embeddings") is False and source.tied and _speaks(source):
        problem = "tie_word_embeddings is false, but there is no lm_head.weight"
        yield InputError(problem, where=config, remedy="set it to true, or get the whole model")
    layers, wanted = _layers(source), stated.get("num_hidden_layers")
    if layers and isinstance(wanted, int) and wanted > layers:
        problem = f"num_hidden_layers is {wanted}, but the weights have {layers}"
        yield InputError(problem, where=config, remedy="correct it, or get the whole model")
    for name in source.names:
        shape = source.shape(name)
        if EMBEDDING.search(name) and len(shape) == 2:
            yield from _narrow_embedding(source, name, shape, stated.get("hidden_size"))


def _speaks(source: Source) -> bool:
    return any(str(name).endswith("ForCausalLM") for name in source.config.get("architectures") or ())


def _layers(source: Source) -> int:
    """The number of layers in the longest stack (a vision tower has a stack of its own)."""
    found = {match.groups() for name in source.names if (match := re.search(r"(.*(?:^|\.)(?:layers|h|blocks))\.(\d+)\.", name))}
    return max(Counter(stack for stack, _ in found).values(), default=0)


def _narrow_embedding(source: Source, name: str, shape: tuple[int, ...], width: object) -> Iterator[InputError]:
    rows, own = shape
    if isinstance(width, int) and width != own:
        problem = f"hidden_size is {width}, but {name} has width {own}"
        yield InputError(problem, where=source.folder / "config.json", remedy="correct it")
    tokens = vocabulary(source) or {}
    last = max(tokens, key=lambda token: tokens[token], default=None)
    if last is not None and tokens[last] >= rows:
        yield InputError(
            f"token {last!r} has id {tokens[last]}, but {name} has {rows} rows",
            where=source.tokenizer_folder / "tokenizer.json",
            remedy="give the tokenizer that was saved with the weights",
        )
