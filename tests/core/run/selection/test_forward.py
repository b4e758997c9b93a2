"""Which set is chosen where there is no choice of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from evomerge_core.pool.likeness import compare
from evomerge_core.pool.promise import ScoredAlone
from evomerge_core.run.selection.forward import Candidates, choose_forward

NO_TRIAL: Any = None


def test_where_no_two_can_be_merged_the_best_alone_is_chosen() -> None:
    """As with SLERP, which takes one model beside the base."""
    right = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    alone = ScoredAlone(right, np.ones((3, 2)), np.full((3, 2), 2.0), np.full(2, 0.5))
    chosen = choose_forward(NO_TRIAL, Candidates((2, 4, 7), alone, compare(np.eye(8)), lambda size: size < 2))
    assert chosen.members == (4,)
    assert chosen.races == ()
