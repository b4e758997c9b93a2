"""Who wins a stage: the best of its finalists and of what anybody has without its search.

Equal-weight merges (after the first stage: the winners of the stages before) stand in the final beside the finalists. A child
wins where its validation is better than that of the best of them; otherwise that one wins: what is called the winner is never
worse, by what is known, than what a person gets in a minute. Parents stand there too: where one is at least as good as the
winner, no winner is declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.generation.final import Final, complete, hold_final, known_worth, values_by_place
from evomerge_core.run.generation.finalists import best_finalist, choose_finalists, is_sound
from evomerge_core.run.generation.judging import races
from evomerge_core.run.generation.luck import expected_score
from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.store.facts import begin_phase, read_facts, write_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.taste.hold_poll import hold_final_poll

_FORMER_FINALISTS = 4


@dataclass(frozen=True)
class Contenders:
    """Who stands in a final: the search's `finalists`, what is `free` (no search made it in this stage), and the `parents`."""

    finalists: tuple[Candidate, ...]
    free: tuple[Candidate, ...]
    parents: tuple[Candidate, ...]

    @property
    def everybody(self) -> list[Candidate]:
        """All of them, each once."""
        return list({c.id: c for c in (*self.finalists, *self.free, *self.parents)}.values())

    @property
    def to_beat(self) -> list[Candidate]:
        """Those that the search has to have been worth it against."""
        return [*self.free, *self.parents]


@dataclass(frozen=True)
class Choice:
    """A stage's winner, and the label of a parent that is at least as good by what is known; by precision the winner's scores
    (`search`, `validation`) and what can be `expected` of it on new items, {} without validation items."""

    winner: Candidate
    leading_parent: str | None
    expected: Mapping[str, Mapping[str, float]]


def choose_winner(
    plan: RunPlan, stage: StagePlan, store: Store, evaluator: CachedEvaluator, earlier: Sequence[Candidate]
) -> Choice:
    """Holds the stage's final, `earlier` being the winners of the stages before, and chooses.

    The best of many candidates on few items is partly luck, and few bits are not what is shipped: both are put right here, on
    items that the search has not seen and in every precision, before the test is looked at. Without validation items the
    search's own decide.
    """
    contenders = _contenders(plan, stage, store, earlier)
    if not plan.items("validation"):
        if plan.votes:
            evaluator.evaluate_all(contenders.finalists, "search", plan.precision)
            hold_final_poll(plan, store, evaluator, contenders.everybody, contenders.to_beat)
        else:
            contenders = replace(contenders, finalists=contenders.finalists[:1])
        worth = known_worth(plan, stage, store, contenders.everybody, "search")
        winner = best_contender(plan, stage, store, contenders, worth)
        return Choice(winner, leading_parent(contenders, worth, winner), {})
    final = Final(plan, stage, store, _sizes(plan, store), evaluator.guard, evaluator.run_final_rungs)
    begin_phase(store, "validation", len(contenders.everybody) * len(plan.precisions), stage.index, stage.name)
    hold_final(final, contenders.everybody)
    if not races(plan, stage):
        evaluator.evaluate_all(contenders.finalists, "search", plan.precision)
    if plan.votes:
        hold_final_poll(plan, store, evaluator, contenders.everybody, contenders.to_beat)
    while True:
        worth = known_worth(plan, stage, store, contenders.everybody, "validation")
        winner = best_contender(plan, stage, store, contenders, worth)
        # one that was dropped in a precision may lead by what is estimated: then it is asked the rest
        if not complete(final, winner):
            break
    evaluator.evaluate(winner, "search", plan.precision)
    return Choice(winner, leading_parent(contenders, worth, winner), _expected(plan, store, contenders, winner))


def best_contender(
    plan: RunPlan, stage: StagePlan, store: Store, contenders: Contenders, worth: Mapping[int, float]
) -> Candidate:
    """The best of the finalists that are sound and worth more than all that is free (in a later stage: no less); what is free
    where there is none.

    `worth` is what everybody is worth by the final, by id. Where all finalists were scored on all of the search's items, those
    count too between them: not against others, which were not chosen by them.
    """
    sound = [one for one in contenders.free if is_sound(plan, store, one)]
    floor = max(sound, key=lambda one: (worth[one.id], -one.id), default=None)
    above = [*contenders.finalists, *contenders.free]
    if floor is not None:
        above = [one for one in contenders.finalists if is_sound(plan, store, one) and worth[one.id] >= worth[floor.id]]
        if not stage.index:
            # of equals the simpler; in a later stage it is the search's own first candidate, the model that it builds on
            above = [one for one in above if worth[one.id] > worth[floor.id]]
        if not above:
            return floor
    share = 0.0 if races(plan, stage) or not plan.items("validation") else plan.items("search") / plan.items("validation")
    totals = {one.id: worth[one.id] + share * _search_worth(plan, stage, store, one) for one in above}
    return best_finalist(plan, store, totals, above)


def leading_parent(contenders: Contenders, worth: Mapping[int, float], winner: Candidate) -> str | None:
    """The best parent's label where it is worth no less than the winner."""
    best = max(contenders.parents, key=lambda one: (worth[one.id], -one.id), default=None)
    return best.label if best is not None and worth[best.id] >= worth[winner.id] else None


def _contenders(plan: RunPlan, stage: StagePlan, store: Store, earlier: Sequence[Candidate]) -> Contenders:
    if stage.index >= len(read_facts(store).starts):
        # an earlier version began the stage: it ends as it would have ended there, with fewer finalists and nobody beside them
        return Contenders(tuple(choose_finalists(plan, stage, store, _FORMER_FINALISTS)), (), ())
    free = tuple(earlier) or tuple(store.candidates("uniform"))
    return Contenders(tuple(choose_finalists(plan, stage, store)), free, tuple(store.candidates("parent")))


def _sizes(plan: RunPlan, store: Store) -> tuple[int, ...]:
    """The rungs of this run's finals; a run that is resumed on another machine keeps them."""
    sizes = read_facts(store).final_sizes or plan.final_sizes
    write_facts(store, final_sizes=sizes)
    return sizes


def _search_worth(plan: RunPlan, stage: StagePlan, store: Store, candidate: Candidate) -> float:
    evaluation = store.evaluation(candidate.id, "search", plan.precision)
    return 0.0 if evaluation is None else fitness(evaluation, plan.items("search"), break_ties=stage.breaks_ties) or 0.0


def _expected(plan: RunPlan, store: Store, contenders: Contenders, winner: Candidate) -> dict[str, dict[str, float]]:
    """By precision, the winner's scores and what new items can be expected to give; one in which it failed is left out."""
    able = list({one.id: one for one in (*contenders.finalists, *contenders.free)}.values())
    found: dict[str, dict[str, float]] = {}
    for precision in plan.precisions:
        whole = [one for one in able if store.count_items(one.id, "validation", precision) == plan.items("validation")]
        if winner in whole:
            scores = {split: store.evaluation(winner.id, split, precision) for split in ("search", "validation")}
            known = {split: e.score for split, e in scores.items() if e is not None and e.score is not None}
            new = expected_score(values_by_place(plan, store, whole, precision), whole.index(winner))
            found[precision] = {**known, "expected": new}
    return found
