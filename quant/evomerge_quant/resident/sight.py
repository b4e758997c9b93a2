"""A run's pictures: each goes through the base's tower and projector once, and candidates see what came of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from evomerge_core.files.picture import Picture
from evomerge_core.run.plan import Asked
from evomerge_core.run.setup import Setup
from evomerge_core.sources.vocabulary.picture_mark import picture_mark
from evomerge_core.tasks.items.pictures import ItemPicture
from evomerge_core.tasks.items.split import SPLITS
from evomerge_quant.resident.model import choose_device, choose_dtype
from evomerge_quant.resident.vision.eyes import open_eyes
from evomerge_quant.resident.vision.kept_features import kept_files, read_kept, see_all
from evomerge_quant.resident.vision.seen import Seen
from evomerge_quant.resident.vision.standing_text import with_pictures_shown


@dataclass(frozen=True)
class Sight:
    """A setup in whose prompts each picture has its own tokens, what the base makes of the pictures by sha256, and the files
    that their features are read from as they are used."""

    setup: Setup
    seen: Mapping[str, Seen]
    files: tuple[Path, ...] = ()


def _go_on() -> None:
    """Where nobody can interrupt."""


def see_pictures(
    setup: Setup, folder: Path, *, splits: Sequence[str] = SPLITS, between: Callable[[], object] = _go_on
) -> Sight:
    """What the base makes of the pictures of the items of `splits`, kept in `folder`, which belongs to this base.

    Pictures that are kept there aren't seen again, and the tower is let go when all others are. `between` is called before
    each. Raises InputError for a picture that can't be read and for eyes that can't be opened.
    """
    pictures = setup.plan.pictures(splits)
    if not pictures:
        return Sight(setup, {})
    kept = {sha256: read_kept(folder, sha256) for sha256 in pictures}
    unseen = [pictures[sha256] for sha256, found in kept.items() if found is None]
    evaluation = setup.recipe.evaluation
    device = choose_device(evaluation.device)
    dtype = choose_dtype(setup.plan.precision, device, evaluation.arithmetic)
    seen = see_all(_read(unseen, between), folder, partial(open_eyes, setup.base_folder, dtype, device))
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    files = tuple(kept_files(folder, kept))
    every = {sha256: found or seen[sha256] for sha256, found in kept.items()}
    return Sight(_placed(setup, every, splits), every, files)


def _read(pictures: Sequence[ItemPicture], between: Callable[[], object]) -> Iterator[Picture]:
    for picture in pictures:
        between()
        yield picture.read()


def _placed(setup: Setup, seen: Mapping[str, Seen], splits: Sequence[str]) -> Setup:
    mark = picture_mark(setup.sources[setup.recipe.base])
    assert mark is not None  # a text model's items show nothing
    asked = setup.plan.asked
    placed = {split: tuple(_with_tokens(a, mark.token, seen) for a in asked[split]) for split in splits}
    return replace(setup, plan=replace(setup.plan, asked={**asked, **placed}))


def _with_tokens(asked: Asked, token: str, seen: Mapping[str, Seen]) -> Asked:
    prompt = with_pictures_shown(asked.question.prompt, token, (seen[sha256].text for sha256 in asked.question.pictures))
    return replace(asked, question=replace(asked.question, prompt=prompt))
