"""What all votes of a run say of some candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evomerge_core.run.store.store import Store
from evomerge_core.search.taste.bradley_terry import Preference, Strengths, strengths

# Libraries add up in other orders on other processors; to so many digits what they find is the same.
DIGITS = 9


def strengths_among(store: Store, candidates: Sequence[int], *, other_prompts: bool = False) -> Strengths:
    """The posterior of these candidates' strengths, in their order; votes between others count too, since they are compared
    through them. `other_prompts` is `bradley_terry.strengths`'."""
    votes = store.votes()
    everybody = sorted({*candidates, *(one for vote in votes for one in (vote.first, vote.second))})
    place = {one: index for index, one in enumerate(everybody)}
    prompt = {item: number for number, item in enumerate(dict.fromkeys(vote.item for vote in votes))}
    given = [Preference(place[vote.first], place[vote.second], vote.share, prompt[vote.item]) for vote in votes]
    known = strengths(_genomes(store, everybody), given, other_prompts=other_prompts)
    some = [place[one] for one in candidates]
    return Strengths(known.mean[some], known.covariance[np.ix_(some, some)])


def values_among(store: Store, candidates: Sequence[int]) -> dict[int, float]:
    """What each is worth by the votes, 0..1 by id: the chance that it is preferred to an average one."""
    values = np.round(strengths_among(store, candidates).values(), DIGITS)
    return dict(zip(candidates, values.tolist(), strict=True))


def _genomes(store: Store, candidates: Sequence[int]) -> NDArray[np.float64]:
    """Their genomes, [candidates, numbers]; NaN for references, and for merges whose numbers mean other things than most's."""
    wanted = set(candidates)
    known = {one.id: one for one in store.candidates() if one.id in wanted}
    spaces = Counter((one.stage, len(one.genome)) for one in known.values() if one.genome)
    (stage, numbers), _ = spaces.most_common(1)[0] if spaces else ((None, 1), 0)
    places = np.full((len(candidates), numbers), np.nan)
    for row, one in zip(places, (known[name] for name in candidates), strict=True):
        if one.genome and (one.stage, len(one.genome)) == (stage, numbers):
            row[:] = one.genome
    return places
