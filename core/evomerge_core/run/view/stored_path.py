"""A candidate's path, read from a run's store and recipe alone: what screens draw without opening a model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from evomerge_core.paths.make_space import make_path_space
from evomerge_core.paths.path import Path, Pool
from evomerge_core.paths.spec import Paths
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.stages import plan_stages
from evomerge_core.run.store.store import Candidate


def stored_path(recipe: Recipe, facts: Mapping[str, Any], candidate: Candidate) -> tuple[Path, Pool] | None:
    """The path and the models that it runs through; None for a candidate that is no path, or of a run that hasn't begun.

    `facts` are the store's.
    """
    if candidate.generation is None or candidate.genome is None or "stages" not in facts:
        return None
    index = bisect_right(facts.get("stage_starts", [0]), candidate.generation) - 1
    searched, known = plan_stages(recipe)[index].searched, facts["stages"][index]
    if not isinstance(searched, Paths):
        return None
    pool = Pool(tuple(known["pool"]), known["layers"])
    space = make_path_space(searched, pool, known["most_layers"])
    return space.to_path(np.array(candidate.genome)), pool
