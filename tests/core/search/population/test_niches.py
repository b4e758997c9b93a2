"""Natural niches, against the published formulas written out with loops, and against what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.search.population.niches import Niches, attraction_to, shared
from evomerge_core.search.population.population import Population, ask, found, tell
from evomerge_core.search.population.rules import Member

GRAM = np.array([np.eye(3), 2.0 * np.eye(3), np.eye(3) + 0.5])


def _member(number: int, scores: list[float], coefficients: np.ndarray | None = None) -> Member:
    return Member(number, np.eye(3) if coefficients is None else coefficients, np.array(scores))


def _niches(items: int, **changes: object) -> Niches:
    return Niches(**{"gram": GRAM, "worth": np.ones(items), "size": 4, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("competition", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("whole", [True, False])
def test_food_is_the_papers(competition: float, whole: bool) -> None:
    draw = np.random.default_rng(3)
    scores, worth = draw.random((5, 7)), draw.random(7)
    if whole:
        scores = np.round(scores)
    scores[:, 2] = 0.0
    found_food = shared(scores, worth, competition)
    for i in range(5):
        for j in range(7):
            eaters = sum(scores[k, j] for k in range(5))
            capacity = max(scores[k, j] for k in range(5))
            expected = worth[j] * capacity * scores[i, j] / eaters**competition if eaters else 0.0
            assert found_food[i, j] == pytest.approx(expected, rel=1e-12)


def test_attraction_is_what_the_first_lacks() -> None:
    food = shared(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), np.ones(3), 1.0)
    np.testing.assert_allclose(attraction_to(food, 0), [0.0, 1.0, 0.0])
    np.testing.assert_allclose(attraction_to(food, 2), [1.0, 1.0, 0.0])


def test_who_alone_solves_something_outlives_who_solves_more_of_what_all_solve() -> None:
    crowd = [_member(number, [1, 1, 1, 0]) for number in range(4)]
    hermit = _member(9, [0, 0, 0, 1])
    assert 9 in [one.id for one in _niches(4).survivors([*crowd, hermit])]
    # nothing is shared in a genetic algorithm: there the hermit is simply the worst
    assert 9 not in [one.id for one in _niches(4, competition=0.0).survivors([*crowd, hermit])]


def test_mates_have_what_the_other_lacks() -> None:
    members = [_member(1, [1, 1, 0]), _member(2, [1, 1, 0]), _member(3, [0, 0, 1])]
    pairs = {_niches(3).breed(members, 0, np.random.default_rng(seed)).parents for seed in range(60)}
    assert pairs == {(1, 3), (2, 3), (3, 1), (3, 2)}


def test_parents_are_drawn_by_shared_fitness() -> None:
    """Item 0 is worth 1/2 to each of two, item 1 is worth 1 to the second: chances 1/4 and 3/4."""
    members = [_member(1, [1, 0]), _member(2, [1, 1])]
    draws = [_niches(2).breed(members, 0, np.random.default_rng(seed)).parents[0] for seed in range(2000)]
    assert np.mean(np.array(draws) == 1) == pytest.approx(0.25, abs=0.04)


def test_members_that_solve_nothing_breed_too() -> None:
    members = [_member(1, [0, 0]), _member(2, [0, 0])]
    assert len(_niches(2).breed(members, 0, np.random.default_rng(0)).parents) == 2


def test_children_keep_within_the_bounds_and_lose_traces() -> None:
    members = [_member(1, [1, 0], np.full((3, 3), 2.0)), _member(2, [0, 1], np.array([[2.0, 2.0, 0.001]] * 3))]
    for seed in range(20):
        child = _niches(2, low=0.0, high=1.5).breed(members, 0, np.random.default_rng(seed)).coefficients
        assert child.max() <= 1.5
        assert not ((child > 0) & (child < 0.015)).any()


def _score(coefficients: np.ndarray) -> np.ndarray:
    """Twelve items: each is solved where one source has its share in one group."""
    return (np.tile(coefficients, 2)[:, :4].ravel() > np.linspace(0.1, 0.9, 12)).astype(float)


def _carry_out(population: Population, generations: int) -> Population:
    niches, number = _niches(12), 1000 * (population.generation + 1)
    for _ in range(generations):
        children = list(enumerate(ask(population, niches, 3), number))
        number = 1000 * (population.generation + 2)
        population = tell(population, niches, children, [_score(child.coefficients) for _, child in children])
    return population


def test_a_stored_population_goes_on_as_an_uninterrupted_one() -> None:
    founders = [Member(number, np.tile(row, (3, 1)), _score(np.tile(row, (3, 1)))) for number, row in enumerate(np.eye(3))]
    whole = _carry_out(found(5, founders, _niches(12)), 30)
    broken_off = _carry_out(found(5, founders, _niches(12)), 11)
    stored = [(one.id, one.coefficients.tolist(), one.scores.tolist()) for one in broken_off.members]
    again = Population(5, 11, tuple(Member(number, np.array(own), np.array(scores)) for number, own, scores in stored))
    went_on = _carry_out(again, 19)
    assert [one.id for one in went_on.members] == [one.id for one in whole.members]
    for one, other in zip(went_on.members, whole.members, strict=True):
        assert np.array_equal(one.coefficients, other.coefficients)
    assert len(whole.members) == 4


def test_another_seed_breeds_others() -> None:
    founders = [_member(1, [1, 0]), _member(2, [0, 1], 0.5 * np.ones((3, 3)))]
    made = [ask(found(seed, founders, _niches(2)), _niches(2), 1)[0].coefficients.tolist() for seed in (1, 2)]
    assert made[0] != made[1]


def test_failed_children_never_stay() -> None:
    population = found(0, [_member(1, [1, 0]), _member(2, [0, 1])], _niches(2))
    children = list(enumerate(ask(population, _niches(2), 2), 10))
    after = tell(population, _niches(2), children, [None, np.ones(2)])
    assert [one.id for one in after.members] == [1, 2, 11]
