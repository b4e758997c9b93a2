"""Chooses a run's sources from its pool: copies are left out, each member is scored alone, then sets of members race.

The store is the only state: what it holds isn't asked again, and a choice that was made stands.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain

from evomerge_core.errors import InputError
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.methods.registry import get_method
from evomerge_core.pool.geometry import gram_of
from evomerge_core.pool.likeness import Likeness, compare
from evomerge_core.recipe.stages import plan_stages
from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.crew import Crew
from evomerge_core.run.candidate.held_model import MakeEvaluator
from evomerge_core.run.candidate.scoring import weighted_score
from evomerge_core.run.generation.judging import stage_sizes
from evomerge_core.run.selection.alone import SubScores, scored_alone, sub_scores
from evomerge_core.run.selection.forward import Candidates, Chosen, choose_forward, compare_answers
from evomerge_core.run.selection.trial import Members, Trial, make_trial
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import begin_phase, read_facts, write_facts
from evomerge_core.run.store.records import POOL
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.pool import Selection, Told, in_order
from evomerge_core.run.watch import Watch

# Of the run's minutes, those that choosing may take.
_SHARE = 0.5


def _tell_nobody(_: str) -> None:
    """Where nobody looks on."""


def select_sources(
    setup: Setup,
    store: Store,
    make_evaluator: MakeEvaluator,
    *,
    since: float | None = None,
    watch: Watch | None = None,
    tell: Callable[[str], None] = _tell_nobody,
    crew: Crew | None = None,
) -> None:
    """Chooses among the setup's sources, which are the pool's members, and keeps the choice in the store.

    `since`, `watch` and `crew` are as in `loop.run`; `tell` is told what is asked now. Only items of the search are asked, and
    all scores are kept under a split of their own. Raises InputError where nothing can be merged.
    """
    loader = CandidateLoader(setup, store, make_evaluator)
    evaluator = CachedEvaluator(setup.plan, store, loader, time.perf_counter() if since is None else since, crew=crew)
    if watch is not None:
        evaluator.require_unchanged = watch.require_unchanged
    write_facts(store, state="running", precision=setup.plan.precision, precisions=setup.plan.precisions)
    begin_phase(store, POOL, len(setup.parents))
    minutes = setup.stages[0].budget.minutes
    limit = math.inf if minutes is None else _SHARE * 60 * minutes
    trial = make_trial(setup, store, evaluator, lambda: read_facts(store).active_seconds < limit, tell)
    likeness = _likeness(setup)
    reasons = _left_out_unasked(setup, likeness)
    reasons |= _ask_alone(trial, [member for member in range(len(setup.parents)) if member not in reasons])
    scored = [member for member in range(len(setup.parents)) if member not in reasons]
    alone = {member: sub_scores(setup.plan, trial.asked_alone, trial.answers((member,))) for member in scored}
    reasons |= _worse_again(setup, likeness, alone)
    kept = tuple(member for member in scored if member not in reasons)
    if not kept:
        why = "; ".join(f"{name}: {reasons[member]}" for member, name in enumerate(setup.parents))
        raise InputError(f"no model can be chosen ({why})", where="pool", remedy="name others")
    answers = scored_alone(setup.plan, trial.asked_alone, [trial.answers((member,)) for member in kept])
    candidates = Candidates(kept, answers, likeness, lambda size: _takes(setup, size))
    chosen = choose_forward(trial, candidates)
    selection = _selection(trial, chosen, alone, reasons)
    write_facts(store, pool=selection.as_fact())
    store.add_event("pool", taken=list(selection.taken))
    store.keep_copy()


def _likeness(setup: Setup) -> Likeness:
    base = setup.sources[setup.recipe.base]
    return compare(gram_of(base, [setup.sources[reference] for reference in setup.parents.values()]))


def _left_out_unasked(setup: Setup, likeness: Likeness) -> dict[int, str]:
    names = list(setup.parents)
    same = {member: f"the same weights as {names[other]}" for member, other in likeness.copies.items()}
    return {**dict.fromkeys(likeness.unchanged, "the base's own weights: there is nothing to merge"), **same}


def _ask_alone(trial: Trial, members: Sequence[int]) -> dict[int, str]:
    """Scores members alone; why some have no score. Two are asked however little time there is."""
    begun: set[int] = set()

    def due() -> Iterator[int]:
        for member in members:
            if trial.alone(member) is not None or len(begun) < 2 or trial.may_go_on():
                begun.add(member)
                yield member

    trial.ask_alone(due())
    reasons: dict[int, str] = {}
    for member in members:
        known = trial.alone(member)
        if known is None:
            reasons[member] = "not tried: choosing had taken half of the minutes"
        elif known.failure is not None:
            reasons[member] = f"can't be scored: {known.failure}"
    return reasons


def _worse_again(setup: Setup, likeness: Likeness, alone: Mapping[int, SubScores]) -> dict[int, str]:
    """Of members that are nearly the same change, all but the one that does best alone."""
    names, reasons = list(setup.parents), {}
    for leader in set(likeness.like):
        alike = [member for member in alone if likeness.like[member] == leader]
        best = max(alike, key=lambda member: (_worth(alone[member]), -member), default=leader)
        for member in alike:
            if member != best:
                cosine = likeness.cosine[member, best]
                reasons[member] = f"nearly the same change as {names[best]} (cosine {cosine:.2f}), which does better alone"
    return reasons


def _worth(scored: SubScores) -> tuple[float, float, float]:
    return scored.score, scored.right + scored.language, -math.inf if scored.loss is None else -scored.loss


def _takes(setup: Setup, size: int) -> bool:
    """Whether the recipe's method merges so many sources."""
    searched = plan_stages(setup.recipe)[0].searched
    assert isinstance(searched, SearchSpace)  # a pool is for weights
    try:
        get_method(searched.method).require_sources(size, has_base=True)
    except InputError:
        return False
    return True


def _selection(trial: Trial, chosen: Chosen, alone: Mapping[int, SubScores], reasons: Mapping[int, str]) -> Selection:
    plan, parents = trial.plan, list(trial.setup.parents.items())
    members: list[Told] = []
    for member, (name, model) in enumerate(parents):
        taken = member in chosen.members
        why = reasons.get(member) or (_why_taken if taken else _why_dropped)(trial, chosen, member)
        scored = {} if member not in alone else asdict(alone[member])
        members.append(Told(name, model, taken, why, **scored))
    unfit = [Told(**left) for left in read_facts(trial.store).pool_unfit]
    own = trial.answers(chosen.members)
    # a set that goes on in a second race answers more than its evaluation, which is of the first
    answers = [item for c in trial.store.candidates(POOL) for item in trial.store.item_scores(c.id, POOL, plan.precision)]
    sizes = stage_sizes(plan, trial.setup.stages[0])
    whole = len(plan.tasks) * sizes[-1] if sizes else plan.items("search")
    return Selection(
        members=(*in_order(members), *unfit),
        score=_score(trial, chosen.members),
        items=len(own),
        answers=len(answers),
        tokens=sum(item.tokens for item in answers),
        evaluations=math.ceil(len(answers) / whole),
    )


def _score(trial: Trial, members: Members) -> float | None:
    answers = trial.answers(members)
    return weighted_score(trial.plan, answers) if answers else None


def _why_taken(trial: Trial, chosen: Chosen, member: int) -> str:
    others = [name for index, name in enumerate(trial.setup.parents) if index in chosen.members and index != member]
    score = _score(trial, chosen.members)
    if not others:
        return "the only one that can be merged"
    if score is None:
        return f"with {', '.join(others)}: the most promising set when the time was up"
    return f"with {', '.join(others)}: {_percent(score)} of {len(trial.answers(chosen.members))} items"


def _why_dropped(trial: Trial, chosen: Chosen, member: int) -> str:
    tried = [one for one in dict.fromkeys(chain.from_iterable(chosen.races)) if member in one and trial.answers(one)]
    if not tried:
        return "not tried with others: by what it answers alone, other sets promise more"
    last = max(tried, key=lambda one: (len(one), _score(trial, one) or 0.0))
    names = list(trial.setup.parents)
    partners = " and ".join(names[other] for other in last if other != member)
    own, best = trial.answers(last), trial.answers(chosen.members)
    _, _, both = compare_answers(own, best)
    keys = {(item.task, item.item) for item in own}
    shared = [item for item in best if (item.task, item.item) in keys]
    against = weighted_score(trial.plan, shared) if both else 0.0
    said = "adds too little to" if set(chosen.members) < set(last) else "does worse with"
    return f"{said} {partners}: {_percent(_score(trial, last) or 0.0)} against {_percent(against)} of {both} items"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
