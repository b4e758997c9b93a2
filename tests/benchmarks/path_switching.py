"""What a change of path costs, and what sharing first hops would save: `python tests/benchmarks/path_switching.py`.

On the quickstart's two parents (30 layers each, NF4). Switching: seconds of `follow` against seconds of scoring the search's
items, median over paths. Memory: bytes of all weights that a view of 30, 60 and 120 hops holds, and what the process grows by
when the view is made; the cache of keys and values grows with the hops, and is counted apart. Sharing: how many first hops all
candidates of a generation have in common, over five generations of CMA-ES, and how many of a generation's hops could at most be
shared, were the prefill of every common beginning kept: that part of the time of prefill is what there is to save. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path as Folder

import psutil
from platformdirs import user_cache_path
from quickstart_paths import with_scales

from evomerge_core.paths.path import Hop, Path
from evomerge_core.paths.pool import pool_layers, route, stream_pool
from evomerge_core.paths.space import PathSpace
from evomerge_core.run.candidate.candidate_merge import pool_members
from evomerge_core.run.generation.generations import make_optimizer
from evomerge_core.run.setup import Setup, StageSetup, prepare
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident import memory
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_recipes.quickstart.prepare import prepared_recipe

PATHS = 5
GENERATIONS = 5


def path_space(setup: Setup) -> PathSpace:
    space = setup.stages[0].space
    assert isinstance(space, PathSpace)
    return space


def loaded(setup: Setup, stage: StageSetup, space: PathSpace, store: Store) -> ResidentModel:
    model = build(setup.base_folder, precision="nf4", device="cpu", layers=pool_layers(space.pool))
    model.load(stream_pool(pool_members(setup, store, stage), setup.sources, setup.engine))
    return model


def generations(stage: StageSetup, space: PathSpace) -> list[list[Path]]:
    """What CMA-ES asks first; in every generation the shortest paths count as best, so that it moves."""
    optimizer = make_optimizer(stage, 0, whole_ranking=True)
    asked = []
    for _ in range(GENERATIONS):
        paths = [space.to_path(genome) for genome in optimizer.ask()]
        asked.append(paths)
        optimizer.tell([-float(len(path.hops)) for path in paths])
    return asked


def switching(model: ResidentModel, space: PathSpace, paths: Sequence[Path], questions: Sequence[Question]) -> str:
    model.answer(questions)  # the first answer fits the batch to the memory
    switch, score, prefill = [], [], []
    for path in paths:
        begun = time.perf_counter()
        model.follow(route(path, space.pool))
        switch.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        model.answer(questions)
        score.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        model.answer([replace(question, max_new_tokens=0) for question in questions])
        prefill.append(time.perf_counter() - begun)
    change, scoring, reading = (statistics.median(times) for times in (switch, score, prefill))
    return (
        f"Switching to a path: {1000 * change:.1f} ms; scoring it on {len(questions)} items: {scoring:.2f} s: "
        f"{change / scoring:.2%}. Prefill is {reading / scoring:.0%} of scoring."
    )


def held(model: ResidentModel, space: PathSpace, hops: int) -> str:
    """Weights that a path of so many hops holds, and what making it adds to the process."""
    layers = space.pool.size
    path = Path(tuple(Hop(*divmod(number % layers, space.pool.layers)) for number in range(hops)))
    before = psutil.Process().memory_info().rss
    model.follow(route(path, space.pool))
    grown = psutil.Process().memory_info().rss - before
    weights = {parameter.data_ptr(): parameter.numel() * parameter.element_size() for parameter in model.decoder.parameters()}
    cache = memory.kv_bytes_per_token(model.decoder.config, model.compute_dtype)
    return f"| {hops} | {sum(weights.values()) / 1e6:.1f} | {grown / 1e6:.2f} | {cache / 1e3:.1f} |"


def common_hops(paths: Sequence[Path]) -> int:
    """How many first hops all the paths share."""
    together = zip(*(path.hops for path in paths), strict=False)
    return sum(1 for _ in takewhile(lambda hops: len(set(hops)) == 1, together))


def sharing(asked: Sequence[Sequence[Path]]) -> str:
    """Hops that all candidates of a generation begin with, and hops that lie in a beginning which another one has too."""
    common = [common_hops(paths) for paths in asked]
    saved = []
    for paths in asked:
        hops = [path.hops for path in set(paths)]
        beginnings = {hop[:end] for hop in hops for end in range(1, len(hop) + 1)}
        saved.append(1 - len(beginnings) / sum(len(hop) for hop in hops))
    return f"first hops common to a generation: {common}; hops that beginnings share at most: {statistics.mean(saved):.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=32)
    args = parser.parse_args()
    for scales in ("none", "hop"):
        recipe = with_scales(prepared_recipe(user_cache_path("evomerge-tui"), "dfs.yaml"), scales)
        setup = prepare(recipe, Folder())
        stage, space = setup.stages[0], path_space(setup)
        asked = generations(stage, space)
        print(f"scales: {scales}: {sharing(asked)}", flush=True)
    store = Store(Folder(":memory:"), create=True)
    model = loaded(setup, stage, space, store)
    questions = [item.question for item in setup.plan.asked["search"][: args.items]]
    print(switching(model, space, [path for paths in asked for path in paths][:PATHS], questions), flush=True)
    print("\n| hops | weights held, MB | process grows by, MB | cache a token, kB |\n| ---: | ---: | ---: | ---: |")
    for hops in (30, 60, 120):
        print(held(model, space, hops), flush=True)


if __name__ == "__main__":
    main()
