"""The one model that a process holds in memory, and how whatever is scored next is loaded into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.fixed_merge.fixed_merge import FixedMerge, fixed_layers, stream_fixed
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.paths.path import Path, Pool
from evomerge_core.paths.pool import pool_layers, route, stream_pool
from evomerge_core.recipe.schema import Precision
from evomerge_core.sources.source import Source
from evomerge_core.tasks.evaluator import CandidateError, Evaluator

# A model in a precision, of layers that are of the kind of these layers of the base's (None: of the base's own layers), and
# with the recorded number of rows to answer together, or None to fit it to the memory.
MakeEvaluator = Callable[[Precision, tuple[int, ...] | None, int | None], Evaluator]


@dataclass(frozen=True)
class LoadedSlot:
    """Where a candidate is scored: the evaluator, and what loads the candidate into it (raises `CandidateError`)."""

    evaluator: Evaluator
    load: Callable[[], None]


@dataclass(frozen=True)
class RoutedPath:
    """A path through the layers of all `members` of a stage's `pool`, which are held together while the stage is searched."""

    stage: int
    members: tuple[MergeConfig, ...]
    pool: Pool
    path: Path


# What is scored next: a merge as it would be shipped, or a path.
Loadable = FixedMerge | RoutedPath


def layers_of(loadable: Loadable, sources: Mapping[str, Source]) -> tuple[int, ...]:
    """For each layer that the model must have, which of the base's layers it is like."""
    return pool_layers(loadable.pool) if isinstance(loadable, RoutedPath) else fixed_layers(loadable, sources)


@dataclass
class HeldModel:
    """Holds one evaluator, made anew when another precision or another number of layers is asked for.

    `own_layers` is how many layers the base has. `pool` is the stage whose layers are held; then a path is a change of route,
    and nothing is merged or quantised.
    """

    sources: Mapping[str, Source]
    engine: MergeEngine
    own_layers: int
    make: MakeEvaluator
    present: Evaluator | None = None
    layers: tuple[int, ...] = ()
    pool: int | None = None

    def slot(self, loadable: Loadable, layers: tuple[int, ...], precision: Precision, rows: int | None) -> LoadedSlot:
        """Where what is given is scored, `layers` being `layers_of` it; `rows` are answered together by a model that has to be
        made (None: as many as fit)."""
        evaluator = self._evaluator(precision, layers, rows)
        if isinstance(loadable, RoutedPath):
            return LoadedSlot(evaluator, partial(self._follow, evaluator, loadable))
        return LoadedSlot(evaluator, partial(self._take, evaluator, loadable))

    def release(self) -> None:
        """Gives the evaluator up: the next slot makes another."""
        self.present = self.pool = None

    def other_layers(self, layers: tuple[int, ...]) -> int | None:
        """How many layers those are; None for the base's own."""
        return None if layers == tuple(range(self.own_layers)) else len(layers)

    def _evaluator(self, precision: Precision, layers: tuple[int, ...], rows: int | None) -> Evaluator:
        if self.present is None or (self.present.precision, self.layers) != (precision, layers):
            self.release()  # two models at once may not fit
            self.layers = layers
            self.present = self.make(precision, None if self.other_layers(layers) is None else layers, rows)
        return self.present

    def _follow(self, evaluator: Evaluator, routed: RoutedPath) -> None:
        if self.pool != routed.stage:
            try:
                evaluator.load(stream_pool(routed.members, self.sources, self.engine))
            except CandidateError as error:
                raise InputError(
                    f"the layers of {', '.join(routed.pool.labels)} can't be held together: {error}; use fewer sources"
                ) from error
            self.pool = routed.stage
        evaluator.follow(route(routed.path, routed.pool))

    def _take(self, evaluator: Evaluator, child: FixedMerge) -> None:
        self.pool = None
        evaluator.load(self._stream(child))

    def _stream(self, child: FixedMerge) -> Iterator[tuple[str, Tensor]]:
        """The child's tensors. Numbers that can't be merged, such as weights that sum to 0 where the method divides by their
        sum, are the candidate's failure."""
        try:
            yield from stream_fixed(child, self.sources, self.engine)
        except InputError as error:
            raise CandidateError(str(error)) from error
