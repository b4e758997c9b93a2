"""All scorers by name: every module of the package `scorers` is imported, and registers its own."""

from __future__ import annotations

from evomerge_core.errors import unknown_name
from evomerge_core.submodules import import_modules
from evomerge_core.tasks import scorers
from evomerge_core.tasks.scorers.scorer import Scorer, registered

import_modules(scorers)


def get_scorer(name: str, *, key: str = "scorer") -> Scorer:
    """The scorer of that name. Raises `InputError` with the nearest name."""
    if name not in registered:
        raise unknown_name("scorer", name, registered, where=key)
    return registered[name]


def scorer_names() -> tuple[str, ...]:
    """All names, in alphabetical order."""
    return tuple(sorted(registered))
