"""Votes on which of two answers is better: one JSON line each, in the run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded
from evomerge_core.files.full_disk import full_disk, is_full
from evomerge_core.files.private import private_files

FILE = "votes.jsonl"
Choice = Literal["left", "right", "tie"]


@dataclass(frozen=True)
class Vote:
    """One comparison: the files at the left and the right, their answers, and which was better. `blind`: whether it was
    hidden which model wrote which answer. `at` is unix time in seconds."""

    at: float
    prompt: str
    left: str
    right: str
    answers: tuple[str, str]
    choice: Choice
    blind: bool

    @property
    def better(self) -> str | None:
        """The file whose answer was better; None for a tie."""
        return {"left": self.left, "right": self.right, "tie": None}[self.choice]


def new_vote(prompt: str, files: Sequence[str], answers: Sequence[str], choice: Choice, *, blind: bool) -> Vote:
    """A vote with the present time."""
    return Vote(time.time(), prompt, files[0], files[1], (answers[0], answers[1]), choice, blind)


def keep_vote(folder: Path, vote: Vote) -> None:
    """Appends a vote to the run's file. Raises `InputError` when it can't be written."""
    path, line = folder / FILE, json.dumps(asdict(vote), ensure_ascii=False) + "\n"
    try:
        with private_files(), path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        if is_full(error):
            raise full_disk(path, len(line), then="vote again") from error
        raise InputError(f"can't be written ({error.strerror}); the vote is lost", where=path) from error


def read_votes(folder: Path) -> list[Vote]:
    """All votes of a run, oldest first; none without a file that can be read. What is no vote, such as a line that was cut, is
    skipped."""
    try:
        lines = read_bounded(folder / FILE, remedy="move it away").splitlines()
    except (FileNotFoundError, InputError):
        return []
    return [vote for vote in map(_vote_of, lines) if vote is not None]


def _vote_of(line: bytes) -> Vote | None:
    try:
        values = json.loads(line)
        vote = Vote(**{**values, "answers": tuple(values["answers"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = (vote.prompt, vote.left, vote.right, *vote.answers)
    is_one = all(isinstance(text, str) for text in texts) and len(vote.answers) == 2 and isinstance(vote.at, int | float)
    return vote if is_one and vote.choice in get_args(Choice) else None


def tally(votes: Sequence[Vote], files: Sequence[str]) -> Mapping[str, int]:
    """How often each of two files was better, and `tie`, in the votes between just these two."""
    between = [vote for vote in votes if {vote.left, vote.right} == set(files)]
    counts = {name: sum(vote.better == name for vote in between) for name in files}
    return counts | {"tie": sum(vote.choice == "tie" for vote in between)}
