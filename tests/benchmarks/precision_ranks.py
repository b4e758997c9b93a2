"""Whether few bits rank merges as bf16 does: `python tests/benchmarks/precision_ranks.py [RECIPE | BASE ADAPTER ADAPTER...]`.

    [--merges 30] [--items 80] [--seed 0] [--schemes bf16 int8 int5 nf4 ...] [--out FILE]

Merges of a cross (the quickstart's, a recipe's first stage, or the quickstart's with other models) are scored on the same test
items: a third with equal weights, a third drawn at random, a third near the best by bf16. What the product has is scored as a
run scores; other schemes are carried out on the tensors on their way into a model that holds them as float32. Prints a row for
each scheme: bits a weight of the decoder layers' matrices, scales included; the relative error of these matrices; Spearman's
correlation of accuracy with bf16's, with a 90 % bootstrap interval, over all merges and over those that answer something right
in bf16, since nothing tells the others apart; mean accuracy; the share of answers that are as right or wrong as bf16's; seconds
to merge, quantise and score a candidate, for what the product has.

With `--out`, scores are kept as JSON lines, and a scheme that is there already is not scored again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_bit_schemes import Coded, Scheme, finer_nf4, ggml, in_blocks, mixed, plain_nf4, sixteen
from platformdirs import user_cache_path
from scipy.stats import spearmanr
from torch import Tensor, nn

from evomerge_core.genome.space import Space
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.processor import processor_name
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.candidate.scoring import item_score
from evomerge_core.run.plan import Asked
from evomerge_core.run.setup import Setup, prepare
from evomerge_core.sources.pretrained import read_config
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.few_bits.block_linear import Int5Linear, Int8Linear
from evomerge_quant.resident.network.skeleton import few_bit_layers, make_skeleton
from evomerge_recipes.quickstart.prepare import prepared_recipe

PRODUCT = ("bf16", "int8", "int5", "nf4")
SIMULATED = ("nf4-32", "nf4-fitted", "nf4-32-fitted", "mixed", "Q4_K", "Q5_K", "Q6_K")
# How far merges near the best are from it: standard deviation as a share of each number's range.
NEAR = 0.12
# The share of the weights that the mixed scheme holds in 8 bits, and the questions by which it chooses them.
IN_8_BITS = 0.35
CHOSEN_BY = 8


@dataclass(frozen=True)
class Scored:
    """A merge in a scheme: its genome, each item's score, and the seconds that it took."""

    scheme: str
    genome: list[float]
    scores: list[float]
    seconds: float


@dataclass(frozen=True)
class Cross:
    """What is merged, asked, and held in few bits."""

    setup: Setup
    space: Space
    asked: tuple[Asked, ...]
    matrices: frozenset[str]


def main() -> None:
    args = _arguments()
    cross = open_cross(make_recipe(args.models), args.items)
    known = read_scored(args.out)
    print(f"{processor_name()}, {torch.get_num_threads()} threads; {args.merges} merges, {len(cross.asked)} items", flush=True)
    plain = ResidentScorer(cross, build(cross.setup.base_folder, precision="fp32", device="cpu"))
    keep = partial(keep_scored, args.out)
    references = spread(cross, args.merges, args.seed, partial(once, known, keep, "bf16", partial(plain.score, scheme=sixteen)))
    genomes = [one.genome for one in references]
    best = max(references, key=lambda one: np.mean(one.scores)).genome
    columns = ("bits a weight", "error of a weight, %", "Spearman with bf16", "where bf16 scores", "mean accuracy, %")
    print(f"\n| held in | {' | '.join(columns)} | items alike, % | s |")
    print(f"| --- |{' ---: |' * (len(columns) + 2)}")
    for name in args.schemes:
        scheme = make_scheme(name, cross, plain, best)
        score = partial(plain.score, scheme=scheme)
        if name in PRODUCT[1:]:
            score = ResidentScorer(cross, build(cross.setup.base_folder, precision=name, device="cpu")).score
        scored = [once(known, keep, name, score, genome) for genome in genomes]
        print(row(name, scored, references, measure(cross, scheme, best)), flush=True)


def make_recipe(models: Sequence[Path]) -> Recipe:
    """The quickstart's recipe, a file's, or the quickstart's with another base and other adapters."""
    if len(models) == 1:
        return load_recipe(models[0])
    recipe = prepared_recipe(user_cache_path("evomerge-tui"))
    if not models:
        return recipe
    base, *adapters = (model.resolve() for model in models)
    sources = [{"model": f"{base}+{adapter}", "name": adapter.name} for adapter in adapters]
    data = {**recipe.model_dump(exclude_none=True), "base": str(base), "sources": sources}
    return Recipe.model_validate(data, context={"folder": recipe.folder})


def open_cross(recipe: Recipe, items: int) -> Cross:
    setup = prepare(recipe, recipe.folder)
    space = setup.stages[0].space
    if not isinstance(space, Space):
        raise SystemExit("the recipe's first stage must evolve weights")
    skeleton = make_skeleton(read_config(setup.base_folder), "nf4", torch.float32)
    layers = {id(layer) for layer in few_bit_layers(skeleton)}
    matrices = frozenset(f"{name}.weight" for name, module in skeleton.named_modules() if id(module) in layers)
    asked = setup.plan.asked["test"]
    items = min(items, len(asked))
    picked = tuple(asked[number * len(asked) // items] for number in range(items))
    return Cross(setup, space, picked, matrices)


@dataclass(frozen=True)
class ResidentScorer:
    """Merges genomes into a resident model and scores them."""

    cross: Cross
    model: ResidentModel

    def score(self, genome: Sequence[float], scheme: Scheme | None = None) -> tuple[list[float], float]:
        """Each item's score, and seconds; the matrices go through `scheme` first where there is one."""
        started = time.perf_counter()
        self.load(genome, scheme)
        answers = self.model.answer([one.question for one in self.cross.asked])
        scores = [item_score(one, answer).value for one, answer in zip(self.cross.asked, answers, strict=True)]
        return scores, time.perf_counter() - started

    def load(self, genome: Sequence[float], scheme: Scheme | None) -> None:
        tensors = merged(self.cross, genome)
        self.model.load(tensors if scheme is None else held_in(scheme, self.cross, tensors))


def merged(cross: Cross, genome: Sequence[float]) -> Iterator[tuple[str, Tensor]]:
    """The child's tensors in bf16."""
    engine: MergeEngine = cross.setup.engine
    return engine.stream(make_plan(cross.space.to_config(np.array(genome)), cross.setup.sources))


def held_in(scheme: Scheme, cross: Cross, tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors:
        yield name, scheme(name, tensor).values if name in cross.matrices else tensor


def make_scheme(name: str, cross: Cross, plain: ResidentScorer, genome: Sequence[float]) -> Scheme:
    ready: Mapping[str, Scheme] = {
        "bf16": sixteen,
        "int8": in_blocks(Int8Linear.scheme),
        "int5": in_blocks(Int5Linear.scheme),
        "nf4": plain_nf4,
        "nf4-32": finer_nf4(32, least_error=False),
        "nf4-fitted": finer_nf4(64, least_error=True),
        "nf4-32-fitted": finer_nf4(32, least_error=True),
    }
    if name == "mixed":
        return mixed(hurt_most(cross, plain, genome))
    return ready[name] if name in ready else ggml(name)


def hurt_most(cross: Cross, plain: ResidentScorer, genome: Sequence[float]) -> frozenset[str]:
    """The matrices whose outputs NF4 changes most, measured on a few questions: as many as `IN_8_BITS` of the weights."""
    plain.load(genome, sixteen)
    linears = {name: plain.model.module.get_submodule(name.removesuffix(".weight")) for name in cross.matrices}
    changed = dict.fromkeys(linears, (0.0, 0.0))

    def watch(name: str, difference: Tensor) -> Callable[..., None]:
        def note(_: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            error, size = changed[name]
            off = nn.functional.linear(inputs[0], difference)
            changed[name] = error + float(off.square().sum()), size + float(out.square().sum())

        return note

    hooks = [
        module.register_forward_hook(watch(name, module.weight - plain_nf4(name, module.weight).values))
        for name, module in linears.items()
    ]
    plain.model.answer([one.question for one in cross.asked[:CHOSEN_BY]])
    for hook in hooks:
        hook.remove()
    room, chosen = IN_8_BITS * sum(linears[name].weight.numel() for name in linears), []
    for name in sorted(linears, key=lambda name: -changed[name][0] / changed[name][1]):
        if linears[name].weight.numel() <= room:
            room -= linears[name].weight.numel()
            chosen.append(name)
    return frozenset(chosen)


def spread(cross: Cross, count: int, seed: int, score: Callable[[list[float]], Scored]) -> list[Scored]:
    """Merges that are far apart and merges that are near the best, scored; each is named by the seed and what came before."""
    draw, third = np.random.default_rng(seed), count // 3
    low, high = np.array(cross.space.low), np.array(cross.space.high)
    weights = [one for one in cross.space.dimensions if one.parameter == "weight"]
    limits = (max(one.low for one in weights), min(one.high for one in weights)) if weights else (0.0, 1.0)
    steps = np.linspace(*limits, third + 1)[1:]
    scored = [score(cross.space.uniform(float(weight)).tolist()) for weight in steps]
    scored += [score(draw.uniform(low, high).tolist()) for _ in range(third)]
    while len(scored) < count:
        best = max(scored, key=lambda one: np.mean(one.scores))
        near = np.array(best.genome) + NEAR * (high - low) * draw.standard_normal(low.size)
        scored.append(score(np.clip(near, low, high).tolist()))
    return scored


def once(
    known: dict[tuple[str, tuple[float, ...]], Scored],
    keep: Callable[[Scored], None],
    name: str,
    score: Callable[[Sequence[float]], tuple[list[float], float]],
    genome: list[float],
) -> Scored:
    """The merge as it was scored before, or scored now."""
    before = known.get((name, tuple(genome)))
    if before is not None:
        return before
    scored = known[name, tuple(genome)] = Scored(name, genome, *score(genome))
    print(f"{name}: {np.mean(scored.scores):.1%} in {scored.seconds:.1f} s", file=sys.stderr, flush=True)
    keep(scored)
    return scored


def read_scored(file: Path | None) -> dict[tuple[str, tuple[float, ...]], Scored]:
    if file is None or not file.exists():
        return {}
    lines = (Scored(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines())
    return {(one.scheme, tuple(one.genome)): one for one in lines}


def keep_scored(file: Path | None, scored: Scored) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(scored)) + "\n")


def measure(cross: Cross, scheme: Scheme, genome: Sequence[float]) -> tuple[float, float]:
    """Bits a weight of the matrices, and their relative error against bf16."""
    bits, weights, error, size = 0, 0, 0.0, 0.0
    for name, tensor in merged(cross, genome):
        if name in cross.matrices:
            coded: Coded = scheme(name, tensor)
            bits, weights = bits + coded.bits, weights + tensor.numel()
            error += float((coded.values - tensor.float()).double().square().sum())
            size += float(tensor.double().square().sum())
    return bits / weights, math.sqrt(error / size)


def row(name: str, scored: Sequence[Scored], references: Sequence[Scored], measured: tuple[float, float]) -> str:
    mine, theirs = (np.array([one.scores for one in each]) for each in (scored, references))
    bits, error = measured
    seconds = f"{np.median([one.seconds for one in scored]):.1f}" if name in PRODUCT else ""
    some = theirs.mean(1) > 0
    ranks = f"{agreement(mine.mean(1), theirs.mean(1))} | {agreement(mine[some].mean(1), theirs[some].mean(1))}"
    alike = 100 * (mine == theirs).mean()
    return f"| {name} | {bits:.2f} | {100 * error:.1f} | {ranks} | {100 * mine.mean():.1f} | {alike:.1f} | {seconds} |"


def agreement(mine: Any, theirs: Any) -> str:
    """Spearman's correlation, and the interval that nine of ten resamplings of the merges stay in."""
    if len(set(mine)) < 2 or len(set(theirs)) < 2:
        return "none: all score alike"
    draw = np.random.default_rng(0)
    picked = [draw.integers(len(mine), size=len(mine)) for _ in range(1000)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resampling in which all score alike has no correlation
        drawn = [spearmanr(mine[some], theirs[some]).statistic for some in picked]
    low, high = np.nanquantile(drawn, [0.05, 0.95])
    return f"{spearmanr(mine, theirs).statistic:.2f} ({low:.2f} to {high:.2f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*", help="a recipe's file, or a base's folder and adapters of it")
    parser.add_argument("--merges", type=int, default=30)
    parser.add_argument("--items", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--schemes", nargs="+", choices=[*PRODUCT, *SIMULATED], default=[*PRODUCT, *SIMULATED])
    parser.add_argument("--out", type=Path, help="file for the scores (default: they aren't kept)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
