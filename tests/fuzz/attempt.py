"""One mutation and what a command makes of it: a finding, or nothing to say."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from evomerge_tui.cli.main import main
from fuzz.inner import INNER, carry_out
from fuzz.mutations import mutate
from fuzz.readers import READERS, SHARES

SECONDS = 20.0
# Seconds by the clock, after which a fork is ended.
_LONGEST = 200


@dataclass(frozen=True)
class Finding:
    """What went wrong with which mutation; `kind` is the same for findings of one cause."""

    number: int
    file: str
    what: str
    command: str
    kind: str
    details: str


class TooLong(BaseException):
    """Raised in a command that doesn't come to an end."""


def attempt(folder: Path, seed: int, number: int, reader: str) -> Finding | None:
    """Changes one file of `folder` as (seed, number) says, has a command read it, and puts the file back.

    `reader` is one of `READERS`, or `all`.
    """
    draw = Random(f"{seed}/{number}")
    if reader == "all":
        reader = draw.choices(list(READERS), [SHARES.get(name, 1) for name in READERS])[0]
    target = draw.choice(READERS[reader])
    name = target.file
    command = draw.choice(list(target.commands))
    path = folder / name
    sound = path.read_bytes()
    mutation = mutate(sound, name, draw, way=target.way)
    out = folder / "out"
    words = [*("out" if word == "OUT" else word for word in command), "--json"]
    try:
        path.unlink() if mutation.data is None else path.write_bytes(mutation.data)
        # llama.cpp may end the process that opens a file
        judged = _judged_apart if reader == "gguf" and hasattr(os, "fork") else _judged
        kind, details = judged(words, folder)
    finally:
        path.write_bytes(sound)
        shutil.rmtree(out, ignore_errors=True)
    return Finding(number, name, mutation.what, " ".join(words), kind, details) if kind else None


def _judged_apart(words: Sequence[str], folder: Path) -> tuple[str, str]:
    """The same in a fork, whose end by a signal is a finding."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        signal.alarm(_LONGEST)
        with contextlib.suppress(BaseException):
            report.write_text(json.dumps(_judged(words, folder)))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not report.exists():
        return f"{words[0]} ended its process with {status}", ""
    kind, details = json.loads(report.read_text())
    return kind, details


def _judged(words: Sequence[str], folder: Path) -> tuple[str, str]:
    """The kind of a finding and its details, "" for what is as it shall be."""
    said, errors = io.StringIO(), io.StringIO()
    # whoever is asked leaves at once
    sys.stdin = io.StringIO("q\n")
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors), _limited(SECONDS):
            status = carry_out(words[:-1]) if words[0] in INNER else main(words)
        if status == 130:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever escapes is what is looked for, a library's panic too
        return _origin(error), "".join(traceback.format_exception(error))
    return _misbehaviour(words, status, said.getvalue(), errors.getvalue()), f"{errors.getvalue()}\n{said.getvalue()[-2000:]}"


def _misbehaviour(words: Sequence[str], status: int, said: str, errors: str) -> str:
    if status not in ((0, 1, 2) if words[0] == "preflight" else (0, 2)):
        return f"{words[0]} ended with status {status}"
    try:
        result = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        return f"{words[0]} printed no JSON"
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    if status == 2 and not _told_in_lines(result, lines):
        return f"{words[0]} gave more than one line"
    return ""


def _told_in_lines(result: Mapping[str, Any], lines: Sequence[str]) -> bool:
    """Whether one line says what was wrong, the result's own; or, where several models were inspected, one for each."""
    refusals = result.get("refusals")
    if "error" not in result and refusals:
        return not lines and all(len(line.splitlines()) == 1 for line in refusals)
    return list(lines) == [f"error: {result.get('error')}"]


def _origin(error: BaseException) -> str:
    """The error's type and the last line of the project's that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/evomerge_" in frame.filename.replace("\\", "/")]
    place = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno} ({place.name})"


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises TooLong in what takes longer, where the system has such an alarm; it counts the process's own time."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise TooLong(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
