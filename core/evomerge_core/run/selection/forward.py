"""Greedy forward selection: the best pair by a race, then one member more as long as it plainly adds something.

A member that does nothing alone may be half of what a task needs, so pairs are tried first; which ones, the members' own
answers say (`pool/promise.py`). Source of the wrapper idea: Kohavi and John 1997.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from evomerge_core.pool.likeness import Likeness
from evomerge_core.pool.promise import ScoredAlone
from evomerge_core.run.selection.trial import Members, Trial
from evomerge_core.run.store.records import ItemScore

# Sets that a race takes, the most promising ones: of pairs, and of a set with one member more.
_PAIRS = 8
_LARGER = 4
# The chance that a member which adds nothing is taken, among all that are tried with a set.
_ERROR = 0.1


@dataclass(frozen=True)
class Chosen:
    """The set that was chosen, and the sets of each race in the order in which races were held."""

    members: Members
    races: tuple[tuple[Members, ...], ...]


@dataclass(frozen=True)
class Candidates:
    """The members that may be chosen, and what is known of them: `alone` has a row for each of `kept`; `likeness` is of all."""

    kept: tuple[int, ...]
    alone: ScoredAlone
    likeness: Likeness
    takes: Callable[[int], bool]

    def promise(self, members: Members) -> float:
        """What a set promises by what its members answer alone."""
        return self.alone.promise([self.kept.index(member) for member in members])

    def sets(self, start: Members, size: int) -> list[Members]:
        """Sets of that many members, with those of `start`, the most promising first; none whose members undo each other."""
        if not self.takes(size):
            return []
        others = [member for member in self.kept if member not in start]
        found = [(*start, *more) for more in combinations(others, size - len(start))]
        able = [one for one in found if not any(self.likeness.opposite(*pair) for pair in combinations(one, 2))]
        return self.ranked(able)

    def ranked(self, sets: Sequence[Members]) -> list[Members]:
        """The most promising first."""
        return sorted(sets, key=lambda one: (-self.promise(one), one))


def choose_forward(trial: Trial, candidates: Candidates) -> Chosen:
    """The members whose merge with equal weights does best on the items that all sets are asked; where no two can be merged,
    the one that promises most alone."""
    pairs = candidates.sets((), 2)[:_PAIRS]
    if not pairs:
        return Chosen(candidates.ranked([(member,) for member in candidates.kept])[0], ())
    races = [tuple(pairs)]
    best = trial.best(pairs)
    if best is None:
        return Chosen(pairs[0], tuple(races))
    while larger := candidates.sets(best, len(best) + 1)[:_LARGER]:
        races.append((best, *larger))
        found = trial.best(races[-1])
        if found is None:
            return Chosen(best, tuple(races))
        if found == best or not _is_better(trial, found, best, _ERROR / len(larger)):
            break
        best = found
    return Chosen(best, tuple(races))


def _is_better(trial: Trial, one: Members, other: Members, error: float) -> bool:
    """Whether a set answers plainly better than one that it grew from: sign test on the items that both were asked.

    Where the other is never right there is nothing to compare with: then being right at all counts.
    """
    wins, losses, _ = compare_answers(trial.answers(one), trial.answers(other))
    if not any(item.value for item in trial.answers(other)):
        return wins > 0
    from scipy.stats import binom

    return bool(binom.sf(wins - 1, wins + losses, 0.5) <= error) if wins > losses else False


def compare_answers(one: Sequence[ItemScore], other: Sequence[ItemScore]) -> tuple[int, int, int]:
    """On how many items one did better than the other, on how many worse, and how many both answered."""
    known: Mapping[tuple[str, str], float] = {(item.task, item.item): item.value for item in other}
    pairs = [(item.value, known[item.task, item.item]) for item in one if (item.task, item.item) in known]
    return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs), len(pairs)
