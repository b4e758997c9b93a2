"""What a search that breeds has in its archive: who solves what, who alone, the smallest team, families, coverage over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.task import weighted_mean
from evomerge_core.tasks.taste import TASTE

# From this score an item counts as solved.
SOLVED = 0.5

_Item = tuple[str, str]  # task, item
_Scores = Mapping[_Item, float]


@dataclass(frozen=True)
class ArchiveMember:
    """A candidate in the archive: its id, its score on the search's items in 0..1, and that of each task, the numbers of the
    items that it alone solves, and the labels of its parents (none: it was there from the start)."""

    candidate: int
    label: str
    kind: str
    score: float
    by_task: Mapping[str, float]
    alone: tuple[int, ...]
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Coverage:
    """An archive after a generation (numbers from 1): the score that it has when its best member answers each item, and the
    score of its best member."""

    generation: int
    archive: float
    best: float


@dataclass(frozen=True)
class Archive:
    """An archive as it is now, the best member first.

    `items` are (task, item), `scores` [members][items]. `best_of_task` names the best member for each task; `team` is the
    smallest one that solves all that anybody solves. `parents` are those of every child, by label.
    """

    members: tuple[ArchiveMember, ...]
    items: tuple[_Item, ...]
    scores: tuple[tuple[float, ...], ...]
    best_of_task: Mapping[str, str]
    team: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    parents: Mapping[str, tuple[str, ...]]


def read_archive(store: Store) -> Archive | None:
    """The archive of the last stage that bred one; None where no generation has ended."""
    facts = read_facts(store)
    if not facts.archives:
        return None
    first = max((start for start in facts.stage_starts if start <= facts.archives[-1][0]), default=0)
    history = [(generation, ids) for generation, *ids in facts.archives if generation >= first]
    candidates = {one.id: one for one in store.candidates()}
    scores = {one: _scores(store, facts, one) for one in {one for _, ids in history for one in ids}}
    families = parents_of(store, facts)
    items = tuple(next(iter(scores.values())))
    ranked = sorted(history[-1][1], key=lambda one: (-_weighted(scores[one], facts), one))
    matrix = np.array([[scores[one][item] for item in items] for one in ranked])
    # votes rate members as a whole: nobody solves a prompt
    of_tasks = np.array([task != TASTE for task, _ in items])
    solved = (matrix >= SOLVED) & of_tasks
    members = tuple(_member(candidates[one], scores[one], facts, solved, row, families) for row, one in enumerate(ranked))
    tasks = {task for task, _ in items}
    return Archive(
        members=members,
        items=items,
        scores=tuple(tuple(row) for row in matrix.tolist()),
        best_of_task={task: max(members, key=lambda one: one.by_task[task]).label for task in sorted(tasks)},
        team=tuple(members[row].label for row in smallest_team(np.where(of_tasks, matrix, 0.0))),
        coverage=tuple(_coverage(generation, [scores[one] for one in ids], facts) for generation, ids in history),
        parents=families,
    )


def parents_of(store: Store, facts: RunFacts) -> dict[str, tuple[str, ...]]:
    """The labels of each child's parents, by its label; children of the runs that this one goes on from come first."""
    labels = {one.id: one.label for one in store.candidates()}
    former = {child: tuple(parents) for child, parents in facts.ancestors.items()}
    return former | {labels[child]: tuple(labels[one] for one in parents) for child, *parents in facts.births}


def smallest_team(scores: NDArray[np.float64]) -> list[int]:
    """The fewest members that together solve all that anybody solves, better ones where there is a choice, in their order;
    `scores` is [members, items]."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    solved = scores >= SOLVED
    solved = solved[:, solved.any(axis=0)]
    if not solved.size:
        return []
    # together the members' scores are worth less than one member more
    costs = 1.0 - scores.mean(axis=1) / (len(scores) + 1)
    found = milp(costs, constraints=LinearConstraint(solved.T.astype(float), lb=1.0), integrality=1, bounds=Bounds(0, 1))
    return [row for row, taken in enumerate(found.x) if taken > SOLVED]


def family(label: str, parents: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[int, str]]:
    """A candidate and its ancestors as a tree: the depth of each from 0, and its label. Whoever was shown before is shown
    without ancestors, so that a tree has no more lines than twice its candidates."""
    seen: set[str] = set()
    waiting = [(0, label)]
    while waiting:
        depth, here = waiting.pop()
        yield depth, here
        if here not in seen:
            seen.add(here)
            waiting += [(depth + 1, one) for one in reversed(parents.get(here, ()))]


def _scores(store: Store, facts: RunFacts, candidate: int) -> dict[_Item, float]:
    return {(one.task, one.item): one.value for one in store.item_scores(candidate, "search", facts.precision)}


def _member(
    candidate: Candidate,
    scores: _Scores,
    facts: RunFacts,
    solved: NDArray[np.bool_],
    row: int,
    families: Mapping[str, tuple[str, ...]],
) -> ArchiveMember:
    alone = solved[row] & ~np.delete(solved, row, axis=0).any(axis=0)
    return ArchiveMember(
        candidate=candidate.id,
        label=candidate.label,
        kind=candidate.kind,
        score=_weighted(scores, facts),
        by_task=_by_task(scores),
        alone=tuple(int(number) for number in np.flatnonzero(alone)),
        parents=families.get(candidate.label, ()),
    )


def _by_task(scores: _Scores) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for (task, _), value in scores.items():
        values.setdefault(task, []).append(value)
    return {task: sum(some) / len(some) for task, some in values.items()}


def _weighted(scores: _Scores, facts: RunFacts) -> float:
    return weighted_mean(_by_task(scores), facts.weights)


def _coverage(generation: int, members: Sequence[_Scores], facts: RunFacts) -> Coverage:
    together = {item: max(one[item] for one in members) for item in members[0]}
    return Coverage(generation + 1, _weighted(together, facts), max(_weighted(one, facts) for one in members))
