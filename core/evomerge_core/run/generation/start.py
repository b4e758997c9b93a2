"""Where a search of weights starts: at the best equal-weight merge that the references have shown."""

from __future__ import annotations

import numpy as np

from evomerge_core.genome.space import Space
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.plan import RunPlan
from evomerge_core.run.setup import StageSetup
from evomerge_core.run.store.store import Store


def best_start(plan: RunPlan, stage: StageSetup, store: Store) -> list[float] | None:
    """The equal-weight merge with the highest fitness on the search's items, as a genome of the stage within its bounds.

    None for a search of paths, and where no equal-weight merge has a score: then the search space's own start stands.
    """
    space = stage.space
    if not isinstance(space, Space):
        return None
    known = [(one, store.evaluation(one.id, "search", plan.precision)) for one in store.candidates("uniform")]
    worth = {
        one.label: value
        for one, evaluation in known
        if evaluation is not None
        and (value := fitness(evaluation, plan.items("search"), break_ties=stage.breaks_ties)) is not None
    }
    if not worth:
        return None
    best = max(worth, key=lambda label: worth[label])
    genome = space.uniform(float(best.removeprefix("uniform ")))
    return [float(value) for value in np.clip(genome, space.low, space.high)]
