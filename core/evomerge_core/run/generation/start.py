"""Where a search of weights starts: at the best equal-weight merge, unless the recipe says where.

Over replays of real scores (`tests/benchmarks/replay`) that is 3 points better than the usual start where another of these
merges is better, and 1 to 3 points worse than a start that was chosen for the models: how high the line of equal weights is
says little of what lies around it.
"""

from __future__ import annotations

import numpy as np

from evomerge_core.genome.space import Space
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.recipe.stages import plan_stages
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.store import Store


def best_start(setup: Setup, stage: StageSetup, store: Store) -> list[float] | None:
    """The equal-weight merge with the highest fitness on the search's items, as a genome of the stage within its bounds.

    None where the search space's own start stands: for paths, for a start that the recipe names, and where no equal-weight
    merge has a score. An archive has no start.
    """
    plan, space, searched = setup.plan, stage.space, plan_stages(setup.recipe)[stage.index].searched
    if not isinstance(space, Space) or not isinstance(searched, SearchSpace) or searched.has_own_start or stage.search.breeds:
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
