"""Commands that screens start beside themselves: their words and their environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from evomerge_core.errors import InputError
from evomerge_core.files.child_environment import without_token

# They read a run that is here: what it needs of the hub was fetched when it began.
_ON_A_RUN = frozenset({"candidate", "export"})


def command_environment(words: Sequence[object]) -> dict[str, str]:
    """With the hub's token only for a command that may fetch something."""
    kept = without_token() if words and words[0] in _ON_A_RUN else dict(os.environ)
    return {**kept, "PYTHONIOENCODING": "utf-8"}


def command_line(words: Sequence[object]) -> list[str]:
    """`evomerge-tui WORDS --json` as a process's arguments. Raises InputError for a word that no process can be given."""
    texts = [str(word) for word in words]
    for text in texts:
        if "\0" in text:
            raise InputError("holds a NUL character, which no name of a file or model does", where=text, remedy="remove it")
    return [sys.executable, "-P", "-m", "evomerge_tui", *texts, "--json"]
