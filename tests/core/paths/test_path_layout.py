"""Paths as people read them."""

from __future__ import annotations

from evomerge_core.paths.layout import lay_out, never_visited, runs
from evomerge_core.paths.path import Hop, Path, Pool
from support.paths import own_path

POOL = Pool(("arithmetic", "japanese"), 8)


def path(*hops: tuple[int, int] | tuple[int, int, float]) -> Path:
    return Path(tuple(Hop(*hop) for hop in hops))


def test_the_first_models_own_path_is_one_run() -> None:
    assert lay_out(own_path(POOL), POOL) == "A0-7"


def test_sources_repeats_skips_and_scales_are_shown() -> None:
    drawn = path((0, 0), (0, 1), (1, 2), (1, 3), (0, 3, 0.9), (0, 3), (0, 4), (0, 1), (0, 7, 1.25))
    assert lay_out(drawn, POOL) == "A0-1 B2-3 A3x0.90 A3 again A4 A1 again A7x1.25; never: A2 A5-6"
    assert never_visited(drawn, POOL) == (2, 5, 6)
    assert [(run.source, run.first, run.last, run.again) for run in runs(drawn)] == [
        (0, 0, 1, False),
        (1, 2, 3, False),
        (0, 3, 3, False),
        (0, 3, 3, True),
        (0, 4, 4, False),
        (0, 1, 1, True),
        (0, 7, 7, False),
    ]


def test_every_hop_is_in_one_run_in_order() -> None:
    drawn = path((0, 0), (1, 1, 0.5), (1, 2), (1, 3), (0, 4), (0, 5, 1.1), (0, 7))
    spelled = [(run.source, layer) for run in runs(drawn) for layer in range(run.first, run.last + 1)]
    assert spelled == [(hop.source, hop.layer) for hop in drawn.hops]
    assert [scale for run in runs(drawn) for scale in run.scales] == [hop.scale for hop in drawn.hops]


def test_gains_are_products_of_scales() -> None:
    assert path((0, 0), (0, 1, 0.5), (0, 2), (0, 7, 3.0)).gains == (1.0, 0.5, 0.5, 1.5)
