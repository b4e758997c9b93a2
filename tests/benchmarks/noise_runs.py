"""How often pure noise is declared a winner: `python tests/benchmarks/noise_runs.py [--seeds 0 1 ...] [--evaluations 200]`.

Two identical sources, a fine-tune of a tiny random model, and a multiple-choice task whose right answers are drawn at random:
whatever a merge answers, it is right as often as any other, so that every difference is luck. Each seed is a whole run with
its own models, items and right answers. Prints how many of them declare a winner, which must beat the best reference in both
precisions; p is the smaller of the two.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.result import references_of
from evomerge_tui.processes.job import work

sys.path.append(str(Path(__file__).parents[1]))
from support.tiny_run import save_model

CHOICES = ("w10", "w11", "w12", "w13")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(20))
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--racing", choices=("on", "off"), default="on")
    args = parser.parse_args()
    winners = 0
    print("| seed | searched | winner | on the search, % | on the test, % | best reference, % | p | verdict |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |")
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as place:
            result = noise_run(Path(place), seed, args.evaluations, args.racing)
        parts = [result, *result["confirmed"].values()]
        declared = result["declared"]
        winners += declared
        best, p = max(known["test"] for known in references_of(result)), min(part["paired"]["p"] for part in parts)
        winner = result["winner"]
        print(
            f"| {seed} | {result['evaluations']} | {winner['name']} | {100 * winner['search']:.0f} "
            f"| {100 * winner['test']:.1f} | {100 * best:.1f} | {p:.2f} | {'winner' if declared else 'none'} |",
            flush=True,
        )
    print(f"\n{winners} of {len(args.seeds)} runs declare a winner ({len(args.seeds) / 20:g} allowed)")


def noise_run(place: Path, seed: int, evaluations: int, racing: str) -> dict[str, Any]:
    """One run's result."""
    base = save_model(place / "base", 1000 + seed)
    save_model(place / "first", 2000 + seed, base)
    shutil.copytree(place / "first", place / "second")
    draws = random.Random(seed)
    items = [
        {
            "question": f"w{draws.randrange(20, 100)} {draws.randrange(100)} w{n % 100} {n // 100}",
            "answer": draws.choice(CHOICES),
        }
        for n in range(400)
    ]
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    recipe: dict[str, Any] = {
        "evomerge": 1,
        "name": "noise",
        "base": "./base",
        "sources": [{"model": "./first", "name": "first"}, {"model": "./second", "name": "second"}],
        "search_space": {"groups": {"bands": 2}},
        "tasks": [
            {
                "name": "luck",
                "file": "items.jsonl",
                "fields": {"question": "question", "answer": "answer"},
                "prompt": "{question}",
                "scorer": "multiple_choice",
                "choices": list(CHOICES),
            }
        ],
        "splits": {"search": 32, "validation": 48, "test": 200},
        "budget": {"evaluations": evaluations},
        "search": {"racing": racing == "on"},
        "evaluation": {"precision": "nf4", "confirm": ["bf16"], "device": "cpu"},
        "seed": seed,
    }
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    run = create_run(load_recipe(place / "recipe.yaml"), out=place / "run")
    if work(run):
        sys.exit(f"seed {seed}: the run failed")
    found: dict[str, Any] = json.loads((run / "winner" / "result.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
