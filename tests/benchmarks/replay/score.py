"""Scores spread merges of a cross on many items, for the replays: `python -m replay.score CROSS FILE`.

    cd tests/benchmarks && python -m replay.score DIR/plain plain-bf16.jsonl [--precision bf16] [--merges 60] [--items 150]
        [--arithmetic bfloat16]

A cross is a folder that `crosses.make` wrote, or the word quickstart. Every merge is kept as soon as it is scored; a program
that is started again continues. Where the processor multiplies in bfloat16, that arithmetic takes half of the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from crosses.table import open_cross

from evomerge_core.fixed_merge.fixed_merge import stream_fixed
from evomerge_core.genome.space import Space
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.candidate.held_model import LoadedSlot
from evomerge_core.run.candidate.scoring import score_candidate
from evomerge_core.run.references import UNIFORM_WEIGHTS
from evomerge_core.run.setup import Setup, prepare
from evomerge_core.tasks.evaluator import Evaluator
from evomerge_quant.resident.model import evaluators
from replay.matrix import Head, Numbers, Row, add_row, read_rows, write_head
from replay.spread import alone, next_genome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cross", help="folder of a cross, or quickstart")
    parser.add_argument("file", type=Path, help="file that receives the scores")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--arithmetic", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--merges", type=int, default=60)
    parser.add_argument("--items", type=int, default=150)
    args = parser.parse_args()
    recipe = with_items(open_cross(args.cross), args.items)
    setup = prepare(recipe, recipe.folder)
    make = evaluators(setup.base_folder, recipe.evaluation.device, args.arithmetic)
    score_merges(setup, make(args.precision, None, None), args.file, args.merges)


def with_items(recipe: Recipe, items: int) -> Recipe:
    """The recipe with so many items in its search."""
    return recipe.model_copy(update={"splits": recipe.splits.model_copy(update={"search": items})})


def score_merges(setup: Setup, evaluator: Evaluator, file: Path, count: int) -> None:
    """Adds merges to the file until it has `count`."""
    space = setup.stages[0].space
    assert isinstance(space, Space)
    known = read_rows(file)
    if not known:
        write_head(file, _head(setup, space, evaluator))
    while len(known) < count:
        started = time.monotonic()
        known.append(_scored(setup, space, evaluator, next_genome(space, known, setup.recipe.seed)))
        add_row(file, known[-1])
        share, seconds = 100 * np.mean(known[-1].right), time.monotonic() - started
        print(f"{file.name}: {len(known)} of {count}, {share:.1f} %, {seconds:.0f} s", file=sys.stderr, flush=True)


def _head(setup: Setup, space: Space, evaluator: Evaluator) -> Head:
    def plain(genomes: Sequence[Numbers]) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(genome.tolist()) for genome in genomes)

    low, high, start = plain([space.low, space.high, space.start])
    parents, uniform = plain(alone(space)), plain([space.uniform(weight) for weight in UNIFORM_WEIGHTS])
    return Head(setup.recipe.name, evaluator.precision, evaluator.scored_on, low, high, start, parents, uniform)


def _scored(setup: Setup, space: Space, evaluator: Evaluator, genome: Numbers) -> Row:
    merge = space.to_config(genome)
    slot = LoadedSlot(evaluator, lambda: evaluator.load(stream_fixed(merge, setup.sources, setup.engine)))
    evaluation, items = score_candidate(setup.plan, slot, "search")
    if evaluation.failure is not None:
        raise SystemExit(f"{genome.tolist()}: {evaluation.failure}")
    losses = tuple(item.loss for item in items if item.loss is not None)
    if len(losses) < len(items):
        raise SystemExit("the cross's task needs a correct answer (`gold`) for each item")
    return Row(tuple(genome.tolist()), tuple(item.value for item in items), losses)


if __name__ == "__main__":
    main()
