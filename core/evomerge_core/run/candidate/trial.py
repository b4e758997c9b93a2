"""A first look before a run: the parents, scored on a few of the search's own items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from evomerge_core.fixed_merge.fixed_merge import stream_fixed
from evomerge_core.merging.config import MergeConfig, whole_model
from evomerge_core.run.candidate.held_model import LoadedSlot
from evomerge_core.run.candidate.scoring import score_candidate
from evomerge_core.run.plan import Asked
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.tasks.evaluator import Evaluator


@dataclass(frozen=True)
class Tried:
    """A parent's evaluation on the trial's items, and its answers to them."""

    label: str
    evaluation: Evaluation
    items: tuple[ItemScore, ...]


def first_items(setup: Setup, items: int) -> Setup:
    """The setup with the first `items` search items of each task, and no others."""
    few = {**dict.fromkeys(setup.plan.asked, ()), "search": _first_of_each(setup, items)}
    return replace(setup, plan=replace(setup.plan, asked=few))


def try_parents(setup: Setup, evaluator: Evaluator) -> Iterator[Tried]:
    """Scores the base and every parent on the search items."""
    models = {"base": setup.recipe.base, **setup.parents}
    for label, reference in models.items():
        if label != "base" and reference == setup.recipe.base:
            continue
        slot = LoadedSlot(evaluator, partial(_take, evaluator, setup, whole_model(reference, setup.tokenizer)))
        evaluation, scores = score_candidate(setup.plan, slot, "search")
        yield Tried(label, evaluation, tuple(scores))


def _take(evaluator: Evaluator, setup: Setup, model: MergeConfig) -> None:
    evaluator.load(stream_fixed(model, setup.sources, setup.engine))


def _first_of_each(setup: Setup, items: int) -> tuple[Asked, ...]:
    searched = setup.plan.asked["search"]
    of_task = {task.name: [asked for asked in searched if asked.task.name == task.name] for task in setup.plan.tasks}
    return tuple(asked for some in of_task.values() for asked in some[:items])
