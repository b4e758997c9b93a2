"""Whether a budget in minutes ends on time: `python tests/benchmarks/budget_minutes.py [--minutes 4 8] [--racing on off]`.

The quickstart with no limit of evaluations; time is the whole job's, from its start to its written winner.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from quickstart_variants import carry_out, variant

from evomerge_core.run.report.content import read_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[6.0, 10.0])
    parser.add_argument("--racing", nargs="+", choices=("on", "off"), default=["on", "off"])
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder for the runs (default: a temporary one)")
    args = parser.parse_args()
    print("| racing | minutes | took | off by | candidates |\n| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        for racing in args.racing:
            for minutes in args.minutes:
                recipe = variant(
                    search={"racing": racing == "on"},
                    budget={"evaluations": None, "minutes": minutes},
                    splits={"test": args.test},
                )
                folder = (args.out or Path(scratch)) / f"{racing}-{minutes:g}"
                took = carry_out(recipe, folder) / 60
                searched = sum(candidate.kind == "search" for candidate in read_report(folder).scored)
                print(f"| {racing} | {minutes:g} | {took:.2f} | {100 * (took / minutes - 1):+.1f} % | {searched} |", flush=True)


if __name__ == "__main__":
    main()
