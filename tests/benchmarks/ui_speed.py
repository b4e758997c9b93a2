"""How quick the screens are: `python tests/benchmarks/ui_speed.py`. Prints a Markdown table.

Whole processes where a person would wait for them; keys while a writer fills the store as no job ever does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pty
import random
import select
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

ROUNDS = 7
EVENTS_A_SECOND = 200
KEY_SECONDS = 20
EVENTS = 20_000
CANDIDATES = 10_000


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = place
        rows = [
            ("first paint, whole process, warm", f"{1000 * statistics.median(first_paints(Path(place))):.0f} ms", "500 ms"),
            ("`evomerge-tui --help`, whole process, warm", f"{1000 * statistics.median(helps()):.0f} ms", "200 ms"),
            (f"opening a store of {CANDIDATES:,} candidates", f"{1000 * asyncio.run(opening(Path(place))):.0f} ms", "1000 ms"),
        ]
        keys = sorted(asyncio.run(keys_while_written(Path(place))))
        rows.append(
            (f"key to screen at {EVENTS_A_SECOND} events a second, median", f"{1000 * statistics.median(keys):.0f} ms", "")
        )
        rows.append(("the same, 99th percentile", f"{1000 * keys[int(0.99 * len(keys))]:.0f} ms", "50 ms"))
        before, after = asyncio.run(memory(Path(place)))
        rows.append(
            (
                f"memory after {EVENTS // 4:,} and after {EVENTS:,} events",
                f"{before / 1e6:.0f} and {after / 1e6:.0f} MB",
                "flat",
            )
        )
    print("| what | measured | wanted |\n| --- | ---: | ---: |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def first_paints(place: Path) -> list[float]:
    """Seconds from the start of the process until the first screen's words are in the terminal."""
    folder = place / "empty"
    folder.mkdir()
    return [_first_paint(folder) for _ in range(ROUNDS + 1)][1:]


def _first_paint(folder: Path) -> float:
    started = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(
            sys.executable,
            [sys.executable, "-m", "evomerge_tui"],
            {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        )
    said = b""
    while b"evomerge" not in said:
        if select.select([fd], [], [], 30)[0]:
            said += os.read(fd, 65536)
    seconds = time.perf_counter() - started
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(fd)
    return seconds


def helps() -> list[float]:
    """Seconds of whole processes."""
    times = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "evomerge_tui", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return times[1:]


async def opening(place: Path) -> float:
    """Seconds from opening the dashboard until all candidates are in its list, the plot's library loaded before."""
    from support.large_store import fill
    from support.screen_tools import make_app, shown, table, until

    fill(place / "large", CANDIDATES)
    app = make_app(place)
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "stopped" in shown(app))
        await asyncio.sleep(3)
        started = time.perf_counter()
        app.open_run(place / "large")
        while not _has_rows(app, table):
            await asyncio.sleep(0.005)
        return time.perf_counter() - started


def _has_rows(app: object, table: object) -> bool:
    from textual.css.query import NoMatches

    try:
        return len(table(app, "candidate-list").rows) == CANDIDATES  # type: ignore[operator]
    except NoMatches:
        return False


def writer(run: Path, count: int, a_second: float, stop: threading.Event) -> None:
    """Evaluations with their events, as a job writes them, but far more often. In a process of its own."""
    from evomerge_core.run.store.records import Evaluation, ItemScore
    from evomerge_core.run.store.store import Store

    store = Store(run / "run.db")
    draw = random.Random(1)
    started = time.perf_counter()
    for number in range(count):
        one = store.add_candidate(
            "search",
            f"g{number // 10}.{number % 10}",
            generation=number // 10,
            position=number % 10,
            genome=[draw.random()] * 8,
        )
        items = [ItemScore("t", str(i), 1.0, 0.1, False, True, 3, "yes") for i in range(4)]
        store.save_evaluation(one.id, "search", "nf4", Evaluation(draw.random(), draw.random(), None, 1.0, 12), items)
        time.sleep(max(0.0, started + number / a_second - time.perf_counter()))
        if stop.is_set():
            break
    store.close()


async def keys_while_written(place: Path) -> list[float]:
    """Seconds from a key until what it does has been drawn, while another process writes."""
    from support.screen_tools import make_app, table, until

    run = _empty_run(place / "written")
    child = _write_in_process(run, 10**9, EVENTS_A_SECOND)
    app = make_app(place)
    app.drawn = 0.0
    app.post_display_hook = lambda: setattr(app, "drawn", time.perf_counter())
    times: list[float] = []
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            app.open_run(run)
            await until(pilot, lambda: len(table(app, "candidate-list").rows) > 50)
            end = time.perf_counter() + KEY_SECONDS
            keys = ("down", "down", "down", "up", "pagedown", "home")
            rows = table(app, "candidate-list")
            await pilot.press("home")
            while time.perf_counter() < end:
                key = keys[len(times) % len(keys)]
                place_before = rows._index
                started = time.perf_counter()
                app.simulate_key(key)
                while rows._index == place_before or app.drawn < started:
                    await asyncio.sleep(0)
                times.append(time.perf_counter() - started)
                await asyncio.sleep(0.03)
    finally:
        child.kill()
        child.wait()
    return times


async def memory(place: Path) -> tuple[int, int]:
    """Bytes of this process after a quarter of the events and after all, candidates staying the same."""
    from support.screen_tools import make_app, table, until

    run = _empty_run(place / "remembered")
    app = make_app(place)
    seen = []
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_run(run)
        await until(pilot, lambda: table(app, "candidate-list") is not None)
        for part in range(4):
            _add_events(run, EVENTS // 4)
            await asyncio.sleep(4)
            gc.collect()
            seen.append(psutil.Process().memory_info().rss)
            del part
    return seen[0], seen[-1]


def _add_events(run: Path, count: int) -> None:
    with sqlite3.connect(run / "run.db") as connection:
        connection.executemany(
            "INSERT INTO events (at, kind, data) VALUES (?, 'rung', ?)",
            [(time.time(), '{"candidate": 1, "rung": 0, "failure": null}') for _ in range(count)],
        )


def _empty_run(folder: Path) -> Path:
    from evomerge_core.run.run_folder.folder import create_folder, open_store

    create_folder(folder, "evomerge: 1\nname: written\n", {})
    store = open_store(folder)
    store.set_facts(state="stopped", precision="nf4", weights={"t": 1.0}, items={"search": 4})
    store.close()
    return folder


def _write_in_process(run: Path, count: int, a_second: float) -> subprocess.Popen[bytes]:
    words = [sys.executable, __file__, "--write", str(run), str(count), str(a_second)]
    return subprocess.Popen(words)


if __name__ == "__main__":
    if "--write" in sys.argv:
        writer(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), threading.Event())
    else:
        main()
