"""How many votes it takes to find whom a voter prefers: `python tests/benchmarks/taste_votes.py`.

    [--seeds 20] [--start 0] [--candidates 30] [--noise 0.15]

No model is asked. Candidates are points of four numbers, as genomes are. A voter likes best what is near a hidden point, or has
an order that the numbers say nothing of, and mistakes one vote in so many, whoever is compared. The table says how often the
one that it likes best is the first, and among the first three, after so many votes: of pairs that tell most and of pairs at
random, with and without a look at the numbers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from support.simulated_voter import place_of_the_preferred

# who is liked, whether the numbers are looked at, whether the most telling pairs are asked for, how many votes
ROWS = (
    *((True, True, True, votes) for votes in (40, 60, 80)),
    (True, False, True, 80),
    (True, True, False, 80),
    (False, True, True, 80),
    (False, False, True, 80),
    (False, False, True, 120),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--candidates", type=int, default=30)
    parser.add_argument("--noise", type=float, default=0.15)
    args = parser.parse_args()
    print("| what is liked | numbers | pairs | votes | the first | among the first three |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for by_genome, known, asks, votes in ROWS:
        places = [
            place_of_the_preferred(
                seed,
                candidates=args.candidates,
                votes=votes,
                noise=args.noise,
                asks=asks,
                by_genome=by_genome,
                genomes_known=known,
            )
            for seed in range(args.start, args.start + args.seeds)
        ]
        first, three = (sum(place < most for place in places) for most in (1, 3))
        liked = "what is near a point" if by_genome else "any order"
        pairs = f"{'known' if known else 'not looked at'} | {'the most telling' if asks else 'at random'}"
        print(f"| {liked} | {pairs} | {votes} | {first} of {args.seeds} | {three} of {args.seeds} |", flush=True)


if __name__ == "__main__":
    main()
