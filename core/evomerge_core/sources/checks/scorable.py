"""Whether candidates of a model can be scored: their tensors must fit the network as they are stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source
from evomerge_core.sources.vision.families import family_of


def scoring_problems(base: Source, sources: Sequence[Source] = ()) -> list[InputError]:
    """An error where a model reads pictures in a way that isn't scored, where a source sees and the base doesn't, and where
    transformers keeps tensors in another form than they are stored in, as it does with experts."""
    seeing = next((source for source in (base, *sources) if source.checkpoint.body is not None), None)
    if seeing is not None and family_of(seeing.config).beyond:
        return [_unscored(seeing)]
    if seeing is not None and base.checkpoint.body is None:
        return [_blind(base, seeing)]
    for pattern in _converted(str(base.config.get("model_type"))):
        name = next((name for name in base.names if pattern.search(name)), None)
        if name is not None:
            problem = f"a run can't score {base.config.get('model_type')} yet: transformers puts {name} and others together"
            remedy = "merge such models with `evomerge-tui merge`, or choose a base without experts"
            return [InputError(problem, where=base.folder / "config.json", remedy=remedy)]
    return []


def _blind(base: Source, seeing: Source) -> InputError:
    return InputError(
        f"is a text model, but the source {seeing.label} reads pictures",
        where=base.reference,
        remedy=f"make {seeing.label} the base: its children see as it does",
    )


def _unscored(seeing: Source) -> InputError:
    family = family_of(seeing.config)
    further = f" ({family.beyond})" if family.beyond else ""
    return InputError(
        f"a run can't score {family.title} yet, which reads pictures{further}",
        where=seeing.folder / "config.json",
        remedy="merge such models with `evomerge-tui merge`, or choose text models",
    )


def _converted(kind: str) -> Iterator[re.Pattern[str]]:
    """The names of a model type's tensors that transformers computes others from when it loads them."""
    from transformers import conversion_mapping
    from transformers.core_model_loading import WeightConverter

    steps_of: Any = conversion_mapping.get_checkpoint_conversion_mapping
    for step in steps_of(kind) or ():
        if isinstance(step, WeightConverter):
            for source in step.source_patterns:
                yield re.compile(re.escape(source).replace(r"\*", r"\d+"))
