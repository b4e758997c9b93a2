"""The candidates that an optimiser's genomes become, as far as the stage's budget admits them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from evomerge_core.errors import InputError
from evomerge_core.paths.space import PathSpace
from evomerge_core.run.setup import StageSetup
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.search.optimizer import Genome

# After so many candidates in a row that stand for merges already known, the search has nothing new to ask.
_MOST_REPEATED = 200


class Admission:
    """Admits generations in order. A candidate that stands for the same merge as an earlier one is its twin, and is free."""

    def __init__(self, stage: StageSetup, store: Store) -> None:
        self._stage = stage
        self._store = store
        self._limit = math.inf if stage.budget.evaluations is None else stage.budget.evaluations
        self._known: dict[Hashable, Candidate] = {}
        self._repeated = 0

    @property
    def spent(self) -> bool:
        """Whether the budget admits no more candidates."""
        return len(self._known) >= self._limit

    @property
    def exhausted(self) -> bool:
        """Whether no more candidates are admitted, or the last ones were all known."""
        return self.spent or self._repeated > _MOST_REPEATED

    def admit(self, generation: int, genomes: Sequence[Genome]) -> list[Candidate]:
        """The generation's candidates, all of them or as many as the budget admits."""
        admitted: list[Candidate] = []
        for position, genome in enumerate(genomes):
            meaning = self._meaning(genome)
            if meaning not in self._known and self.spent:
                break
            twin = self._known.get(meaning)
            candidate = self._candidate(generation, position, genome, twin)
            self._known.setdefault(meaning, candidate)
            self._repeated = 0 if twin is None else self._repeated + 1
            admitted.append(candidate)
        return admitted

    def _candidate(self, generation: int, position: int, genome: Genome, twin: Candidate | None) -> Candidate:
        label = f"g{generation + 1}.{position + 1}"
        candidate = self._store.add_candidate(
            "search",
            label,
            generation=generation,
            position=position,
            genome=genome.tolist(),
            twin=None if twin is None else twin.id,
            stage=self._stage.index,
        )
        if list(candidate.genome or ()) != genome.tolist():
            remedy = "resume with the numpy and cma versions that the run began with, or start a new run"
            raise InputError("the optimiser's genome differs from the stored one", where=label, remedy=remedy)
        return candidate

    def _meaning(self, genome: Genome) -> Hashable:
        """What a genome stands for: many may stand for one path."""
        space = self._stage.space
        return space.to_path(genome) if isinstance(space, PathSpace) else tuple(genome.tolist())
