"""Plans of runs and stores of their candidates, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evomerge_core.recipe.schema import Budget, Precision, SearchSettings
from evomerge_core.run.plan import Asked, RunPlan, StagePlan
from evomerge_core.run.store.records import Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import Question
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.task import Task

GOLD = "It is seven."


def make_task(name: str = "sums", weight: float = 1.0) -> Task:
    return Task(name, "{question}", get_scorer("final_number"), gold="{answer}", weight=weight, max_new_tokens=40)


def make_questions(task: Task, count: int, *, max_new_tokens: int = 40) -> tuple[Asked, ...]:
    """Items named by the task and a number."""
    question = Question("What is 3 + 4?", GOLD, max_new_tokens=max_new_tokens)
    return tuple(Asked(task, Item(f"{task.name}-{n}", {"answer": str(n)}), question) for n in range(count))


def make_stage(index: int = 0, *, budget: dict[str, Any] | None = None, **search: Any) -> StagePlan:
    limits = Budget.model_validate(budget or {"evaluations": 100})
    return StagePlan(index, f"stage-{index}", limits, SearchSettings.model_validate(search))


def make_plan(
    *,
    tasks: Sequence[Task] | None = None,
    search: int = 8,
    validation: int = 4,
    test: int = 10,
    precisions: tuple[Precision, ...] = ("nf4",),
    stages: tuple[StagePlan, ...] | None = None,
    load_items: float = 0.0,
) -> RunPlan:
    """A plan with so many items of each task in each split."""
    chosen = tuple(tasks or (make_task(),))
    counts = {"search": search, "validation": validation, "test": test}
    asked = {split: tuple(a for task in chosen for a in make_questions(task, count)) for split, count in counts.items()}
    return RunPlan(3, precisions, stages or (make_stage(),), chosen, asked, search, load_items)


def add_child(store: Store, position: int, *, generation: int = 0, stage: int = 0) -> Candidate:
    label = f"g{generation + 1}.{position + 1}"
    genome = [0.1 * position, 0.1 * generation]
    return store.add_candidate("search", label, generation=generation, position=position, genome=genome, stage=stage)


def save_score(
    store: Store,
    candidate: Candidate,
    right: int,
    items: int,
    *,
    loss: float | None = None,
    split: str = "search",
    precision: str = "nf4",
    mark: str | None = None,
) -> None:
    """An evaluation with its items, `right` of them right."""
    scores = [ItemScore("sums", f"sums-{n}", float(n < right), loss, False, True, 3, "x") for n in range(items)]
    evaluation = Evaluation(right / items, loss, None, 1.0, 3 * items)
    store.save_evaluation(candidate.id, split, precision, evaluation, scores, mark=mark)
