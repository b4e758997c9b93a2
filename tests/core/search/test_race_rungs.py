"""Which items a race is run on."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evomerge_core.search.racing.rungs import draw, last_rung, rung_sizes

ITEMS = [f"item-{number}" for number in range(30)]


def test_generations_use_every_item_before_any_comes_again() -> None:
    asked = Counter(name for generation in range(5) for name in draw(ITEMS, 6, key="7", generation=generation))
    assert set(asked) == set(ITEMS)
    assert set(asked.values()) == {1}


def test_the_same_generation_draws_the_same_items_whatever_their_order() -> None:
    first = draw(ITEMS, 6, key="7", generation=3)
    assert first == draw(list(reversed(ITEMS)), 6, key="7", generation=3)
    assert first != draw(ITEMS, 6, key="7", generation=8)
    assert first != draw(ITEMS, 6, key="8", generation=3)


@given(st.integers(1, 300), st.integers(0, 40))
def test_no_item_is_asked_twice_in_a_generation(count: int, generation: int) -> None:
    names = [str(number) for number in range(300)]
    drawn = draw(names, count, key="k", generation=generation)
    assert len(drawn) == len(set(drawn)) == count


@pytest.mark.parametrize(
    ("last", "first", "load", "sizes"),
    [
        (16, None, 0.0, (8, 16)),
        # three more items say too little to load everybody again
        (11, None, 0.0, (11,)),
        (8, 4, 0.0, (4, 8)),
        (7, 4, 0.0, (7,)),
        (44, None, 0.0, (8, 16, 32, 44)),
        (3, None, 0.0, (3,)),
        (12, 3, 50.0, (3, 6, 12)),
        # a merge takes as long as ten answers
        (32, None, 10.0, (10, 20, 32)),
        (24, None, 10.0, (10, 24)),
        (21, None, 100.0, (21,)),
    ],
)
def test_rungs_double_and_none_asks_less_than_its_merge_costs(
    last: int, first: int | None, load: float, sizes: tuple[int, ...]
) -> None:
    assert rung_sizes(last, first=first, load_items=load) == sizes


def test_the_last_rung_stays_below_a_quarter_of_many_items() -> None:
    assert all(last_rung(items) <= items / 4 for items in range(16, 400))
    assert last_rung(3) == 3
