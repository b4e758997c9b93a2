"""The cost model against times that were made from known costs."""

from __future__ import annotations

import numpy as np
import pytest

from evomerge_core.run.store.records import Pass
from evomerge_core.run.timing.cost import Costs, TimeEstimate, Work, estimate, estimate_all, learn, load_items, work

TRUE = Costs(load=0.5, batch=0.3, item=0.1, tokens=12.0)


def made(items: int, rows: int = 16, noise: float = 1.0) -> Pass:
    """A pass that takes just what `TRUE` says."""
    seconds = noise * (TRUE.batch * -(-items // rows) + TRUE.item * items)
    return Pass("search", "nf4", items, 12 * items, TRUE.load, TRUE.load + seconds)


def test_passes_of_two_sizes_tell_batches_from_items() -> None:
    found = learn([made(items) for items in (4, 8, 32, 32, 4, 8)], batch_size=16)
    assert found is not None
    assert (found.load, found.batch, found.item, found.tokens) == pytest.approx((0.5, 0.3, 0.1, 12.0))


def test_a_long_test_is_estimated_from_short_noisy_passes() -> None:
    draws = np.random.default_rng(0)
    found = learn([made(int(items), noise=draws.lognormal(0, 0.1)) for items in draws.choice([7, 32], 40)], batch_size=16)
    assert found is not None
    true = made(200)
    assert estimate(found, work(1, 200, 16)).seconds == pytest.approx(true.seconds, rel=0.1)


def test_passes_of_one_size_are_all_items() -> None:
    found = learn([made(32)] * 5, batch_size=64)
    assert found is not None
    assert found.batch == 0.0
    assert estimate(found, work(3, 32, 64)).seconds == pytest.approx(3 * made(32).seconds)


def test_nothing_is_learnt_from_failures() -> None:
    failed = Pass("search", "nf4", 0, 0, 1.0, 1.0, failure="NaN")
    assert learn([failed], batch_size=None) is None
    assert learn([failed, made(8)], batch_size=None) == learn([made(8)], batch_size=None)


def test_precisions_add_up_and_an_unknown_one_is_as_fast_as_the_first() -> None:
    ahead = {"nf4": Work(2, 2, 10), "bf16": Work(2, 2, 10)}
    one = estimate(TRUE, Work(2, 2, 10))
    both = estimate_all({"nf4": TRUE}, ahead)
    assert both == TimeEstimate(2 * one.seconds, 2 * one.tokens)
    assert one.seconds == pytest.approx(2 * 0.5 + 2 * 0.3 + 10 * 0.1)


def test_longer_answers_make_a_merge_worth_fewer_of_them() -> None:
    short = load_items(device="cpu", sources=2, read=60, written=10)
    long = load_items(device="cpu", sources=2, read=60, written=200)
    assert long < 1 < short
