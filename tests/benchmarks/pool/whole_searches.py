"""What choosing sources is worth in the end: whole searches at an equal budget: `python -m pool.whole_searches OUT`.

    [--seeds 0 1 2] [--evaluations 160] [--pairs 2] [--tiny]

For each seed, with the pool of `pool.selection`, in which two of ten adapters are of use: the run chooses its sources and
searches with what is left of the budget; a run takes all ten; and runs take pairs drawn at random. Each is a whole run with as
many evaluations, those that choosing takes counted in; answers and tokens of choosing and searching are in the table. Runs
stay in OUT; one that is finished isn't done again, and one that was begun goes on.

`--tiny` does the same with three random models of two layers, to see that it works.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from evomerge_core.recipe.schema import Recipe, SourceSpec
from pool.selection import pool_recipe

sys.path.append(str(Path(__file__).parents[1]))
from whole_run import answers_and_tokens, carry_out, tiny_recipe


def arms(recipe: Recipe, seed: int, pairs: int) -> Iterator[tuple[str, Recipe]]:
    """Each way to come to sources, with its recipe; `recipe` has a folder of models as its pool."""
    yield "chosen", recipe
    models = sorted(Path(recipe.pool[0].model).iterdir())
    references = [SourceSpec.model_validate(_reference(recipe, place)) for place in models]
    yield "all", _of(recipe, references)
    for number in range(pairs):
        drawn = random.Random(f"{seed} {number}").sample(references, 2)
        yield f"pair-{number}", _of(recipe, drawn)


def _reference(recipe: Recipe, place: Path) -> str:
    return f"{recipe.base}+{place}" if (place / "adapter_config.json").exists() else str(place)


def _of(recipe: Recipe, sources: list[SourceSpec]) -> Recipe:
    return recipe.model_copy(update={"pool": (), "sources": tuple(sources)})


def tiny_pool(place: Path) -> Recipe:
    """A pool of three tiny models, in place of the quickstart's."""
    from support.tiny_run import save_model

    recipe = tiny_recipe(place)
    base = save_model(place / "base", 0)
    for number in (1, 2, 3):
        save_model(place / "pool" / f"model-{number}", number, base)
    return recipe.model_copy(update={"pool": (SourceSpec.model_validate(str(place / "pool")),)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--evaluations", type=int, default=160)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    print("| seed | sources | which | candidates | answers | tokens | child, % | 95 % interval |")
    print("| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for seed in args.seeds:
        recipe = tiny_pool(args.out / "tiny") if args.tiny else pool_recipe(args.out, seed)
        budget = recipe.budget.model_copy(update={"evaluations": args.evaluations})
        for name, arm in arms(recipe.model_copy(update={"budget": budget, "seed": seed}), seed, args.pairs):
            folder = args.out / f"{name}-{seed}"
            result = carry_out(arm, folder)
            answers, tokens = answers_and_tokens(folder)
            low, high = result["winner"]["interval"] or (0.0, 0.0)
            which = ", ".join(one["name"] for one in result["parents"])
            score = f"{100 * (result['winner']['test'] or 0.0):.1f} | {100 * low:.0f} to {100 * high:.0f}"
            print(f"| {seed} | {name} | {which} | {result['evaluations']} | {answers:,} | {tokens:,} | {score} |", flush=True)


if __name__ == "__main__":
    main()
