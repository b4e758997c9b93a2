"""Whether a model fits a merge with a vision-language model: the same kind of language part and, with eyes, the same body."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source
from evomerge_core.sources.vision.body import Body
from evomerge_core.sources.vision.families import text_kind

_ANOTHER_BODY = "choose a model with the same vision tower, or merge its text model instead"


def language_kind(source: Source) -> str:
    """The model type of a text model, or of the text models that a language part is one of."""
    return text_kind(settings(source).get("model_type"))


def has_eyes(source: Source) -> bool:
    """Whether this is a vision-language model."""
    return source.checkpoint.body is not None


def body_differences(eyes: Source, source: Source) -> Iterator[InputError]:
    """An error where a source sees, and differs in more than its language part from the model that the child sees with."""
    ours, theirs = eyes.checkpoint.body, source.checkpoint.body
    if ours is None or theirs is None:
        return
    kind, wanted = source.config.get("model_type"), eyes.config.get("model_type")
    if kind != wanted:
        problem = f"it is a {kind!r}, {eyes.reference} a {wanted!r}"
    else:
        problem = _shape_difference(ours, theirs, eyes.reference)
    if problem:
        yield InputError(f"has another body: {problem}", where=source.reference, remedy=_ANOTHER_BODY)


def _shape_difference(ours: Body, theirs: Body, eyes: str) -> str:
    for name in (*ours.shapes, *theirs.shapes):
        own, wanted = theirs.shapes.get(name), ours.shapes.get(name)
        if own != wanted:
            if own is None or wanted is None:
                return f"{name} is {'missing' if own is None else 'not in ' + eyes}"
            return f"{name} is {list(own)}, but {list(wanted)} in {eyes}"
    return ""
