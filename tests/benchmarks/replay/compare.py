"""Tries settings of the search on fitted crosses: chosen on some of them, reported on the others.

    cd tests/benchmarks && python -m replay.compare --choose A.jsonl B.jsonl --report C.jsonl
        --set population=8,16,32 --set items=8,11,16 [--replays 200] [--processes 2]

The files are `replay.score`'s. Every combination of the values is replayed on every cross of `--choose`, with the same items
and luck for all; the best, by the mean true quality of the chosen merge over these crosses, and the setting that the product
has, are then replayed on every cross of `--report` with other seeds. Words for the values are those of YAML; the settings'
names are `replay.search.Setting`'s.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from replay.landscape import Landscape, fit_landscape
from replay.matrix import read_matrix
from replay.search import Replayed, Setting, replay

# Seeds of replays that a setting is reported on; those that it is chosen on begin at 0.
_REPORTED = 1_000_000


@dataclass(frozen=True)
class Standing:
    """A setting on one cross, over its replays: the chosen merge's true quality (0..1) on average and as 10th percentile; how
    far its validation and what the run expects of it are above that on average; and how many answers were asked for."""

    mean: float
    tenth: float
    validation_above: float
    expected_above: float
    asked: float


def main() -> None:
    args = _arguments()
    base = Setting()
    settings = list(dict.fromkeys([base, *combinations(base, dict(args.set))]))
    choosing = [fit_landscape(read_matrix(file)) for file in args.choose]
    for landscape in choosing:
        print(describe(landscape))
    with ProcessPoolExecutor(args.processes) as pool:
        started = time.monotonic()
        found = {s: [standing(_replays(pool, land, s, args.replays, 0)) for land in choosing] for s in settings}
        count, minutes = len(settings) * len(choosing) * args.replays, (time.monotonic() - started) / 60
        best = max(settings, key=lambda setting: float(np.mean([one.mean for one in found[setting]])))
        print(f"\nChosen on ({count / minutes:,.0f} replays a minute):\n")
        print("\n".join(table(choosing, found, best)))
        reporting = [fit_landscape(read_matrix(file)) for file in args.report]
        if reporting:
            shown = list(dict.fromkeys([base, best]))
            kept = {s: [standing(_replays(pool, land, s, args.replays, _REPORTED)) for land in reporting] for s in shown}
            print("\nReported on:\n")
            print("\n".join(describe(landscape) for landscape in reporting), "\n")
            print("\n".join(table(reporting, kept, best)))


def combinations(base: Setting, values: Mapping[str, Sequence[Any]]) -> Iterator[Setting]:
    """Every combination of the values, in their order."""
    for chosen in itertools.product(*values.values()):
        yield replace(base, **dict(zip(values, chosen, strict=True)))


def standing(replays: Sequence[Replayed]) -> Standing:
    """The figures of a setting's replays."""
    qualities = np.array([one.quality for one in replays])
    mean = float(qualities.mean())
    validation, expected, asked = np.mean([(one.validation, one.expected, one.asked) for one in replays], axis=0)
    tenth = float(np.quantile(qualities, 0.1))
    return Standing(mean, tenth, float(validation) - mean, float(expected) - mean, float(asked))


def describe(landscape: Landscape) -> str:
    """How well the fit foretells merges that it has not seen, and how good a person's merges and the best known ones are."""
    head = landscape.head
    known, uniform = landscape.quality(landscape.ability.points), landscape.quality(np.array(head.uniform))
    ability, loss = landscape.ability.foresight, landscape.log_loss.foresight
    return (
        f"{head.cross} ({head.precision}): {len(known)} merges, {len(landscape.difficulty)} items; "
        f"of merges left out, abilities are foretold with r = {ability:.2f}, losses with {loss:.2f}; "
        f"near merges share {100 * landscape.shared:.0f} % of an answer's luck within {landscape.reach:.2f} of the range; "
        f"true quality of the best equal-weight merge {100 * uniform.max():.1f} %, of the best known merge "
        f"{100 * known.max():.1f} %"
    )


def table(landscapes: Sequence[Landscape], found: Mapping[Setting, Sequence[Standing]], best: Setting) -> list[str]:
    """A row for each setting: for each cross the mean and the 10th percentile of the quality, and what was asked."""
    crosses = [f"{each.head.cross} {each.head.precision}" for each in landscapes]
    lines = [
        "| setting | "
        + " | ".join(f"{name}: mean % | 10th percentile | validation above | expected above | answers" for name in crosses)
        + " |",
        "| --- |" + " ---: | ---: | ---: | ---: | ---: |" * len(crosses),
    ]
    for setting, standings in found.items():
        cells = [
            f"{100 * s.mean:.1f} | {100 * s.tenth:.1f} | {100 * s.validation_above:+.1f} | {100 * s.expected_above:+.1f} "
            f"| {s.asked:,.0f}"
            for s in standings
        ]
        name = _differences(setting)
        lines.append(f"| {f'**{name}**' if setting == best else name} | {' | '.join(cells)} |")
    return lines


def _differences(setting: Setting) -> str:
    usual = Setting()
    changes = [
        f"{field.name} {getattr(setting, field.name):g}"
        for field in fields(Setting)
        if getattr(setting, field.name) != getattr(usual, field.name)
    ]
    return ", ".join(changes) or "the product's"


def _replays(pool: ProcessPoolExecutor, landscape: Landscape, setting: Setting, count: int, first: int) -> list[Replayed]:
    return list(pool.map(partial(replay, landscape, setting), range(first, first + count), chunksize=10))


def _values(text: str) -> tuple[str, list[Any]]:
    name, _, values = text.partition("=")
    known = [field.name for field in fields(Setting)]
    if name not in known or not values:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE,VALUE with a name of {', '.join(known)}")
    return name, [yaml.safe_load(value) for value in values.split(",")]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--choose", type=Path, nargs="+", required=True, help="scores of the crosses that settings are chosen on"
    )
    parser.add_argument("--report", type=Path, nargs="+", default=[], help="scores of crosses to report them on")
    parser.add_argument("--set", type=_values, action="append", default=[], metavar="NAME=VALUES")
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
