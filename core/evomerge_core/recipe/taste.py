"""What a recipe says of taste: prompts whose answers are voted on, and by whom."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded
from evomerge_core.files.fields import Count, Frozen, Positive, Text, key_problem
from evomerge_core.sources.confinement import absolute_path

# Every candidate answers each, and its answers stay in the run's store.
MOST_PROMPTS = 200
_MOST_BYTES = 1_000_000
_MAGIC = b"GGUF"


class Taste(Frozen):
    """Candidates answer your own prompts, and votes between two answers at a time say who is better. By themselves, or as one
    more task beside the others.

    You vote on the screens or with `evomerge-tui vote RUN`, and don't see whose answers they are; the job waits for you. With a
    `judge`, a model votes in your place.
    """

    prompts: Annotated[tuple[Text, ...], Field(max_length=MOST_PROMPTS)] = ()
    """What is asked. Needed unless there is a `file`."""
    file: Text | None = None
    """A text file with a prompt on each line, instead of `prompts`."""
    votes: Annotated[int, Field(strict=True, ge=4)] = 80
    """How many votes the run asks for: one half while it searches, the other between the finalists."""
    judge: Text | None = None
    """A GGUF file that votes. It reads each pair of answers in both orders, so that its liking for the first or the second
    place counts as a tie, and is told."""
    weight: Positive = 1.0
    """How much taste counts beside the tasks."""
    max_new_tokens: Count = 200
    """The most tokens of an answer."""

    @model_validator(mode="after")
    def _some_prompts(self) -> Taste:
        if self.prompts and self.file is not None:
            raise key_problem("file", "can't be combined with prompts", "keep one")
        if not self.prompts and self.file is None:
            raise key_problem(None, "needs 'prompts' or a 'file' that has one on each line")
        twice = next((one for index, one in enumerate(self.prompts) if one in self.prompts[:index]), None)
        if twice is not None:
            raise key_problem("prompts", f"holds {twice[:60]!r} twice", "keep one")
        if not all(one.strip() for one in self.prompts):
            raise key_problem("prompts", "holds an empty prompt", "remove it")
        return self


def with_prompts(taste: Taste, folder: Path) -> Taste:
    """With the prompts of its file in the file's place, so that a run keeps what it began with, and with an absolute path to
    the judge; relative paths start from `folder`. Raises InputError for what can't be read or leads out of it."""
    judge = None if taste.judge is None else str(_judge(absolute_path(taste.judge, folder)))
    prompts = taste.prompts if taste.file is None else _read(absolute_path(taste.file, folder))
    return taste.model_copy(update={"prompts": prompts, "file": None, "judge": judge})


def _judge(path: Path) -> Path:
    remedy = "name a GGUF file"
    try:
        if path.exists() and not path.is_file():
            raise InputError("is no ordinary file", where=path, remedy=remedy)
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", where=path, remedy=remedy) from None
    if magic != _MAGIC:
        raise InputError("isn't a GGUF file", where=path, remedy=remedy)
    return path


def _read(path: Path) -> tuple[str, ...]:
    remedy = "give a text file with a prompt on each line"
    try:
        text = read_bounded(path, most=_MOST_BYTES, remedy=remedy).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy=remedy) from None
    except UnicodeDecodeError:
        raise InputError("isn't text in UTF-8", where=path, remedy=remedy) from None
    if "\0" in text:
        raise InputError("isn't text", where=path, remedy=remedy)
    # Not splitlines(): U+2028 and the like are text inside of a line.
    lines = map(str.strip, io.StringIO(text, newline=None))
    prompts = tuple(dict.fromkeys(line for line in lines if line))
    if not prompts:
        raise InputError("has no prompts", where=path, remedy=remedy)
    if len(prompts) > MOST_PROMPTS:
        problem = f"has {len(prompts):,} prompts, where at most {MOST_PROMPTS} are taken"
        raise InputError(problem, where=path, remedy="give fewer")
    return prompts
