"""Both encodings of paths: exact both ways, beginning with A's own path, within their bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evomerge_core.errors import InputError
from evomerge_core.paths.indicator import IndicatorSpace
from evomerge_core.paths.make_space import make_path_space
from evomerge_core.paths.path import Hop, Path, Pool
from evomerge_core.paths.slots import SlotSpace
from evomerge_core.paths.space import PathSpace
from evomerge_core.paths.spec import Paths
from support.paths import own_path

POOL = Pool(("first", "second"), 5)
PAPER = Pool(("A", "B"), 32)


def space_of(pool: Pool = POOL, most_layers: int | None = None, **given: Any) -> PathSpace:
    return make_path_space(Paths.model_validate(given), pool, most_layers)


SPACES = {
    "slots": space_of(),
    "slots without scales": space_of(scales="none", slots=3),
    "slots that reach far": space_of(Pool(("a", "b", "c"), 7), slots=9, reach=3),
    "slots of two layers": space_of(Pool(("a", "b"), 2), slots=4),
    "slots, bounded": space_of(most_layers=7),
    "indicator without scales": space_of(encoding="indicator", scales="none"),
    "indicator by hop": space_of(encoding="indicator", scales="hop", repeats=2),
    "the paper's": space_of(preset="paper"),
    "the paper's, bounded": space_of(Pool(("a", "b", "c"), 4), most_layers=6, preset="paper"),
}


@st.composite
def vectors(draw: st.DrawFn) -> tuple[PathSpace, np.ndarray]:
    space = SPACES[draw(st.sampled_from(sorted(SPACES)))]
    draws = np.random.default_rng(draw(st.integers(0, 2**32)))
    near = draw(st.booleans())
    wild = draws.uniform(space.low, space.high)
    vector = np.clip(space.start + 0.3 * (wild - space.start), space.low, space.high) if near else wild
    whole = list(space.integers)
    vector[whole] = np.round(vector[whole])
    return space, vector


@given(vectors())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_vector_is_a_path_that_has_a_vector_of_the_same_path(drawn: tuple[PathSpace, np.ndarray]) -> None:
    space, vector = drawn
    path = space.to_path(vector)
    assert path.hops[0] == Hop(0, 0)
    assert (path.hops[-1].source, path.hops[-1].layer) == (0, space.pool.layers - 1)
    assert 2 <= len(path.hops) <= space.most_layers
    again = space.to_vector(path)
    assert space.to_path(again) == path
    assert ((again >= space.low) & (again <= space.high)).all()
    assert all(float(again[index]).is_integer() for index in space.integers)


@pytest.mark.parametrize("name", SPACES)
def test_the_search_starts_with_the_first_models_own_path(name: str) -> None:
    space = SPACES[name]
    assert space.to_path(space.start) == own_path(space.pool)
    assert ((space.start >= space.low) & (space.start <= space.high)).all()


def test_the_papers_dimensions() -> None:
    """arXiv 2403.13187: M = 64 layers, r = 3: T = 192 indicators and 4,096 scales."""
    space = space_of(PAPER, preset="paper")
    assert isinstance(space, IndicatorSpace)
    assert (space.slots, space.dimension, space.integers) == (192, 192 + 4096, ())
    assert space.most_layers == 194


def test_a_slot_is_used_when_its_indicator_is_above_zero() -> None:
    space = space_of(encoding="indicator", scales="none", repeats=2)
    vector = np.full(20, -0.5)
    assert space.to_path(vector).hops == (Hop(0, 0), Hop(0, 4))
    vector[[2, 6, 11]] = 0.1
    assert space.to_path(vector).hops == (Hop(0, 0), Hop(0, 2), Hop(1, 1), Hop(0, 1), Hop(0, 4))


def test_the_matrix_scales_what_goes_from_one_layer_to_another() -> None:
    space = space_of(encoding="indicator", scales="matrix", repeats=2)
    vector = np.concatenate([np.full(20, -0.5), np.ones(100)])
    vector[[2, 6]] = 0.1
    matrix = vector[20:].reshape(10, 10)
    matrix[0, 2], matrix[2, 6], matrix[6, 4] = 0.5, 0.75, 1.25
    scales = [hop.scale for hop in space.to_path(vector).hops]
    assert scales == [1.0, 0.5, 0.75, 1.25]


def test_a_bounded_indicator_keeps_the_strongest() -> None:
    space = space_of(most_layers=5, encoding="indicator", scales="none", repeats=1)
    vector = np.array([-1, 0.2, 0.9, 0.1, -1, -1, 0.3, 0.8, -1, -1.0])
    assert space.to_path(vector).hops == (Hop(0, 0), Hop(0, 2), Hop(1, 1), Hop(1, 2), Hop(0, 4))


def test_a_slot_chooses_among_the_layers_near_its_depth_or_none() -> None:
    space = space_of(slots=3, scales="none")
    assert isinstance(space, SlotSpace)
    # the middle slot is at depth 2; the second model's layers come after the first's five
    assert space.choices[1] == (6, 1, None, 2, 7, 3, 8)
    assert space.integers == (0, 1, 2)
    assert space.to_path(np.array([2.0, 4.0, 6.0])).hops == (Hop(0, 0), Hop(1, 2), Hop(1, 4), Hop(0, 4))


def test_a_first_candidate_changes_a_few_layers() -> None:
    """Two on average: of a model's 30 layers, a dozen at once leave nothing to rank."""
    pool = Pool(("A", "B"), 30)
    draws = np.random.default_rng(1)
    for given_ in ({"scales": "none"}, {"encoding": "indicator", "scales": "none"}):
        space = space_of(pool, **given_)
        own = {(hop.source, hop.layer) for hop in own_path(pool).hops}
        changes = []
        for _ in range(400):
            step = draws.normal(size=space.dimension) * space.steps * (space.high - space.low) / 6
            path = space.to_path(np.clip(space.start + step, space.low, space.high))
            visited = [(hop.source, hop.layer) for hop in path.hops]
            changes.append(len(own ^ set(visited)) + len(visited) - len(set(visited)))
        assert 1 < np.mean(changes) < 4


@pytest.mark.parametrize(
    ("given_", "hops", "problem"),
    [
        ({}, [(0, 1, 1.0), (0, 4, 1.0)], "must begin with A's first layer"),
        ({}, [(0, 0, 1.0), (1, 4, 1.0)], "end with A's last"),
        ({}, [(0, 0, 0.9), (0, 4, 1.0)], "unscaled"),
        ({"reach": 0}, [(0, 0, 1.0), (0, 3, 1.0), (0, 1, 1.0), (0, 4, 1.0)], "no slot is left for layer 1 of first"),
        ({"scales": "none"}, [(0, 0, 1.0), (0, 1, 0.8), (0, 4, 1.0)], "scales"),
        ({"encoding": "indicator", "scales": "none", "repeats": 1}, [(0, 0, 1.0), (0, 2, 1.0), (0, 1, 1.0), (0, 4, 1.0)],
         "goes back more than 0 times"),
    ],
)  # fmt: skip
def test_a_path_from_elsewhere_is_refused(given_: dict[str, Any], hops: list[tuple[int, int, float]], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        space_of(**given_).to_vector(Path(tuple(Hop(*hop) for hop in hops)))


def test_two_scales_for_one_pair_of_layers_have_no_matrix() -> None:
    hops = (Hop(0, 0), Hop(0, 2, 0.5), Hop(0, 0), Hop(0, 2, 0.7), Hop(0, 4))
    with pytest.raises(InputError, match="scales"):
        space_of(preset="paper").to_vector(Path(hops))


@pytest.mark.parametrize(
    ("pool", "most_layers", "given_", "problem"),
    [
        (Pool(("a", "b"), 1), None, {}, "one layer each"),
        (POOL, 4, {}, "room for 4 layers, fewer than the 5"),
        (POOL, None, {"slots": 2}, "2 are fewer than the 3 layers between A's ends.*use 3 or more"),
    ],
)
def test_a_space_in_which_the_search_cannot_start_is_refused(
    pool: Pool, most_layers: int | None, given_: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        space_of(pool, most_layers, **given_)


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a genome is 3 finite numbers"):
        space_of(scales="none", slots=3).to_path(np.zeros(4))
