"""How sure a few items are of whether two precisions rank merges alike: `python tests/benchmarks/agreement_simulation.py`.

Simulated crosses of nine merges: an item is answered right where the merge's ability and its luck on the item, most of which
both precisions share, outweigh the item's difficulty. Abilities in few bits follow those in bf16 more or less, and are often
lower. The true agreement is that of the same merges on 1,000 items.

Prints, for several numbers of items and several limits, which share of the crosses a run would be ended on, by their true
agreement: those below 0.2 should be, those above 0.5 never. Takes about a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from evomerge_core.run.agreement import MERGES, Agreement, Matrix, agreement

_ITEMS = (8, 12, 16, 24, 48)
_LIMITS = (0.3, 0.5, 0.7)
_BANDS = ((-1.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01))
_MANY = 1000
# Of the luck on an item, what both precisions share.
_SHARED = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crosses", type=int, default=600, help="simulated crosses (default: 600)")
    crosses = list(_crosses(np.random.default_rng(1), parser.parse_args().crosses))
    wholes = [agreement("few", few, bf16).value for few, bf16 in crosses]
    print("| items | limit |" + "".join(f" {low:.1f} to {min(high, 1.0):.1f} |" for low, high in _BANDS) + " too much alike |")
    print("| ---: | ---: |" + " ---: |" * (len(_BANDS) + 1))
    for items in _ITEMS:
        asked = [agreement("few", few[:, :items], bf16[:, :items]) for few, bf16 in crosses]
        true = [_on_items(whole, *cross, items) for whole, cross in zip(wholes, crosses, strict=True)]
        for limit in _LIMITS:
            print(_row(items, limit, list(zip(true, asked, strict=True))), flush=True)


def _row(items: int, limit: float, found: list[tuple[float | None, Agreement]]) -> str:
    cells = []
    for low, high in _BANDS:
        some = [one for value, one in found if value is not None and low <= value < high]
        ended = sum(one.high is not None and one.high < limit for one in some)
        cells.append(f"{100 * ended / max(1, len(some)):.0f} % of {len(some)}")
    alike = sum(one.value is None for _, one in found)
    return f"| {items} | {limit} | " + " | ".join(cells) + f" | {100 * alike / len(found):.0f} % |"


def _on_items(whole: float | None, few: Matrix, bf16: Matrix, items: int) -> float | None:
    """The agreement that so many items have on average, by that of all; None where bf16 doesn't tell the merges apart."""
    if not whole:
        return whole
    # many items leave no luck in the spread; as many as are asked leave theirs
    ours, theirs = (_spread(scores, items) / _spread(scores, scores.shape[1]) for scores in (few, bf16))
    return float(whole * theirs / ours)


def _spread(scores: Matrix, items: int) -> float:
    """The spread of the merges' means on so many items."""
    effects = scores - scores.mean(axis=0)
    luck = (effects - effects.mean(axis=1, keepdims=True)).var()
    return float(np.sqrt(effects.mean(axis=1).var() + luck / items))


def _crosses(random: np.random.Generator, count: int) -> Iterator[tuple[Matrix, Matrix]]:
    """Scores in few bits and in bf16, float64 [merges, items] each."""
    for _ in range(count):
        spread, level = random.uniform(0.3, 1.5), random.uniform(-2.5, 1.0)
        able = level + spread * random.standard_normal(MERGES)
        alike = random.choice([0.0, 0.3, 0.6, 0.9, 1.0])
        own = able.mean() + able.std() * random.standard_normal(MERGES)
        in_few = alike * able + np.sqrt(1 - alike**2) * (own - own.mean()) + (1 - alike) * able.mean()
        in_few -= random.uniform(0.0, 1.5)
        hard, luck, other = (random.standard_normal((MERGES, _MANY)) for _ in range(3))
        theirs = able[:, None] - hard[:1] + luck > 0
        ours = in_few[:, None] - hard[:1] + _SHARED * luck + np.sqrt(1 - _SHARED**2) * other > 0
        yield ours.astype(np.float64), theirs.astype(np.float64)


if __name__ == "__main__":
    main()
