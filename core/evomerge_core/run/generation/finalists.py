"""Who meets the validation items after a search, and who wins there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evomerge_core.errors import InputError
from evomerge_core.run.candidate.fitness import breaks_ties, fitness
from evomerge_core.run.race_facts import race_key
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.store import Candidate, Evaluation, Store

FINALISTS = 4


def choose_finalists(setup: Setup, stage: StageSetup, store: Store, count: int = FINALISTS) -> list[Candidate]:
    """The search's best and, in place of the last of them, its centre: no luck chose it, and all generations made it."""
    best = best_of_search(setup, stage, store, count)
    generation, mean = store.fact("generation", 0), store.fact("mean")
    if mean is None or generation <= store.fact("stage_starts", [0])[stage.index]:
        return best
    centre = mean_candidate(store, generation - 1, mean)
    return [*[one for one in best if one.id != centre.id][: count - 1], centre]


def mean_candidate(store: Store, generation: int, mean: Sequence[float]) -> Candidate:
    """The centre of a search after a generation, as a candidate."""
    return store.add_candidate("mean", f"mean {generation + 1}", generation=generation, genome=mean)


def best_of_search(setup: Setup, stage: StageSetup, store: Store, count: int) -> list[Candidate]:
    """A stage's best candidates on the search's items, the best first: sound ones first, then those that were asked most (in a
    race the others dropped out), then by fitness. InputError when none has a score."""
    ranked = []
    raced = bool(store.fact(race_key(stage.index)))
    for candidate, evaluation in searched(setup, stage, store):
        items = store.count_items(candidate.id, "search", setup.precision)
        worth = fitness(evaluation, max(1, items), break_ties=breaks_ties(stage), raced=raced)
        if worth is not None:
            sound = store.mark(candidate.id, "search", setup.precision) is None
            ranked.append(((sound, items, worth, -candidate.id), candidate))
    if not ranked:
        raise InputError("no candidate of the search could be scored: see the reasons with `evomerge-tui status`")
    return [candidate for _, candidate in sorted(ranked, key=lambda one: one[0], reverse=True)[:count]]


def searched(setup: Setup, stage: StageSetup, store: Store) -> list[tuple[Candidate, Evaluation]]:
    """A stage's own candidates that have an evaluation on the search's items, in the order in which they finished."""
    starts = [*store.fact("stage_starts", [0]), math.inf]
    first, end = starts[stage.index], starts[stage.index + 1]
    scored = store.scored("search", setup.precision)
    return [(c, e) for c, e in scored if c.generation is not None and first <= c.generation < end]


def best_finalist(setup: Setup, store: Store, totals: Mapping[int, float], finalists: Sequence[Candidate]) -> Candidate:
    """The finalist with the highest total among the sound ones; among all where none is sound."""

    def sound(candidate: Candidate) -> bool:
        marks = [store.mark(candidate.id, "validation", precision) for precision in setup.precisions]
        return not any([store.mark(candidate.id, "search", setup.precision), *marks])

    return max(finalists, key=lambda one: (sound(one), totals[one.id], -one.id))
