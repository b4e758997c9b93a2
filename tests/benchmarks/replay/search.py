"""One whole search on a landscape: the product's own optimiser, races, store and final; only the model is drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from evomerge_core.genome.dimension import Dimension, Dimensions
from evomerge_core.recipe.schema import Budget, Racing, SearchSettings
from evomerge_core.run.candidate import fitness as fitness_module
from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.generation import winner as winner_module
from evomerge_core.run.generation.finalists import AVERAGED, choose_finalists
from evomerge_core.run.generation.generations import search
from evomerge_core.run.generation.winner import Choice, choose_winner
from evomerge_core.run.plan import FINALISTS, RunPlan
from evomerge_core.run.setup import StageSetup
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.store import Store
from replay.drawn_model import TASK, DrawnModel, make_asked
from replay.landscape import Landscape, draw_world


@dataclass(frozen=True)
class Setting:
    """One way to search. None leaves to the program what it decides by itself.

    `loss_items`: in a race the loss counts like so many items. `line_start`: whether the search starts at the best equal-weight
    merge, not at the recipe's start. `averages`: whether averages of the best stand in the final. `search` and `validation` are
    numbers of items; `items` and `first` a race's.
    """

    evaluations: int = 80
    population: int | None = 16
    sigma: float = 1 / 6
    racing: bool = True
    items: int | None = None
    first: int | None = None
    error: float | None = None
    loss_items: float | None = None
    line_start: bool = True
    finalists: int | None = None
    averages: bool = True
    search: int = 48
    validation: int = 48


@dataclass(frozen=True)
class Replayed:
    """What a replay came to: the true `quality` of the chosen merge (0..1), its score on the validation items, what the run
    expects of it on new ones, and the answers that were asked for in all."""

    quality: float
    validation: float
    expected: float
    asked: int


@dataclass(frozen=True)
class _Box(Dimensions):
    """A landscape's genomes as a search space."""

    numbers: tuple[Dimension, ...]

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        return self.numbers


def replay(landscape: Landscape, setting: Setting, seed: int) -> Replayed:
    """One search with items and luck of its own, the same for the same seed."""
    model = DrawnModel(draw_world(landscape, setting.search + setting.validation, seed))
    plan = _plan(landscape, setting, seed)
    store = Store(Path(":memory:"), create=True)
    try:
        with _constants(setting):
            choice = _carry_out(landscape, setting, plan, store, CachedEvaluator(plan, store, model, time.perf_counter()))
    finally:
        store.close()
    quality = float(landscape.quality(np.array([choice.winner.genome]))[0])
    scores = choice.expected[plan.precision]
    return Replayed(quality, scores["validation"], scores["expected"], model.asked)


def _carry_out(landscape: Landscape, setting: Setting, plan: RunPlan, store: Store, evaluator: CachedEvaluator) -> Choice:
    """References, search and final, as `run/loop.py` has them."""
    head, stage = landscape.head, _stage(landscape, setting)
    for number, genome in enumerate(head.parents):
        evaluator.evaluate(store.add_candidate("parent", f"parent {number}", genome=genome), "search", plan.precision)
    scores = {}
    for number, genome in enumerate(head.uniform):
        candidate = store.add_candidate("uniform", f"uniform {number}", genome=genome)
        scores[genome] = fitness(evaluator.evaluate(candidate, "search", plan.precision), setting.search) or 0.0
    write_facts(
        store,
        precision=plan.precision,
        precisions=plan.precisions,
        stages=[{"name": stage.name, "tie_break": stage.search.tie_break}],
        stage_starts=[0],
        starts=[max(scores, key=scores.__getitem__) if setting.line_start else None],
        weights=plan.weights,
    )
    search(plan, stage, store, evaluator, 0)
    return choose_winner(plan, stage, store, evaluator, ())


def _plan(landscape: Landscape, setting: Setting, seed: int) -> RunPlan:
    return RunPlan(
        seed=seed,
        precisions=("bf16",),
        stages=(_stage(landscape, setting),),
        tasks=(TASK,),
        asked=make_asked({"search": setting.search, "validation": setting.validation, "test": 0}),
        search_items=setting.search,
        load_items=0.0,
        coherence=False,
    )


def _stage(landscape: Landscape, setting: Setting) -> StageSetup:
    head = landscape.head
    limits = zip(head.low, head.high, head.start, strict=True)
    space = _Box(tuple(Dimension("weight", None, str(number), *each) for number, each in enumerate(limits)))
    budget = Budget(evaluations=setting.evaluations)
    return StageSetup(0, "weights", budget, _settings(setting), space, pool=())


def _settings(setting: Setting) -> SearchSettings:
    given = {"items": setting.items, "first": setting.first, "error": setting.error}
    races = {key: value for key, value in given.items() if value is not None}
    racing = None if setting.racing and not races else Racing.model_validate({"enabled": setting.racing, **races})
    return SearchSettings(population=setting.population, sigma=setting.sigma, racing=racing)


@contextmanager
def _constants(setting: Setting) -> Iterator[None]:
    """The program's constants as the setting has them: no recipe sets these."""
    with ExitStack() as patched:
        if setting.loss_items is not None:
            patched.enter_context(patch.object(fitness_module, "_ITEMS_IN_RACES", setting.loss_items))
        if setting.finalists is not None or not setting.averages:
            averaged = AVERAGED if setting.averages else ()
            chosen = partial(choose_finalists, count=setting.finalists or FINALISTS, averaged=averaged)
            patched.enter_context(patch.object(winner_module, "choose_finalists", chosen))
        yield
