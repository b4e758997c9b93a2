"""Quality and diversity by task, against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.search.population.cells import Cells, elite_chances
from evomerge_core.search.population.rules import Member

# Two tasks of four items each.
CELLS = Cells(np.array([0, 0, 0, 0, 1, 1, 1, 1]), size=4)


def _member(number: int, first: int, second: int, coefficients: list[float] | None = None) -> Member:
    """One that solves so many items of each task."""
    scores = [float(item < first) for item in range(4)] + [float(item < second) for item in range(4)]
    return Member(number, np.array([coefficients or [1.0, 0.0]]), np.array(scores))


def test_a_cell_keeps_the_best_of_the_task_in_turn() -> None:
    members = [_member(1, 1, 2), _member(2, 3, 2), _member(3, 2, 0), _member(4, 3, 2), _member(5, 0, 4), _member(6, 1, 3)]
    # by the second task's score: 2 of 4 is cell 2, none is cell 0, 3 and 4 of 4 are cell 3
    assert {cell: one.id for cell, one in CELLS.archive(members, 0).items()} == {(2,): 2, (0,): 3, (3,): 6}
    assert {cell: one.id for cell, one in CELLS.archive(members, 1).items()} == {(1,): 6, (3,): 2, (2,): 3, (0,): 5}


def test_those_stay_that_are_the_best_somewhere() -> None:
    members = [_member(1, 1, 2), _member(2, 3, 2), _member(3, 2, 0), _member(4, 3, 2), _member(5, 0, 4), _member(6, 1, 3)]
    assert [one.id for one in CELLS.survivors(members)] == [2, 3, 5, 6]


def test_chances_are_products_of_scaled_scores() -> None:
    """The lowest is scaled to 0.5, the highest to 1.3, the middle to 0.9; all alike to 1.3."""
    np.testing.assert_allclose(elite_chances(np.array([[0.0, 0.4], [1.0, 0.4], [0.5, 0.4]])), [0.65, 1.69, 1.17])


def test_a_child_lies_near_the_middle_of_its_parents() -> None:
    members = [_member(1, 4, 0, [1.0, 0.0]), _member(2, 0, 4, [0.0, 1.0])]
    for seed in range(20):
        child = CELLS.breed(members, seed, np.random.default_rng(seed))
        assert sorted(child.parents) == [1, 2]
        assert np.abs(child.coefficients - 0.5).max() < 0.15


def test_a_source_that_no_parent_has_stays_away() -> None:
    members = [_member(1, 4, 0, [1.0, 0.0, 0.0]), _member(2, 0, 4, [0.0, 1.0, 0.0])]
    made = [CELLS.breed(members, 0, np.random.default_rng(seed)).coefficients for seed in range(10)]
    assert all(child[0, 2] == 0.0 for child in made)


def test_one_member_alone_has_children_by_itself() -> None:
    child = CELLS.breed([_member(7, 1, 1)], 3, np.random.default_rng(0))
    assert child.parents == (7, 7)
    assert child.coefficients[0, 0] == pytest.approx(1.0, abs=0.11)
