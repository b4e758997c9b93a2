"""A poll: candidates whose answers are compared, two at a time, until it has its votes; and which comparison comes next.

What is asked next is worked out from the votes so far, so that whoever votes, on a screen, in a script or as a judge, sees the
same, and a resumed run goes on where it was.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Vote
from evomerge_core.run.store.store import Store
from evomerge_core.run.taste.strengths import DIGITS, strengths_among
from evomerge_core.search.taste.bradley_terry import Strengths
from evomerge_core.search.taste.telling_pair import Pair, telling_pairs
from evomerge_core.tasks.taste import TASTE

# Of all votes, those at the end of the final that compare the best with what it has to beat: what the verdict says is then
# known by votes between the two, and not only through others.
_AGAINST_RIVALS = 0.125


@dataclass(frozen=True)
class Poll:
    """`candidates` by id, of whom at least one of each pair is `new`, until the run has had so many votes. `name` is that of
    the generation, or `final`. The last votes are between the best and the `rivals`, if there are any."""

    name: str
    candidates: tuple[int, ...]
    new: tuple[int, ...]
    until: int
    rivals: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ballot:
    """Two answers to a prompt, in the order in which they are shown: whose they are (ids), the prompt's item, and the texts."""

    poll: str
    item: str
    first: int
    second: int
    answers: tuple[str, str]


def open_poll(store: Store) -> Poll | None:
    """The poll that waits for votes; None where none does."""
    kept = read_facts(store).poll
    if kept is None:
        return None
    return Poll(kept["name"], tuple(kept["candidates"]), tuple(kept["new"]), kept["until"], tuple(kept.get("rivals", ())))


def next_ballot(store: Store, poll: Poll, precision: str) -> Ballot | None:
    """What to compare next: of the pairs whose vote tells most the first that has a prompt left, one that the two answered
    differently and were not compared on. None where there is none, and when the poll has its votes."""
    votes = store.votes()
    if len(votes) >= poll.until:
        return None
    answers = {one: answers_of(store, one, precision) for one in poll.candidates}
    places = range(len(poll.candidates))
    pairs = [pair for pair in combinations(places, 2) if any(poll.candidates[place] in poll.new for place in pair)]
    known = strengths_among(store, poll.candidates)
    for pair in (*_against_rivals(poll, known, len(votes)), *telling_pairs(known, pairs, seed=len(votes))):
        one, other = sorted(poll.candidates[place] for place in pair)
        item = _least_asked(votes, one, other, answers[one], answers[other])
        if item is not None:
            return _ballot(poll.name, item, one, other, answers)
    return None


def _against_rivals(poll: Poll, known: Strengths, cast: int) -> list[Pair]:
    """Of the last votes the pairs of the best with each of its rivals, the least sure first; none before."""
    rivals = [place for place, one in enumerate(poll.candidates) if one in poll.rivals]
    others = [place for place in range(len(poll.candidates)) if place not in rivals]
    if not others or poll.until - cast > _AGAINST_RIVALS * poll.until:
        return []
    best = max(others, key=lambda place: (round(float(known.mean[place]), DIGITS), -place))
    return sorted(((best, place) for place in rivals), key=lambda pair: (round(known.above(*pair), DIGITS), pair))


def answers_of(store: Store, candidate: int, precision: str) -> dict[str, str]:
    """What a candidate (or its twin) answered to each prompt, by item."""
    return {one.item: one.answer for one in store.item_scores(candidate, "search", precision) if one.task == TASTE}


def _least_asked(votes: Sequence[Vote], one: int, other: int, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    compared = {vote.item for vote in votes if {vote.first, vote.second} == {one, other}}
    times = Counter(vote.item for vote in votes)
    return min(
        _apart(compared, ours, theirs), key=lambda item: (times[item], zlib.crc32(f"{item}{one}".encode())), default=None
    )


def _apart(compared: set[str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    for item, answer in ours.items():
        if item in theirs and item not in compared and answer.strip() != theirs[item].strip():
            yield item


def _ballot(poll: str, item: str, one: int, other: int, answers: Mapping[int, Mapping[str, str]]) -> Ballot:
    """Who is shown first is as good as drawn, and the same for everybody."""
    first, second = (one, other) if zlib.crc32(f"{item}|{one}|{other}".encode()) % 2 else (other, one)
    return Ballot(poll, item, first, second, (answers[first][item], answers[second][item]))


def vote_on(ballot: Ballot, choice: str, *, voter: str, again: str | None = None) -> Vote:
    """A vote with the present time: `choice` is first, second or tie; `again` is that of a judge who saw the second answer
    first."""
    return Vote(ballot.poll, ballot.item, ballot.first, ballot.second, choice, again, voter, time.time())
