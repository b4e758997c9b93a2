"""The quickstart from start to verdict, seed by seed: `python tests/benchmarks/quickstart_seeds.py [--seeds 0 1 2] [--vlm]`.

Each run is a process of its own; time is the whole command's, memory the peak of all its processes together (resident
sets summed, so pages that they share count twice). Prints one Markdown table per precision.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil


def run_quickstart(seed: int, folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """One quickstart; its result with the whole command's `wall` seconds and `peak` bytes."""
    told = ["quickstart", *options, "--seed", str(seed), "--out", str(folder), "--json"]
    command = [sys.executable, "-m", "evomerge_tui", *told]
    started, peak = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    tree = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, resident(tree))
        time.sleep(0.5)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    if "winner" not in result:
        sys.exit(f"seed {seed}: ended with status {process.returncode}")
    if "error" in result:
        print(f"seed {seed}: {result['error']}", file=sys.stderr)
    return {**result, "wall": time.monotonic() - started, "peak": peak}


def resident(tree: psutil.Process) -> int:
    total = 0
    try:
        for process in (tree, *tree.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # it ended between the listing and the look
    return total


def table(results: dict[int, dict[str, Any]], precision: str) -> str:
    """Test scores in per cent, and the largest p of the winner against parents and equal-weight merges."""
    parents = " | ".join(parent["name"] for parent in next(iter(results.values()))["parents"])
    lines = [
        f"Test accuracy in {precision}, %:",
        "",
        f"| seed | {parents} | equal-weight 0.5 | 0.75 | 1 | **child** | 95 % interval | largest p | minutes | peak GB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for seed, result in results.items():
        part = result if precision == result["precision"] else result["confirmed"][precision]
        low, high = part["winner"]["interval"]
        others = " | ".join(f"{100 * model['test']:.1f}" for model in (*part["parents"], *part["uniform"]))
        p = max(comparison["p"] for comparison in part["against"])
        lines.append(
            f"| {seed} | {others} | **{100 * part['winner']['test']:.1f}** | {100 * low:.0f} to {100 * high:.0f} | {p:.1g} "
            f"| {result['wall'] / 60:.1f} | {result['peak'] / 1e9:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--vlm", action="store_true", help="the quickstart with pictures")
    parser.add_argument("--out", type=Path, help="folder for the runs (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = args.out or Path(scratch)
        results: dict[int, dict[str, Any]] = {}
        for seed in args.seeds:
            results[seed] = run_quickstart(seed, place / f"seed-{seed}", ["--vlm"] if args.vlm else [])
            print(f"seed {seed}: {results[seed]['verdict']}", file=sys.stderr, flush=True)
        first = next(iter(results.values()))
        for precision in (first["precision"], *first["confirmed"]):
            print(table(results, precision), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
