"""How a generation is judged: by a race on a few items, or by everybody on everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from evomerge_core.recipe.schema import Racing, Recipe, SearchSettings
from evomerge_core.run.candidate.cached_evaluation import Evaluated
from evomerge_core.run.candidate.coherence_guard import Guard
from evomerge_core.run.candidate.fitness import breaks_ties, stage_fitness
from evomerge_core.run.candidate.scoring import Gate
from evomerge_core.run.generation.finalists import mean_candidate
from evomerge_core.run.generation.race import Track, race
from evomerge_core.run.race_facts import race_key
from evomerge_core.run.setup import Asked, Setup, StageSetup
from evomerge_core.run.store.store import Candidate, Store
from evomerge_core.run.timing.cost import CHARACTERS, load_items
from evomerge_core.run.timing.deadline import out_of_time
from evomerge_core.search.optimizer import Genome
from evomerge_core.search.racing.rungs import last_rung, rung_sizes
from evomerge_core.search.racing.standing import Standing

# With fewer items there is nothing to save.
_FEWEST_ITEMS = 16
_ANSWER = 0.5  # of max_new_tokens, about


@dataclass(frozen=True)
class Contest:
    """A stage's way of judging; `track` is that of its races, None where everybody is scored on everything."""

    setup: Setup
    stage: StageSetup
    store: Store
    evaluated: Evaluated
    track: Track | None

    def hold(self, generation: int, candidates: Sequence[Candidate], better: int) -> list[Standing] | None:
        """Where each candidate stands, the `better` best mattering most; None when the stage's minutes ran out."""
        if self.track is None:
            return self._score_all(candidates)
        return race(self.track, generation, candidates, better, partial(self._run_rung, generation), self._may_start)

    def score_mean(self, generation: int, mean: Genome) -> None:
        """Scores the search's centre after a generation on all of the search's items."""
        if not out_of_time(self.setup, self.stage, self.store, self.setup.items("search")):
            self.evaluated(mean_candidate(self.store, generation, mean.tolist()), "search", self.setup.precision)

    def _run_rung(self, generation: int, candidate: Candidate, rung: int, asked: Sequence[Asked], gate: Gate | None) -> None:
        self.evaluated.run_rung(candidate, generation, rung, asked, gate)

    def _may_start(self, items: int) -> bool:
        return not out_of_time(self.setup, self.stage, self.store, items)

    def _score_all(self, candidates: Sequence[Candidate]) -> list[Standing] | None:
        setup, store = self.setup, self.store
        standings = []
        for candidate in candidates:
            known = store.evaluation(candidate.id, "search", setup.precision)
            if known is None and out_of_time(setup, self.stage, store, setup.items("search")):
                return None
            evaluation = self.evaluated(candidate, "search", setup.precision)
            incoherent = store.mark(candidate.id, "search", setup.precision) is not None
            standings.append(Standing(stage_fitness(setup, self.stage, evaluation, "search"), 0, incoherent=incoherent))
        return standings


def races(setup: Setup, stage: StageSetup) -> bool:
    """Whether a stage's candidates are asked few items, and others each generation."""
    return stage_sizes(setup, stage) is not None


def stage_sizes(setup: Setup, stage: StageSetup) -> tuple[int, ...] | None:
    """Items of each task after each rung of a stage's races; None where everybody is scored on everything."""
    return race_sizes(setup.recipe, stage.search, _load_items(setup))


def make_track(setup: Setup, stage: StageSetup, store: Store, guard: Guard | None) -> Track | None:
    """The stage's races; None where everybody is scored on everything."""
    sizes = stage_sizes(setup, stage)
    if sizes is None:
        return None
    # a run that goes on elsewhere goes on with the same races
    sizes = tuple(store.fact(race_key(stage.index), sizes))
    store.set_facts(**{race_key(stage.index): sizes})
    error = stage.search.racing.error if stage.search.racing is not None else Racing().error
    return Track(setup, store, sizes, error, breaks_ties(stage), guard, stage.name)


def race_sizes(recipe: Recipe, search: SearchSettings, load: float) -> tuple[int, ...] | None:
    """Items of each task after each rung of a race, None for no race; `load` answers take as long as merging and loading."""
    items, asked = recipe.splits.search, search.racing
    if asked is None:
        return rung_sizes(last_rung(items), load_items=load) if items >= _FEWEST_ITEMS and recipe.splits.validation else None
    if not asked.enabled:
        return None
    last = asked.items or max(asked.first or 0, last_rung(items))
    return rung_sizes(last, first=asked.first, load_items=load)


def _load_items(setup: Setup) -> float:
    """By rule of thumb: measured seconds would make a search depend on how busy the machine is."""
    questions = [asked.question for asked in setup.asked["search"]]
    read = sum(len(q.prompt) + len(q.gold) for q in questions) / len(questions) / CHARACTERS
    written = sum(0 if q.choices else q.max_new_tokens for q in questions) / len(questions) * _ANSWER
    return load_items(device=setup.engine.device.type, sources=len(setup.parents), read=read, written=written)
