"""What all votes of a run say of some candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evomerge_core.run.store.records import Vote
from evomerge_core.search.taste.bradley_terry import Preference, Strengths, strengths

# Libraries add up in other orders on other processors; to so many digits what they find is the same.
_DIGITS = 9


def strengths_among(candidates: Sequence[int], votes: Sequence[Vote]) -> Strengths:
    """The posterior of these candidates' strengths, in their order; votes between others count too, since they are compared
    through them."""
    everybody = sorted({*candidates, *(one for vote in votes for one in (vote.first, vote.second))})
    place = {one: index for index, one in enumerate(everybody)}
    given = [Preference(place[vote.first], place[vote.second], vote.share) for vote in votes]
    known = strengths(len(everybody), given)
    some = [place[one] for one in candidates]
    return Strengths(known.mean[some], known.covariance[np.ix_(some, some)])


def values_among(candidates: Sequence[int], votes: Sequence[Vote]) -> dict[int, float]:
    """What each is worth by the votes, 0..1 by id: the chance that it is preferred to an average one."""
    values = np.round(strengths_among(candidates, votes).values(), _DIGITS)
    return dict(zip(candidates, values.tolist(), strict=True))
