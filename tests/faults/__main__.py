"""`python -m faults [--table] [--part PART] [--fault FAULT] [--sample N] [--seed S] [--share K/N]`, in the folder `tests`.

Every fault once at every place where a tiny run and an export write, and every damage to a finished run's files; or at N
places that the seed draws; or the K-th of N shares of it all, to be tried one after another. Prints what was lost; with
`--table` a table of it in Markdown too. Ctrl+C ends the series with what was tried until then. Status 1 when something was
lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.points import Fault
    from faults.trials import Bench, Trial

    Attempt = Callable[[Bench, Fault, int], Trial]

PARTS = ("making", "job", "export", "damage")


def main() -> int:
    """Ends with a line of totals."""
    parser = argparse.ArgumentParser(prog="python -m faults", description="Meets faults at every place of a run's writes.")
    parser.add_argument("--table", action="store_true", help="print the table of faults in Markdown")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part, may be given again (default: all)")
    parser.add_argument("--fault", action="append", help="only this fault, such as 'kill -9', may be given again")
    parser.add_argument("--sample", type=int, metavar="N", help="only N places of each part, drawn anew for every fault")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other places")
    parser.add_argument("--share", type=_share, default=(1, 1), metavar="K/N", help="only the K-th of N equal shares")
    arguments = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "critical"}
    from faults.points import DAMAGES, FAULTS
    from faults.trials import make_bench

    faults = [fault for fault in (*FAULTS, *DAMAGES) if arguments.fault is None or fault in arguments.fault]
    tried: Counter[tuple[str, str]] = Counter()
    lost: Counter[tuple[str, str]] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as place:
        bench = make_bench(Path(place).resolve())
        draw = random.Random(arguments.seed)
        places = list(_places(bench, faults, arguments.part or PARTS, arguments.sample, draw))
        share, shares = arguments.share
        if not places:
            parser.error("no such fault comes in these parts")
        with contextlib.suppress(KeyboardInterrupt):
            for attempt, fault, number in places[share - 1 :: shares]:
                trial = attempt(bench, fault, number)
                tried[trial.fault, trial.where] += 1
                if trial.lost:
                    lost[trial.fault, trial.where] += 1
                    _say(f"{trial.fault} at {number} of {trial.where}: {trial.lost}")
    if arguments.table:
        _say("| fault | where | times tried | lost |\n| --- | --- | ---: | ---: |")
        for (fault, where), times in tried.items():
            _say(f"| {fault} | {where} | {times} | {lost[fault, where]} |")
    _say(f"{tried.total()} faults in {time.monotonic() - started:.0f} s, {lost.total()} losses; all shares: {len(places)}")
    return 1 if lost else 0


def _share(text: str) -> tuple[int, int]:
    share, _, shares = text.partition("/")
    if not 1 <= int(share) <= int(shares):
        raise ValueError(text)
    return int(share), int(shares)


def _places(
    bench: Bench, faults: list[Fault], parts: tuple[str, ...], sample: int | None, draw: random.Random
) -> Iterator[tuple[Attempt, Fault, int]]:
    """Which attempt meets which fault at which place, in the same order every time."""
    from faults import trials
    from faults.points import DAMAGES

    attempts: dict[str, tuple[tuple[str, ...], Attempt]] = {
        "making": (bench.made, trials.try_making),
        "job": (bench.points, trials.try_job),
        "export": (bench.exported, trials.try_export),
        "damage": (bench.finished, trials.try_damage),
    }
    for fault in faults:
        for part in parts:
            points, attempt = attempts[part]
            if (part == "damage") != (fault in DAMAGES):
                continue
            numbers = [number for number, point in enumerate(points, 1) if part == "damage" or _comes(fault, point)]
            for number in numbers if sample is None else sorted(draw.sample(numbers, min(sample, len(numbers)))):
                yield attempt, fault, number


def _comes(fault: Fault, point: str) -> bool:
    from faults.points import meets

    # a short write is one that has begun
    return meets(fault, point) and (fault != "short write" or point.startswith("write "))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
