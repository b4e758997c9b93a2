"""Which members of a pool are the same again, nearly the same, or each other's opposite, by their task vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evomerge_core.pool.geometry import Gram, cosines

NEAR = 0.95  # the cosine from which two task vectors are taken to be one change, more or less of it
_SAME = 1e-4  # of a norm or a cosine: what writing the same weights in another dtype changes


@dataclass(frozen=True)
class Likeness:
    """By member's index: `copies` are those that an earlier one equals, with that one; `like` is the first member that each is
    nearly the same as (itself, where there is none before it); `unchanged` are those that are the base itself. `cosine` is
    float64 [members, members]."""

    copies: dict[int, int]
    like: tuple[int, ...]
    unchanged: frozenset[int]
    cosine: Gram

    def opposite(self, one: int, other: int) -> bool:
        """Whether two members undo each other."""
        return bool(self.cosine[one, other] < -NEAR)


def compare(gram: Gram) -> Likeness:
    """The likeness of members with these dot products of task vectors."""
    cosine, norms = cosines(gram), np.sqrt(np.diag(gram))
    unchanged = frozenset(int(index) for index in np.flatnonzero(norms == 0))
    copies: dict[int, int] = {}
    like: list[int] = []
    for index in range(len(gram)):
        earlier = [one for one in range(index) if one not in unchanged and one not in copies]
        near = [] if index in unchanged else [one for one in earlier if cosine[index, one] > NEAR]
        like.append(like[near[0]] if near else index)
        for one in near:
            if cosine[index, one] > 1 - _SAME and abs(norms[index] / norms[one] - 1) < 10 * _SAME:
                copies.setdefault(index, one)
    return Likeness(copies, tuple(like), unchanged, cosine)
