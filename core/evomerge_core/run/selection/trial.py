"""Sets of a pool's members, merged with equal weights and raced on the same of the search's items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.generation.race import RaceSettings, asked_in, race
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import read_facts, write_facts
from evomerge_core.run.store.records import POOL, Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.search.racing.result import ranking_numbers
from evomerge_core.search.racing.rungs import rung_sizes

# Items of each task that a member is asked alone, and that a set is asked at most.
ALONE = 16
_MOST = 48
_ERROR = 0.1  # the chance that a set as good as the leading one is dropped on the way
# All races ask the same items: what a set has answered in one isn't asked again in the next.
_GENERATION = 0

Members = tuple[int, ...]


@dataclass(frozen=True)
class Trial:
    """Asks members and sets of members, by their places in the pool. `may_go_on` says whether there is time for more; `tell`
    is told what is asked now."""

    setup: Setup
    store: Store
    evaluator: CachedEvaluator
    sizes: tuple[int, ...]
    may_go_on: Callable[[], bool]
    tell: Callable[[str], None]

    @property
    def plan(self) -> RunPlan:
        return self.setup.plan

    @property
    def asked_alone(self) -> list[Asked]:
        """What every member is asked alone: the first of what sets are asked."""
        return asked_in(self._settings, _GENERATION)[: ALONE * len(self.plan.tasks)]

    def ask_alone(self, members: Iterable[int]) -> None:
        """Scores members alone, which are taken one after the other as they can be asked."""

        def told() -> Iterator[Candidate]:
            for member in members:
                self.tell(f"{list(self.setup.parents)[member]} alone")
                yield self.candidate((member,))

        self.evaluator.evaluate_all(told(), POOL, self.plan.precision, self.asked_alone)

    def alone(self, member: int) -> Evaluation | None:
        """What a member did alone; None where it wasn't asked yet."""
        return self.store.evaluation(self.candidate((member,)).id, POOL, self.plan.precision)

    def best(self, sets: Sequence[Members]) -> Members | None:
        """Races the sets; the best of them, None where the time ran out or all failed."""
        candidates = [self.candidate(one) for one in sets]
        self.tell(f"racing {'; '.join(candidate.label for candidate in candidates)}")
        results = race(self._settings, _GENERATION, candidates, 1, self.evaluator.run_pool_rungs, lambda _: self.may_go_on())
        if results is None:
            return None
        numbers = ranking_numbers(results)
        ranked = [(number, -index) for index, number in enumerate(numbers) if number is not None]
        return sets[-max(ranked)[1]] if ranked else None

    def answers(self, members: Members) -> list[ItemScore]:
        """All that a member or a set has answered."""
        return self.store.item_scores(self.candidate(members).id, POOL, self.plan.precision)

    def candidate(self, members: Members) -> Candidate:
        """The candidate of a set; its genome are the members' places."""
        names = list(self.setup.parents)
        label = " + ".join(names[member] for member in members)
        return self.store.add_candidate(POOL, label, genome=[float(member) for member in members])

    @property
    def _settings(self) -> RaceSettings:
        return RaceSettings(self.plan, self.store, self.sizes, _ERROR, True, None, POOL, split=POOL)


def make_trial(
    setup: Setup, store: Store, evaluator: CachedEvaluator, may_go_on: Callable[[], bool], tell: Callable[[str], None]
) -> Trial:
    """A trial of the setup's sources, which are the pool's members. A run that goes on elsewhere keeps its items."""
    plan = setup.plan
    # pairs are merged mostly, not all of the pool's members
    load = plan.load_items * 3 / (len(setup.parents) + 1)
    sizes = read_facts(store).pool_sizes or rung_sizes(min(_MOST, plan.search_items), load_items=load)
    write_facts(store, pool_sizes=sizes)
    return Trial(setup, store, evaluator, tuple(sizes), may_go_on, tell)
