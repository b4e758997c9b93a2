"""How each candidate of a run is loaded into the one model that is in memory."""

from __future__ import annotations

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.candidate_merge import child_of, path_candidate, pool_members
from evomerge_core.run.candidate.crew import ModelKind, Order
from evomerge_core.run.candidate.held_model import HeldModel, Loadable, LoadedSlot, MakeEvaluator, RoutedPath, layers_of
from evomerge_core.run.candidate.scoring import Answered
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import batch_size, read_facts, write_facts
from evomerge_core.run.store.records import AGREEMENT, Candidate
from evomerge_core.run.store.store import Store

# Between the devices of several workers.
_AND = "; "


def loadable(setup: Setup, store: Store, candidate: Candidate, split: str) -> Loadable:
    """What a candidate is scored as. In the search paths run through the layers of all models; elsewhere the child itself is
    merged, as it would be shipped."""
    routed = path_candidate(setup, candidate)
    if routed is None or split not in ("search", AGREEMENT):
        return child_of(setup, store, candidate)
    return RoutedPath(routed.stage.index, pool_members(setup, store, routed.stage), routed.space.pool, routed.path)


class CandidateLoader:
    """Loads a run's candidates into a model that it holds.

    `shipped`: only so that the search's precision can be compared with it; otherwise the run's scores are computed on its
    evaluators, and where that is becomes a fact.
    """

    def __init__(self, setup: Setup, store: Store, make: MakeEvaluator, *, shipped: bool = False) -> None:
        self._setup = setup
        self._store = store
        self._held = HeldModel(setup.sources, setup.engine, setup.layers, make)
        self._shipped = shipped
        self._scored_on = ""

    def slot(self, candidate: Candidate, split: str, precision: Precision) -> LoadedSlot:
        """Where a candidate is scored."""
        held, scored = self._held, loadable(self._setup, self._store, candidate, split)
        layers, before = layers_of(scored, self._setup.sources), held.present
        rows = batch_size(self._store, precision, held.other_layers(layers))
        slot = held.slot(scored, layers, precision, rows)
        scored_on = slot.evaluator.scored_on
        if not self._shipped and (slot.evaluator is not before or scored_on != self._scored_on):
            record_device(self._store, scored_on)
        self._scored_on = scored_on
        return slot

    def order(self, candidate: Candidate, split: str, precision: Precision) -> Order:
        """What a worker has to load to score a candidate; nothing is asked yet."""
        scored = loadable(self._setup, self._store, candidate, split)
        layers = layers_of(scored, self._setup.sources)
        kind = ModelKind(precision, self._held.other_layers(layers), self._shipped)
        rows = batch_size(self._store, precision, kind.other_layers)
        return Order(candidate.label, scored, layers, kind, rows, (), (), None)

    def record_answered(self, answered: Answered) -> None:
        """Keeps what a worker's scores were computed on, beside what those of the others were."""
        before = (read_facts(self._store).scored_on or "").split(_AND)
        if not self._shipped and answered.scored_on not in (None, *before):
            record_device(self._store, _AND.join([*filter(None, before), str(answered.scored_on)]))

    def release(self) -> None:
        """Gives the evaluator up: the next slot makes another."""
        self._held.release()

    @property
    def other_layers(self) -> int | None:
        """How many layers the present evaluator has; None for the base's own."""
        return self._held.other_layers(self._held.layers)


def record_device(store: Store, scored_on: str) -> None:
    """Keeps what scores are computed on, with an event where a run is resumed in another arithmetic than it began with. What
    was found out of it meanwhile, and stands after a comma, stays for the next model that begins without."""
    before = read_facts(store).scored_on
    if not f"{before}, ".startswith(f"{scored_on}, "):
        store.add_event("scored_on", device=scored_on, before=before)
        write_facts(store, scored_on=scored_on)
