"""`python -m fuzz [--reader NAME] [--count N]`, in the folder `tests`: mutations that end in anything but one line.

A finding is printed with its number; `--reader NAME --seed N --first NUMBER --count 1 --show` does it again and shows the
whole error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.readers import READERS

if TYPE_CHECKING:
    from fuzz.attempt import Finding


def main() -> int:
    """Status 1 when there were findings; each kind is printed once, with how often it came. Ctrl+C ends the series."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description="Has the commands read files that are broken at random."
    )
    parser.add_argument("--reader", choices=["all", *READERS], default="all", help="what reads the files that are broken")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another series of mutations")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation of the series")
    parser.add_argument("--count", type=int, default=1000, help="how many mutations")
    parser.add_argument("--show", action="store_true", help="print the whole error of each kind of finding")
    arguments = parser.parse_args()
    # No mutated name may be looked up on the hub.
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "critical"}
    from fuzz.attempt import attempt
    from fuzz.seeds import write_seeds

    kinds: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        folder = Path(place).resolve()
        write_seeds(folder)
        tried = 0
        with contextlib.suppress(KeyboardInterrupt):
            for number in range(arguments.first, arguments.first + arguments.count):
                _tell(attempt(folder, arguments.seed, number, arguments.reader), kinds, whole=arguments.show)
                tried += 1
    _say(f"{arguments.reader}: {tried} mutations in {time.monotonic() - started:.0f} s, {sum(kinds.values())} findings")
    for kind, times in kinds.most_common():
        _say(f"{times:6} {kind}")
    return 1 if kinds else 0


def _tell(finding: Finding | None, kinds: Counter[str], *, whole: bool) -> None:
    """Counts a finding, and prints the first of its kind."""
    if finding is None:
        return
    kinds[finding.kind] += 1
    if kinds[finding.kind] == 1:
        _say(f"{finding.kind}\n  --first {finding.number}: {finding.file}: {finding.what} ({finding.command})")
        _say(finding.details if whole else "")


def _say(text: str) -> None:
    if text:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
