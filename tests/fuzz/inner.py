"""What reads files without a command of its own, or does more than read in it, told as a command tells it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from evomerge_core.errors import InputError
from evomerge_core.run.population.evolve import Additions, evolve
from evomerge_tui.talk import chat_history
from evomerge_tui.talk.votes import read_votes
from evomerge_tui.user.settings import load_settings


@contextmanager
def kept_in(file: Path) -> Iterator[None]:
    """While it is open, conversations are kept in a file; its place hangs on the model's otherwise."""
    with patch.object(chat_history, "_place", lambda _: file):
        yield


def _evolve(run: str, out: str) -> str:
    # the command would start a job
    return str(evolve(Path(run), Additions([], None, Path.cwd()), out=Path(out)))


def _history(file: str, model: str) -> int:
    with kept_in(Path(file)):
        said = chat_history.recall_chat(Path(model))
    return 0 if said is None else len(said.messages)


INNER: Mapping[str, Callable[..., object]] = {
    "settings": lambda file: load_settings(Path(file)).theme,
    "evolve": _evolve,
    "history": _history,
    "votes": lambda folder: len(read_votes(Path(folder))),
}


def carry_out(words: Sequence[str]) -> int:
    """Status 0 and what was read, or status 2 and the error's line; `words` without `--json`."""
    try:
        told = {"read": INNER[words[0]](*words[1:])}
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        told = {"error": str(error)}
    sys.stdout.write(f"{json.dumps(told)}\n")
    return 2 if "error" in told else 0
