"""One fault at one place of a tiny run: what it does, and whether anything is lost once the work is taken up again.

Every attempt is a fork of this process, which has imported everything and computed nothing.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

import evomerge_quant.resident.model  # noqa: F401
from evomerge_core.errors import InputError
from evomerge_core.files.disk_problem import disk_problem
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.recovery import restore_if_damaged
from evomerge_core.run.setup import create_run
from evomerge_core.run.verdict.winner_files import winner_damage
from evomerge_core.run.view.progress import read_progress
from evomerge_quant.gguf import export as module
from evomerge_quant.gguf.plan import make_plan
from evomerge_quant.gguf.quantize.file_types import find_types
from evomerge_quant.gguf.subject.subject import subject_of_folder
from evomerge_tui.processes.job import work
from faults.points import KILLS, Fault, Points
from support.tiny_gguf import save_folder, write_gguf
from support.tiny_run import scores, timeless, write_recipe

_RECIPE: dict[str, Any] = {
    "splits": {"search": 4, "validation": 2, "test": 3},
    "evaluation": {"precision": "fp32", "device": "cpu"},
    # the second search begins where the first has ended: a change of stage
    "stages": [
        {"search_space": {"groups": "whole"}, "budget": {"evaluations": 2}},
        {"paths": {"sources": ["weights", "first"], "max_layers": 3}, "budget": {"evaluations": 2}},
    ],
}
_KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Trial:
    """What came of a fault: `where` it was, what was `lost` ("" for nothing), and the line that was said."""

    fault: Fault
    where: str
    lost: str
    said: str


@dataclass(frozen=True)
class Bench:
    """A recipe, a new run of it, the same run carried out without a fault, and an export; with the places where each writes,
    and the files of the finished run."""

    folder: Path
    made: tuple[str, ...]
    points: tuple[str, ...]
    exported: tuple[str, ...]
    finished: tuple[str, ...]

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.yaml"


def make_bench(folder: Path) -> Bench:
    """Carries the run out once, which is what every other attempt is compared with."""
    recipe = yaml.safe_load(write_recipe(folder, **_RECIPE).read_text())
    del recipe["search_space"]  # each stage has its own
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    made = _watched(lambda: _create(folder / "recipe.yaml", folder / "fresh"), folder / "fresh", "kill -9", 0)
    shutil.copytree(folder / "fresh", folder / "whole")
    done = _watched(lambda: work(folder / "whole"), folder / "whole", "kill -9", 0)
    save_folder(folder / "model")
    write_gguf(folder / "model", folder / "plain.gguf")
    exported = _watched(lambda: _export(folder, folder / "files"), folder / "files", "kill -9", 0)
    for attempt in (made, done, exported):
        if attempt.status != 0:
            raise RuntimeError(f"it doesn't end by itself: {attempt.said}")
    # whoever finishes a run may add to its card
    winner = [path for path in sorted((folder / "whole" / "winner").rglob("*")) if path.is_file() and path.name != "README.md"]
    finished = ("run.db", *(path.relative_to(folder / "whole").as_posix() for path in winner))
    return Bench(folder, made.seen, done.seen, exported.seen, finished)


def try_making(bench: Bench, fault: Fault, number: int) -> Trial:
    """A fault while the run's folder is made; then `run` again, or the run is there."""
    run = bench.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    broken = _watched(lambda: _create(bench.recipe, run), run, fault, number)
    lost = _misbehaviour(broken, fault)
    if not lost and not (run / "run.db").exists():
        again = _watched(lambda: _create(bench.recipe, run), run, fault, 0)
        lost = "" if again.status == 0 else f"the run can't be made any more: {again.said}"
    if not lost and any((run / name).read_bytes() != (bench.folder / "fresh" / name).read_bytes() for name in _FROZEN):
        lost = "what was frozen is another"
    if not lost:
        left = {path.name for path in run.iterdir() if not path.name.startswith(("run.db", "job.lock"))} - {*_FROZEN}
        lost = f"left behind: {', '.join(sorted(left))}" if left else ""
    return Trial(fault, "making the run", lost, broken.said)


def try_job(bench: Bench, fault: Fault, number: int) -> Trial:
    """A fault in the job; then the job again, which must end as the one without a fault did."""
    run = bench.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(bench.folder / "fresh", run)
    broken = _watched(lambda: work(run), run, fault, number)
    lost = _misbehaviour(broken, fault)
    if not lost and broken.status == 2:
        message = read_progress(run).message or broken.said
        lost = "" if "\n" not in message.strip() else f"said in several lines: {message}"
    if not lost:
        again = _watched(lambda: work(run), run, fault, 0)
        lost = _difference(run, bench.folder / "whole") if again.status == 0 else f"it doesn't go on: {again.said}"
    return Trial(fault, _place(bench.points[number - 1]), lost, broken.said)


def try_export(bench: Bench, fault: Fault, number: int) -> Trial:
    """A fault in an export; then the export again. Nothing half-made has a name or, after an error, is there at all."""
    out = bench.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    broken = _watched(lambda: _export(bench.folder, out), out, fault, number)
    lost = _misbehaviour(broken, fault)
    whole = {path.name: path.read_bytes() for path in (bench.folder / "files").iterdir()}
    there = {path.name: path for path in out.iterdir()} if out.exists() else {}
    if not lost and fault not in KILLS and not {*there} <= {*whole}:
        lost = f"left behind: {', '.join({*there} - {*whole})}"
    if not lost and fault != "power cut" and any(whole[name] != there[name].read_bytes() for name in {*there} & {*whole}):
        lost = "a half-made file has a name"
    for path in [path for name, path in there.items() if name in whole]:
        path.unlink()  # the command wants it so
    if not lost:
        again = _watched(lambda: _export(bench.folder, out), out, fault, 0)
        found = {path.name: path.read_bytes() for path in out.iterdir()} if again.status == 0 else {}
        named = {name: data.replace(b"/out/", b"/files/") for name, data in found.items()}
        lost = f"it can't be done again: {again.said}" if again.status != 0 else "" if named == whole else "files differ"
    return Trial(fault, "an export's files", lost, broken.said)


def try_damage(bench: Bench, fault: Fault, number: int) -> Trial:
    """A file of a finished run is damaged; then the job again, which must notice it and make what was lost anew."""
    run, name = bench.folder / "run", bench.finished[number - 1]
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(bench.folder / "whole", run)
    path = run / name
    if fault == "removed":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if fault == "cut short" else _overwritten(data, is_store=name == "run.db"))
    mended = _watched(lambda: _mend(run), run, fault, 0)
    lost = f"it isn't mended: {mended.said}" if mended.status != 0 else _difference(run, bench.folder / "whole")
    return Trial(fault, "a finished run's store" if name == "run.db" else "a finished run's winner", lost, mended.said)


def _overwritten(data: bytes, *, is_store: bool) -> bytes:
    """128 bytes in the middle are others; in a store the first from there on that any row is read from."""
    # a store's pages have room that is free, or holds rows that were removed
    places = range(len(data) // 2, len(data), 128)
    changed = (data[:at] + b"\xff" * 128 + data[at + 128 :] for at in places)
    return next(other for other in changed if not is_store or _rows(other) != _rows(data))


def _rows(data: bytes) -> list[list[Any]] | None:
    """All that SQLite reads in a store; None where it calls it damaged."""
    with closing(sqlite3.connect(":memory:")) as store:
        # in memory there is no log, which the header speaks of
        store.deserialize(data[:18] + b"\1\1" + data[20:])
        try:
            tables = store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
            return [store.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables]
        except (sqlite3.Error, UnicodeDecodeError):
            return None


def _mend(run: Path) -> int:
    """What `resume` does; status 3 when the damage isn't noticed."""
    restored = restore_if_damaged(run)
    noticed = restored is not None or winner_damage(run) is not None
    return work(run) if noticed else 3


def _export(folder: Path, out: Path) -> int:
    """An export whose converter is a copy: llama.cpp's own writes are other processes'."""
    module.check_model = lambda *_: ()
    module.run_converter = lambda _process, _model, target, *_: shutil.copyfile(folder / "plain.gguf", target)
    plan = make_plan(subject_of_folder(folder / "model"), find_types(["Q8_0"], imatrix=False), out, imatrix=False)
    try:
        module.export(plan, cast("Any", None), lambda _: None, prove=None, runner="ollama")
    except (InputError, OSError) as error:
        # as the command line says it
        problem = error if isinstance(error, InputError) else disk_problem(error, out)
        sys.stderr.write(f"{problem}\n")
        return 1 if problem is None else 2
    return 0


def _place(point: str) -> str:
    what, _, path = point.partition(" ")
    if path.startswith("winner"):
        return "the winner's files"
    if path.startswith("run.copy"):
        return "copies of the store"
    return "the store" if what.startswith("commit") else "the run's other files"


_FROZEN = ("recipe.yaml", "sources.json")


@dataclass(frozen=True)
class _Attempt:
    status: int
    seen: tuple[str, ...]
    said: str


def _watched(do: Callable[[], int], folder: Path, fault: Fault, number: int) -> _Attempt:
    """Does it in a fork with a fault at a point; the status, the points, and the last line of standard error."""
    report = folder.parent / "report.json"
    errors = folder.parent / "errors.txt"
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_child(do, Points(folder, fault, number), report, errors)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen = tuple(json.loads(report.read_text())) if report.exists() else ()
    lines = errors.read_text().strip().splitlines()
    return _Attempt(status, seen, lines[-1] if lines else "")


def _in_child(do: Callable[[], int], points: Points, report: Path, errors: Path) -> None:
    status = 1
    try:
        handle = os.open(errors, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        points.watch()
        status = do()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        with os.fdopen(os.open(report, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), "w") as file:
            json.dump(points.seen, file)
        os._exit(status)


def _create(recipe: Path, run: Path) -> int:
    try:
        create_run(load_recipe(recipe), out=run)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _misbehaviour(broken: _Attempt, fault: Fault) -> str:
    """What is wrong with how an attempt ended: kills kill, a fault of the disk ends in one line or does no harm."""
    if fault in KILLS:
        return "" if broken.status == _KILLED else f"it wasn't killed: {broken.status} {broken.said}"
    if broken.status == 0:
        return ""
    # the system's words, or SQLite's
    why = (os.strerror(errno.EIO), "disk I/O error") if fault == "I/O error" else (" is full: ",)
    told = broken.status == 2 and any(words in broken.said for words in why)
    return "" if told else f"status {broken.status}: {broken.said}"


def _difference(run: Path, whole: Path) -> str:
    if scores(run) != scores(whole):
        return "scores differ"
    for name, expected in _winner(whole).items():
        path = run / "winner" / name
        if not path.is_file():
            return f"{name} is missing"
        found = path.read_bytes()
        is_result = name == "result.json"
        if (timeless(json.loads(found)) != timeless(json.loads(expected))) if is_result else found != expected:
            return f"{name} differs"
    return ""


@cache
def _winner(whole: Path) -> dict[str, bytes]:
    files = [path for path in sorted((whole / "winner").rglob("*")) if path.is_file()]
    return {path.relative_to(whole / "winner").as_posix(): path.read_bytes() for path in files}
