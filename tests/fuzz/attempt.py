"""One mutation and what a command makes of it: a finding, or nothing to say."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from evomerge_tui.cli.main import main
from fuzz.mutations import mutate

SECONDS = 20.0
# Of every file that is changed, the commands that read it; OUT is a folder that doesn't exist yet.
_MERGES = (("merge", "merge.yml", "OUT"), ("merge", "slices.yml", "OUT"), ("merge", "path.yml", "OUT"))
_OF_MODELS = (
    ("inspect", "base", "first", "base+adapter"),
    *_MERGES,
    ("preflight", "recipe.yaml", "--out", "OUT"),
    ("try", "recipe.yaml", "--items", "1"),
)
_MODEL_FILES = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("README.md", "config.json", "tokenizer.json", "tokenizer_config.json"),
)
_TARGETS: tuple[tuple[str, Sequence[tuple[str, ...]]], ...] = (
    *((f"{folder}/{name}", _OF_MODELS) for folder in ("base", "first") for name in _MODEL_FILES),
    *(("base/model.safetensors", _OF_MODELS) for _ in range(3)),
    *(("first/model.safetensors.index.json", _OF_MODELS) for _ in range(2)),
    *((name, _OF_MODELS) for name in ("adapter/adapter_config.json", "adapter/adapter_config.json")),
    *((name, _OF_MODELS) for name in ("adapter/adapter_model.safetensors", "adapter/adapter_model.safetensors")),
    *((name, (("merge", name, "OUT"),)) for name in ("merge.yml", "slices.yml", "path.yml", "stages.yml", "merge.yml")),
    *((name, (("preflight", name, "--out", "OUT"), ("try", name, "--items", "1"))) for name in ("recipe.yaml",) * 5),
    ("genome.yml", (("preflight", "genome.yml", "--out", "OUT"),)),
    *(("items.jsonl", _OF_MODELS[-2:]) for _ in range(3)),
    *(("items.csv", _OF_MODELS[-2:]) for _ in range(3)),
    *(("items.json", (("preflight", "other.yaml", "--out", "OUT"), ("try", "other.yaml", "--items", "1"))) for _ in range(2)),
)


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


def commands() -> tuple[tuple[str, ...], ...]:
    """Every command that is tried, once."""
    return tuple(dict.fromkeys(command for _, readers in _TARGETS for command in readers))


def attempt(folder: Path, seed: int, number: int) -> Finding | None:
    """Changes one file of `folder` as (seed, number) says, has a command read it, and puts the file back."""
    draw = Random(f"{seed}/{number}")
    name, readers = draw.choice(_TARGETS)
    command = draw.choice(list(readers))
    path = folder / name
    sound = path.read_bytes()
    mutation = mutate(sound, name, draw)
    out = folder / "out"
    words = [*("out" if word == "OUT" else word for word in command), "--json"]
    try:
        path.unlink() if mutation.data is None else path.write_bytes(mutation.data)
        kind, details = _judged(words, folder)
    finally:
        path.write_bytes(sound)
        shutil.rmtree(out, ignore_errors=True)
    return Finding(number, name, mutation.what, " ".join(words), kind, details) if kind else None


def _judged(words: Sequence[str], folder: Path) -> tuple[str, str]:
    """The kind of a finding and its details, "" for what is as it shall be."""
    said, errors = io.StringIO(), io.StringIO()
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors), _limited(SECONDS):
            status = main(words)
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
    if status == 2 and (len(lines) != 1 or lines[0] != f"error: {result.get('error')}"):
        return f"{words[0]} gave more than one line"
    return ""


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
