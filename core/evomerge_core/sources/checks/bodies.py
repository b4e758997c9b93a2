"""Whether a model fits a merge with a vision-language model: the same kind of language part and, with eyes, the same body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source
from evomerge_core.sources.vision.body import Body, is_seeing
from evomerge_core.sources.vision.families import text_kind

_ANOTHER_BODY = "choose a model with the same vision tower, or merge its text model instead"


def language_kind(source: Source) -> str:
    """The model type of a text model, or of the text models that a language part is one of."""
    return text_kind(settings(source).get("model_type"))


def has_eyes(source: Source) -> bool:
    """Whether this is a vision-language model."""
    return source.checkpoint.body is not None


def unread_eyes(source: Source) -> InputError | None:
    """An error for a model that reads pictures, and whose language part isn't found by the names of its tensors; None for any
    other."""
    if has_eyes(source):
        return None
    seeing = next((name for name in source.checkpoint.tensors if is_seeing(name)), "")
    if not seeing and not isinstance(source.config.get("vision_config"), Mapping):
        return None
    stored = f" beside {seeing}" if seeing else ""
    return InputError(
        f"it reads pictures, and its language part isn't stored{stored} as transformers' own classes store one",
        where=source.folder / "config.json",
        remedy="take the same model in their form; of LLaVA, those of llava-hf are in it",
    )


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


def sees_otherwise(eyes: Source, source: Source) -> bool:
    """Whether a source of the same body sees with weights of its own: told by the projector and by the tower's vectors, which
    are read at once and which training changes with the rest."""
    ours, theirs = eyes.checkpoint.body, source.checkpoint.body
    if ours is None or theirs is None or ours.shapes != theirs.shapes:
        return False
    projector, others = set(ours.projector), theirs.stored_names
    return any(
        not torch.equal(*(body.read(name).to(torch.bfloat16) for body, name in ((ours, stored), (theirs, others[own]))))
        for own, stored in ours.stored_names.items()
        if stored in projector or len(ours.facts(stored).shape) == 1
    )


def _shape_difference(ours: Body, theirs: Body, eyes: str) -> str:
    for name in (*ours.shapes, *theirs.shapes):
        own, wanted = theirs.shapes.get(name), ours.shapes.get(name)
        if own != wanted:
            if own is None or wanted is None:
                return f"{name} is {'missing' if own is None else 'not in ' + eyes}"
            return f"{name} is {list(own)}, but {list(wanted)} in {eyes}"
    return ""
