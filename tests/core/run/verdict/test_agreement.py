"""How well a precision ranks merges: by the formula in loops, by cases whose answer is known, and by sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evomerge_core.run.agreement import (
    FEWEST_ITEMS,
    LEAST,
    MOST_ITEMS,
    Agreement,
    agreement,
    answers_in_all,
    compared_items,
    items_to_compare,
)
from support.run_plans import make_plan, make_stage

ABLE = np.array([0.02, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.85, 0.95])


def answers(able: Any, seed: int, items: int = 24) -> Any:
    """0 or 1 by chance, each merge as often right as it is able."""
    return (np.random.default_rng(seed).random((len(able), items)) < np.asarray(able)[:, None]).astype(float)


def by_loops(few: Any, shipped: Any) -> float:
    """The docstring's formula, product by product."""
    merges, items = few.shape
    ours = [[few[m, i] - np.mean(few[:, i]) for i in range(items)] for m in range(merges)]
    theirs = [[shipped[m, i] - np.mean(shipped[:, i]) for i in range(items)] for m in range(merges)]

    def covariance(first: Any, second: Any) -> float:
        pairs = [(i, j) for i in range(items) for j in range(items) if i != j]
        return float(sum(first[m][i] * second[m][j] for m in range(merges) for i, j in pairs) / (items * (items - 1)))

    spread = np.std(np.mean(theirs, axis=1)) / np.std(np.mean(ours, axis=1))
    return float(covariance(ours, theirs) / covariance(theirs, theirs) * spread)


@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_the_formula(seed: int) -> None:
    few, shipped = answers(0.6 * ABLE, seed), answers(ABLE, 100 + seed)
    found = agreement("nf4", few, shipped)
    assert found.value == pytest.approx(min(1.0, by_loops(few, shipped)), rel=1e-9)
    assert (found.merges, found.items) == (9, 24)


def test_fractions_count_as_they_are() -> None:
    random = np.random.default_rng(5)
    shipped = np.clip(ABLE[:, None] + 0.2 * random.standard_normal((9, 24)), 0, 1)
    few = np.clip(shipped + 0.3 * random.standard_normal((9, 24)), 0, 1)
    assert agreement("int8", few, shipped).value == pytest.approx(by_loops(few, shipped), rel=1e-9)


def test_the_same_answers_agree_wholly() -> None:
    shipped = answers(ABLE, 1)
    found = agreement("int8", shipped, shipped)
    assert found.value == pytest.approx(1.0)
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(1.0))
    assert not found.chases_noise


@pytest.mark.parametrize("seed", range(8))
def test_a_precision_with_the_same_abilities_is_never_sent_away(seed: int) -> None:
    found = agreement("nf4", answers(0.8 * ABLE, seed), answers(ABLE, 50 + seed))
    assert found.value is not None
    assert found.value > 0.6
    assert not found.chases_noise


@pytest.mark.parametrize("seed", range(8))
def test_abilities_upside_down_are_noise(seed: int) -> None:
    found = agreement("nf4", answers(ABLE[::-1], seed), answers(ABLE, 50 + seed))
    assert found.value is not None
    assert found.value < 0
    assert found.chases_noise


def test_a_precision_that_gets_nothing_right_says_nothing() -> None:
    found = agreement("nf4", np.zeros((9, 24)), answers(ABLE, 2))
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.chases_noise


@pytest.mark.parametrize("seed", range(8))
def test_shared_luck_is_no_agreement(seed: int) -> None:
    """Merges that are equally good, and precisions that answer alike: the items alone would show a perfect correlation."""
    luck = answers(np.full(9, 0.4), seed)
    found = agreement("nf4", luck, luck)
    assert found.value is None
    assert not found.chases_noise
    assert "too much alike" in found.sentence


@pytest.mark.parametrize("shape", [(1, 24), (9, 7), (9, 1), (0, 0)])
def test_too_few_are_told(shape: tuple[int, int]) -> None:
    found = agreement("nf4", np.zeros(shape), np.zeros(shape))
    assert found.value is None
    assert "too few" in found.sentence


@pytest.mark.parametrize("items", [8, 12])
@pytest.mark.parametrize("seed", range(20))
def test_what_few_items_say_is_a_number_or_nothing(items: int, seed: int) -> None:
    found = agreement("nf4", answers(ABLE, seed, items), answers(ABLE, 100 + seed, items))
    assert found.value is None or -1 <= (found.low or 0.0) <= found.value <= (found.high or 0.0) <= 1


def test_the_order_of_merges_and_items_does_not_matter() -> None:
    few, shipped = answers(0.6 * ABLE, 3), answers(ABLE, 4)
    rows, columns = np.random.default_rng(1).permutation(9), np.random.default_rng(2).permutation(24)
    turned = agreement("nf4", few[rows][:, columns], shipped[rows][:, columns])
    assert turned.value == pytest.approx(agreement("nf4", few, shipped).value or 0.0)


def test_sentences_say_what_was_found() -> None:
    sure = Agreement("nf4", 9, 24, 0.12, -0.2, LEAST - 0.1)
    assert sure.sentence.startswith("nf4 agrees with bf16 on 0.12 of the ranking over 9 merges")
    assert sure.sentence.endswith("a search in it would chase noise")
    unsure = Agreement("nf4", 9, 24, 0.43, -0.2, LEAST + 0.1)
    assert "noise" not in unsure.sentence
    unknown = Agreement("int8", problem="bf16 needs 29.0 GB of RAM, 7.6 GB are free")
    assert unknown.sentence.endswith("was not measured: bf16 needs 29.0 GB of RAM, 7.6 GB are free")
    assert not unknown.chases_noise


def test_comparing_takes_a_small_share_of_the_answers_where_that_is_enough() -> None:
    usual = {"search": 480, "validation": 48, "test": 200, "references": 5, "finalists": 8, "precisions": 1}
    answers_of_run = answers_in_all(evaluations=20, **usual)
    items = items_to_compare(answers=answers_of_run, items=480)
    assert FEWEST_ITEMS < items < MOST_ITEMS
    assert items * (9 + 6) <= 0.15 * answers_of_run  # nine merges in bf16, six of them in few bits
    assert items_to_compare(answers=100.0, items=480) == FEWEST_ITEMS
    assert items_to_compare(answers=100.0, items=6) == 6
    assert items_to_compare(answers=1e6, items=480) == MOST_ITEMS
    assert answers_in_all(evaluations=None, **usual) > 0


def test_a_plan_that_compares_nothing_asks_nothing() -> None:
    stages = (make_stage(budget={"evaluations": 40}), make_stage(1, budget={"minutes": 3}))
    assert compared_items(make_plan(search=48, stages=stages), 5) == 0
