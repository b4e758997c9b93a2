"""How many votes it takes to find whom a voter prefers: `python tests/benchmarks/taste_votes.py`.

    [--seeds 20] [--candidates 30] [--noise 0.15]

No model is asked. A voter has a hidden order of the candidates and mistakes one vote in so many, whoever is compared. The table
says how often the one that it likes best is the first, and among the first three, after so many votes: of pairs that tell most,
of pairs at random, and with other deviations of the strengths before any vote.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evomerge_core.search.taste.bradley_terry import SPREAD

sys.path.append(str(Path(__file__).parents[1]))
from support.simulated_voter import place_of_the_preferred

VOTES = (40, 60, 80, 120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=30)
    parser.add_argument("--noise", type=float, default=0.15)
    args = parser.parse_args()
    print("| pairs | deviation | votes | the first | among the first three |\n| --- | ---: | ---: | ---: | ---: |")
    for asks, spread in ((True, SPREAD), (True, SPREAD / 2), (True, 2 * SPREAD), (False, SPREAD)):
        for votes in VOTES if spread == SPREAD else (80,):
            places = [
                place_of_the_preferred(
                    seed, candidates=args.candidates, votes=votes, noise=args.noise, spread=spread, asks=asks
                )
                for seed in range(args.seeds)
            ]
            first, three = (sum(place < most for place in places) for most in (1, 3))
            pairs = "the most telling" if asks else "at random"
            print(f"| {pairs} | {spread:g} | {votes} | {first} of {args.seeds} | {three} of {args.seeds} |", flush=True)


if __name__ == "__main__":
    main()
