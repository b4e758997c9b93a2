"""Which candidates of a search are scored on the validation items, and which of them wins there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evomerge_core.errors import InputError
from evomerge_core.run.candidate.fitness import rank
from evomerge_core.run.plan import FINALISTS, RunPlan, StagePlan
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store


def choose_finalists(plan: RunPlan, stage: StagePlan, store: Store, count: int = FINALISTS) -> list[Candidate]:
    """The search's best and, in place of the last of them, its mean: all generations made it, no lucky score chose it."""
    best = best_of_search(plan, stage, store, count)
    facts = read_facts(store)
    if facts.mean is None or facts.generation <= facts.first_generation(stage.index):
        return best
    mean = mean_candidate(store, stage, facts.generation - 1, facts.mean)
    return [*[candidate for candidate in best if candidate.id != mean.id][: count - 1], mean]


def mean_candidate(store: Store, stage: StagePlan, generation: int, mean: Sequence[float]) -> Candidate:
    """The mean of a search after a generation, as a candidate."""
    return store.add_candidate("mean", f"mean {generation + 1}", generation=generation, genome=mean, stage=stage.index)


def best_of_search(plan: RunPlan, stage: StagePlan, store: Store, count: int) -> list[Candidate]:
    """A stage's best candidates on the search's items, the best first. InputError when none has a score."""
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
