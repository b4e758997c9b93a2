"""What a run will take, measured on this machine by scoring one candidate of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.rehearsal import estimate_run, rehearse
from evomerge_core.run.setup import prepare
from evomerge_core.run.timing.cost import TimeEstimate
from evomerge_quant.planning.precision import choose_precision
from evomerge_quant.resident.model import evaluators
from evomerge_quant.resident.sight import see_pictures


@dataclass(frozen=True)
class MeasuredRun:
    """Seconds and generated tokens of each part of the run, and the seconds that measuring took."""

    parts: Mapping[str, TimeEstimate]
    took: float

    @property
    def seconds(self) -> float:
        """The whole run."""
        return sum(part.seconds for part in self.parts.values())

    @property
    def tokens(self) -> float:
        """What the whole run will write."""
        return sum(part.tokens for part in self.parts.values())


def measure(recipe: Recipe) -> MeasuredRun:
    """Opens the recipe's models, downloading those that aren't here, and scores one candidate in each precision.

    Raises InputError for a recipe that can't be carried out.
    """
    started = time.perf_counter()
    setup = prepare(with_absolute_paths(recipe), recipe.folder, choose_precision)
    opened = time.perf_counter() - started
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        before = time.perf_counter()
        sight = see_pictures(setup, Path(scratch), splits=("search",))
        seeing = time.perf_counter() - before
        evaluation = recipe.evaluation
        make = evaluators(setup.base_folder, evaluation.device, evaluation.arithmetic, setup.speaks, sight.seen)
        parts = estimate_run(setup, rehearse(sight.setup, make))
    seeing *= len(setup.plan.pictures()) / max(1, len(sight.seen))
    # the job opens and checks the models once more, and sees all pictures
    rest = parts["rest"] + TimeEstimate(opened + seeing, 0.0)
    return MeasuredRun({**parts, "rest": rest}, time.perf_counter() - started)
