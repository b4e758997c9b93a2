"""Which candidates of a search are scored on the validation items, and which of them wins there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.run.candidate.fitness import rank
from evomerge_core.run.plan import FINALISTS, RunPlan, StagePlan
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store

# So many of a search's best are averaged.
AVERAGED = (4, 8, 16)


def choose_finalists(
    plan: RunPlan, stage: StagePlan, store: Store, count: int = FINALISTS, averaged: Sequence[int] = AVERAGED
) -> list[Candidate]:
    """The search's best and, in place of the last of them, averages of the best and the search's mean.

    The best of many by a few items are partly the luckiest. What they have in common isn't luck: an average of them is better
    than most of them (as the mean of an evolution strategy is; Arnold and Beyer 2003), and differs little from run to run.
    """
    best = best_of_search(plan, stage, store, count)
    facts, apart = read_facts(store), []
    if facts.mean is not None and facts.generation > facts.first_generation(stage.index):
        apart = [*_averages(plan, stage, store, averaged), mean_candidate(store, stage, facts.generation - 1, facts.mean)]
    known = {candidate.id for candidate in apart}
    return [*[candidate for candidate in best if candidate.id not in known][: count - len(apart)], *apart]


def _averages(plan: RunPlan, stage: StagePlan, store: Store, counts: Sequence[int]) -> list[Candidate]:
    """The average genomes of so many of a stage's best children each, none of more than the better half."""
    if not stage.averages:
        return []
    genomes = [c.genome for c in best_of_search(plan, stage, store) if c.kind == "search" and c.genome is not None]
    last, place = read_facts(store).generation - 1, f" of {stage.name}" if stage.index else ""
    found = []
    for count in (count for count in counts if 2 * count <= len(genomes)):
        average = np.mean(genomes[:count], axis=0).tolist()
        found.append(store.add_candidate("mean", f"best {count}{place}", generation=last, genome=average, stage=stage.index))
    return found


def mean_candidate(store: Store, stage: StagePlan, generation: int, mean: Sequence[float]) -> Candidate:
    """The mean of a search after a generation, as a candidate."""
    return store.add_candidate("mean", f"mean {generation + 1}", generation=generation, genome=mean, stage=stage.index)


def best_of_search(plan: RunPlan, stage: StagePlan, store: Store, count: int | None = None) -> list[Candidate]:
    """A stage's best candidates (None: all that were scored) on the search's items, the best first. InputError when none has a
    score."""
    facts = read_facts(store)
    outcomes = store.outcomes(split="search", precision=plan.precision)
    scored = [outcome for outcome in outcomes if outcome.stage == stage.index and outcome.score is not None]
    if not scored:
        remedy = "see each candidate's reason with `evomerge-tui candidate`"
        raise InputError("no candidate of the search could be scored", remedy=remedy)
    best = sorted(scored, key=lambda outcome: rank(outcome, facts), reverse=True)[:count]
    return [store.candidate(outcome.candidate) for outcome in best]


def best_finalist(plan: RunPlan, store: Store, totals: Mapping[int, float], finalists: Sequence[Candidate]) -> Candidate:
    """The finalist with the highest total among the sound ones; among all where none is sound."""
    return max(finalists, key=lambda candidate: (is_sound(plan, store, candidate), totals[candidate.id], -candidate.id))


def is_sound(plan: RunPlan, store: Store, candidate: Candidate) -> bool:
    """Whether the coherence guard has nothing against a candidate where it was scored."""
    marks = [store.mark(candidate.id, "validation", precision) for precision in plan.precisions]
    return not any([store.mark(candidate.id, "search", plan.precision), *marks])
