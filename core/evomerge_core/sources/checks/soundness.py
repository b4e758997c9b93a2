"""What is wrong with a model by itself, whatever it is merged with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.checks.bodies import unread_eyes
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import EMBEDDING, LAYER, is_head
from evomerge_core.sources.tensors.tie import stated_tie
from evomerge_core.sources.tokens import vocabulary
from evomerge_core.sources.vision.families import is_known
from evomerge_core.sources.vocabulary.image_rows import image_token

# Classes that end in a head, and so speak.
_WITH_HEAD = ("ForCausalLM", "LMHeadModel")
_WITH_EYES = ("ForConditionalGeneration", "ForImageTextToText")


def own_problems(source: Source) -> list[InputError]:
    """An error for each contradiction between config.json and the weights or the tokenizer, such as a head that isn't tied."""
    unread = unread_eyes(source)
    if unread and is_known(source.config):
        return [unread]  # what transformers takes for its settings are the defaults of a model in another form
    stated = settings(source)
    return [*_blindness(source), *_tie_problems(source, _ties(source, stated)), *_contradictions(source, stated)]


def _blindness(source: Source) -> Iterator[InputError]:
    body = source.checkpoint.body
    if body is not None and not body.tower:
        problem = "vision_config says that it sees, but the weights have no vision tower"
        remedy = "get the whole model, or give its text model"
        yield InputError(problem, where=source.folder / "config.json", remedy=remedy)
    row = image_token(source)
    rows = next((source.shape(name)[0] for name in source.names if EMBEDDING.search(name)), None)
    if body is not None and row is not None and rows is not None and row >= rows:
        problem = f"the image token has id {row}, but the embedding {rows} rows"
        yield InputError(problem, where=source.folder / "config.json", remedy="correct it, or get the whole model")


def _ties(source: Source, stated: Mapping[str, Any]) -> object:
    tied = stated_tie(source.config)
    return stated.get("tie_word_embeddings") if tied is None else tied


def _tie_problems(source: Source, ties: object) -> Iterator[InputError]:
    config = source.folder / "config.json"
    embedding = next((name for name in source.names if EMBEDDING.search(name)), None)
    head = next((name for name in source.names if is_head(name)), None)
    if ties and embedding and head:
        problem = f"tie_word_embeddings is true, but {head} differs from {embedding}, and transformers keeps both"
        yield InputError(problem, where=config, remedy="set it to false")
    if ties is False and head is None and not source.checkpoint.tied_copies and _speaks(source):
        problem = "tie_word_embeddings is false, but there is no lm_head.weight"
        yield InputError(problem, where=config, remedy="set it to true, or get the whole model")
    if head and embedding is None and not _has_twin(source, head):
        problem = f"{head} is stored without an embedding" + ("" if ties else ", and tie_word_embeddings is not true")
        remedy = "save the model again with transformers" if ties else "set it to true if they are one, or get the whole model"
        yield InputError(problem, where=config, remedy=remedy)


def _has_twin(source: Source, head: str) -> bool:
    """Whether a matrix outside the layers is as tall as the head: an embedding by a name that isn't known here."""
    rows = source.shape(head)[0]
    others = (source.shape(name) for name in source.names if name != head and not LAYER.match(name))
    return any(len(shape) == 2 and shape[0] == rows for shape in others)


def _contradictions(source: Source, stated: Mapping[str, Any]) -> Iterator[InputError]:
    """Layers, widths and tokens that the files state and the tensors don't have."""
    config = source.folder / "config.json"
    layers, wanted = _layers(source), stated.get("num_hidden_layers")
    if layers and isinstance(wanted, int) and wanted > layers:
        problem = f"num_hidden_layers is {wanted}, but the weights have {layers}"
        yield InputError(problem, where=config, remedy="correct it, or get the whole model")
    for name in source.names:
        shape = source.shape(name)
        if EMBEDDING.search(name) and len(shape) == 2:
            yield from _narrow_embedding(source, name, shape, stated.get("hidden_size"))


def _speaks(source: Source) -> bool:
    endings = _WITH_HEAD if source.checkpoint.body is None else (*_WITH_HEAD, *_WITH_EYES)
    return any(str(name).endswith(endings) for name in source.config.get("architectures") or ())


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
