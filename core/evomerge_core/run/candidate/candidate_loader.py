"""The one model that is in memory, and how each candidate is loaded into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.fixed_merge.fixed_merge import FixedMerge, fixed_layers, stream_fixed
from evomerge_core.paths.pool import pool_layers, route, stream_pool
from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.candidate_merge import PathCandidate, child_of, path_candidate, pool_members
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import batch_size, read_facts, write_facts
from evomerge_core.run.store.records import AGREEMENT, Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import CandidateError, Evaluator

# A model in a precision, of layers that are of the kind of these layers of the base's (None: of the base's own layers), and
# with the recorded number of rows to answer together, or None to fit it to the memory.
MakeEvaluator = Callable[[Precision, tuple[int, ...] | None, int | None], Evaluator]


@dataclass(frozen=True)
class LoadedSlot:
    """Where a candidate is scored: the evaluator, and what loads the candidate into it (raises `CandidateError`)."""

    evaluator: Evaluator
    load: Callable[[], None]


@dataclass
class CandidateLoader:
    """Holds one evaluator, made anew when another precision or another number of layers is asked for.

    `pool` is the stage whose layers it holds; then a path is a change of route, and nothing is merged or quantised.
    `keeps_device`: the run's scores are computed on its evaluators, and where that is becomes a fact.
    """

    setup: Setup
    store: Store
    make: MakeEvaluator
    present: Evaluator | None = None
    layers: tuple[int, ...] = ()
    pool: int | None = None
    keeps_device: bool = True

    def slot(self, candidate: Candidate, split: str, precision: Precision) -> LoadedSlot:
        """Where a candidate is scored. In the search paths run through the layers of all models; elsewhere the child itself is
        merged, as it would be shipped."""
        routed = path_candidate(self.setup, candidate)
        if routed is not None and split in ("search", AGREEMENT):
            evaluator = self._evaluator(precision, pool_layers(routed.space.pool))
            return LoadedSlot(evaluator, partial(self._follow, evaluator, routed))
        child = child_of(self.setup, self.store, candidate)
        evaluator = self._evaluator(precision, fixed_layers(child, self.setup.sources))
        return LoadedSlot(evaluator, partial(self._take, evaluator, child))

    def release(self) -> None:
        """Gives the evaluator up: the next slot makes another."""
        self.present = self.pool = None

    @property
    def other_layers(self) -> int | None:
        """How many layers the present evaluator has; None for the base's own."""
        return None if self._own_layers(self.layers) else len(self.layers)

    def _evaluator(self, precision: Precision, layers: tuple[int, ...]) -> Evaluator:
        if self.present is None or (self.present.precision, self.layers) != (precision, layers):
            self.release()  # two models at once may not fit
            self.layers = layers
            shape = None if self._own_layers(layers) else layers
            self.present = self.make(precision, shape, batch_size(self.store, precision, self.other_layers))
            self._record_device(self.present.scored_on)
        return self.present

    def _record_device(self, scored_on: str) -> None:
        """Keeps what scores are computed on, with an event where a run is resumed in another arithmetic than it began with."""
        before = read_facts(self.store).scored_on
        if self.keeps_device and before != scored_on:
            self.store.add_event("scored_on", device=scored_on, before=before)
            write_facts(self.store, scored_on=scored_on)

    def _own_layers(self, layers: tuple[int, ...]) -> bool:
        return layers == tuple(range(self.setup.layers))

    def _follow(self, evaluator: Evaluator, routed: PathCandidate) -> None:
        if self.pool != routed.stage.index:
            members = pool_members(self.setup, self.store, routed.stage)
            try:
                evaluator.load(stream_pool(members, self.setup.sources, self.setup.engine))
            except CandidateError as error:
                raise InputError(
                    f"the layers of {', '.join(routed.stage.pool)} can't be held together: {error}; use fewer sources"
                ) from error
            self.pool = routed.stage.index
        evaluator.follow(route(routed.path, routed.space.pool))

    def _take(self, evaluator: Evaluator, child: FixedMerge) -> None:
        self.pool = None
        evaluator.load(self._stream(child))

    def _stream(self, child: FixedMerge) -> Iterator[tuple[str, Tensor]]:
        """The child's tensors. Numbers that can't be merged, such as weights that sum to 0 where the method divides by their
        sum, are the candidate's failure."""
        try:
            yield from stream_fixed(child, self.setup.sources, self.setup.engine)
        except InputError as error:
            raise CandidateError(str(error)) from error
