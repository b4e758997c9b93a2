"""What the votes say of the winner, how sure that is, and how a judge was swayed by the order in which it saw the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evomerge_core.run.plan import RunPlan
from evomerge_core.run.store.records import Candidate, Vote
from evomerge_core.run.store.store import Store
from evomerge_core.run.taste.strengths import strengths_among
from evomerge_core.run.verdict.verdict import SIGNIFICANT, Comparison, TestResult, rival_name, spoken_name
from evomerge_core.search.taste.bradley_terry import Strengths, sigmoid
from evomerge_core.search.taste.telling_pair import chances_to_be_best

_NORMAL = 1.96  # deviations that 95 % of a normal distribution lie within


@dataclass(frozen=True)
class Position:
    """How a judge was swayed by order: of its `votes`, those in which its two choices were `contradictory`, and of these those
    in which it preferred what it saw `first` both times."""

    votes: int
    contradictory: int
    first: int

    @property
    def sentence(self) -> str:
        """For screens and reports."""
        if not self.contradictory:
            return f"the judge chose alike in both orders, {self.votes} times of {self.votes}"
        second = self.contradictory - self.first
        place, times = ("first", self.first) if self.first >= second else ("second", second)
        share = f"{self.contradictory} of {self.votes} votes changed with the order of the answers and count as ties"
        return f"{share}; in {times} of them the judge took what it saw {place}"


@dataclass(frozen=True)
class Sureness:
    """How sure it is by the votes that the winner is better than one other, 0..1; `wins` and `losses` are votes between the
    two."""

    against: str
    sure: float
    wins: int
    losses: int


def judge_by_votes(store: Store, winner: Candidate) -> dict[str, Any]:
    """The verdict of a run that has no test items, with the keys of `verdict.judge`: a reference's `test` is the chance that
    its answers are preferred to average ones, and the winner is better where that is as sure as a test must be."""
    others = [one for one in (*store.candidates("parent"), *store.candidates("uniform")) if one.id != winner.id]
    ids = [_place(one) for one in (*others, winner)]
    votes = store.votes()
    known = strengths_among(store, ids, other_prompts=True)
    rows = {one.id: _row(one, known, index) for index, one in enumerate((*others, winner))}
    sure = {one.id: known.above(len(others), index) for index, one in enumerate(others)}
    against = {one.id: _comparison(one, winner, votes, sure[one.id]) for one in others}
    rival = min(others, key=lambda one: (sure[one.id], one.id))
    better = sure[rival.id] > 0.5 and against[rival.id].p < SIGNIFICANT
    won = against[rival.id].wins
    figures = f"({won} vote{'' if won == 1 else 's'} won, {against[rival.id].losses} lost, {sure[rival.id]:.0%} sure)"
    beaten = "beats" if better else "is not surely better than"
    return {
        "items": 0,
        "parents": [asdict(rows[one.id]) for one in others if one.kind == "parent"],
        "uniform": [asdict(rows[one.id]) for one in others if one.kind == "uniform"],
        "stages": [],
        "winner": asdict(rows[winner.id]),
        "paired": asdict(against[rival.id]),
        "better": better,
        "against": [asdict(one) for one in against.values()],
        "verdict": f"by votes, {spoken_name(winner)} {beaten} {rival_name(rival, {})} {figures}",
    }


def votes_told(plan: RunPlan, store: Store, winner: Candidate) -> dict[str, Any] | None:
    """What the votes came to, ready for JSON; None for a run without taste."""
    if not plan.votes:
        return None
    votes = store.votes()
    others = [one for one in (*store.candidates("parent"), *store.candidates("uniform")) if one.id != winner.id]
    compared = {one for vote in votes for one in (vote.first, vote.second)}
    rivals = sorted(compared | {_place(winner)})
    known = strengths_among(store, [*rivals, *(_place(one) for one in others)], other_prompts=True)
    ours = rivals.index(_place(winner))
    sure = {one.id: known.above(ours, len(rivals) + index) for index, one in enumerate(others)}
    best = float(chances_to_be_best(_first(known, len(rivals)))[ours])
    position = _position(votes)
    told = {
        "votes": len(votes),
        "asked": plan.votes,
        "voters": {voter: sum(vote.voter == voter for vote in votes) for voter in dict.fromkeys(vote.voter for vote in votes)},
        "ties": sum(vote.share == 0.5 for vote in votes),
        "candidates": len(rivals),
        "best": best,
        "against": [asdict(_sureness(one, winner, votes, sure[one.id])) for one in others],
        "position": None if position is None else asdict(position),
    }
    return {**told, "sentence": _sentence(told, position)}


def _sentence(told: Mapping[str, Any], position: Position | None) -> str:
    by = " and ".join(f"{count} by a {voter}" for voter, count in told["voters"].items()) or "none was given"
    text = f"{told['votes']} of {told['asked']} votes ({by}; {told['ties']} ties)"
    text += f": it is {told['best']:.0%} sure that the winner is the best of the {told['candidates']} that were compared"
    return text if position is None else f"{text}; {position.sentence}"


def _position(votes: Sequence[Vote]) -> Position | None:
    """None where no judge voted."""
    twice = [vote for vote in votes if vote.again is not None]
    if not twice:
        return None
    contradictory = [vote for vote in twice if {vote.choice, vote.again} == {"first", "second"}]
    return Position(len(twice), len(contradictory), sum(vote.choice == "first" for vote in contradictory))


def _place(candidate: Candidate) -> int:
    return candidate.twin or candidate.id


def _row(candidate: Candidate, known: Strengths, index: int) -> TestResult:
    """Its chance to be preferred to an average candidate, with the interval that the posterior has."""
    spread = float(np.sqrt(known.covariance[index, index]))
    low, high = sigmoid(known.mean[index] + np.array([-_NORMAL, _NORMAL]) * spread).tolist()
    return TestResult(candidate.label, float(known.values()[index]), (low, high), 0.0, 0.0)


def _first(known: Strengths, count: int) -> Strengths:
    return Strengths(known.mean[:count], known.covariance[:count, :count])


def _comparison(other: Candidate, winner: Candidate, votes: Sequence[Vote], sure: float) -> Comparison:
    found = _sureness(other, winner, votes, sure)
    return Comparison(other.label, found.wins, found.losses, 2.0 * min(sure, 1.0 - sure))


def _sureness(other: Candidate, winner: Candidate, votes: Sequence[Vote], sure: float) -> Sureness:
    ours, theirs = _place(winner), _place(other)
    between = [vote for vote in votes if {vote.first, vote.second} == {ours, theirs}]
    shares = [vote.share if vote.first == ours else 1.0 - vote.share for vote in between]
    return Sureness(other.label, sure, sum(one > 0.5 for one in shares), sum(one < 0.5 for one in shares))
