"""`python kill_harness.py RUN ROUNDS SEED [APART]`: kills a run's job again and again, then lets it finish; prints the kills.

Each job is a fork of this process, which has imported everything and computed nothing: a fresh job without the seconds
of imports. Every kill is a SIGKILL at a random moment.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import evomerge_quant.resident.model  # noqa: F401
from evomerge_core.run.store.store import Store
from evomerge_tui.processes.job import work


def evaluations(run: Path) -> int:
    store = Store(run / "run.db")
    try:
        return sum(store.count_evaluations(split) for split in ("search", "validation", "test"))
    finally:
        store.close()


def start(run: Path) -> int:
    child = os.fork()
    if child == 0:
        os._exit(work(run))
    return child


def kill_once(run: Path, rng: random.Random, apart: int) -> bool:
    """Starts a job and kills it a moment after `apart` more evaluations, or earlier; whether it was still alive."""
    child = start(run)
    wanted = evaluations(run) + rng.choice((0, apart, apart, apart))
    deadline = time.monotonic() + 60
    while evaluations(run) < wanted and time.monotonic() < deadline and os.waitpid(child, os.WNOHANG)[0] == 0:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.03) if wanted else rng.uniform(0, 1.0))
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return False
    return True


def main() -> None:
    run, rounds, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    apart = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    kills = sum(kill_once(run, rng, apart) for _ in range(rounds))
    status = os.waitstatus_to_exitcode(os.waitpid(start(run), 0)[1])
    print(f"{kills} kills, last job ended with {status}")
    sys.exit(status)


if __name__ == "__main__":
    main()
