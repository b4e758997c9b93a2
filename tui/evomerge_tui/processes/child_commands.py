"""The environment of commands that screens start beside themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence

from evomerge_core.files.child_environment import without_token

# They read a run that is here: what it needs of the hub was fetched when it began.
_ON_A_RUN = frozenset({"candidate", "export"})


def command_environment(words: Sequence[object]) -> dict[str, str]:
    """With the hub's token only for a command that may fetch something."""
    kept = without_token() if words and words[0] in _ON_A_RUN else dict(os.environ)
    return {**kept, "PYTHONIOENCODING": "utf-8"}
