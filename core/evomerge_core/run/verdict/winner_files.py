"""The winner's files, known by size and content, so that a finished run notices what it has lost and makes it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.run_folder.names import RESULT, WINNER
from evomerge_core.run.store.facts import read_facts, write_facts
from evomerge_core.sources.stored.fingerprint import hash_file

MODEL = "model"
# People write into it; whatever it says, the model is the same.
_CARD = "README.md"


def known_files(
    winner: Path, recipe_file: str, looked_at: Mapping[str, Sequence[Any]] = MappingProxyType({})
) -> dict[str, Sequence[Any]]:
    """Size in bytes and sha256 of the recipe, the result and the model's files, by their path in `winner`.

    `looked_at`: what `first_damage` has just found unchanged; of these, the model's files aren't read once more.
    """
    model = {name: looked_at.get(name) or _mark(winner / name) for name in _model_files(winner)}
    return {name: _mark(winner / name) for name in (recipe_file, RESULT)} | model


def first_damage(winner: Path, known: Mapping[str, Sequence[Any]]) -> str | None:
    """The first of the files that isn't what was written, sizes looked at before contents, and what it is; None for none."""
    for name, (size, _) in known.items():
        path = winner / name
        if not path.is_file():
            return f"{path} is missing"
        if path.stat().st_size != size:
            return f"{path} has another size than was written"
    for name, (_, digest) in known.items():
        if hash_file(winner / name) != digest:
            return f"{winner / name} isn't what was written"
    return None


def winner_damage(folder: Path) -> str | None:
    """What a finished run's winner has lost, in words; None when it is whole or the run isn't finished.

    A run of an earlier version doesn't know its files: they only have to be there.
    """
    store = read_store(folder)
    try:
        facts = read_facts(store)
    finally:
        store.close()
    if facts.state != "finished":
        return None
    winner = folder / WINNER
    try:
        if facts.winner_files:
            return first_damage(winner, facts.winner_files)
    except InputError as error:
        return error.fault
    needed = (winner / RESULT, winner / MODEL / "config.json")
    return next((f"{path} is missing" for path in needed if not path.is_file()), None)


def forget_winner(folder: Path) -> None:
    """Has the next job make the winner again, whose damage is known: it is not looked for once more."""
    with closing(open_store(folder)) as store:
        write_facts(store, winner_files={}, state="interrupted")


def _mark(file: Path) -> tuple[int, str]:
    return file.stat().st_size, hash_file(file)


def _model_files(winner: Path) -> Iterator[str]:
    for path in sorted((winner / MODEL).rglob("*")):
        if path.is_file() and path.name != _CARD:
            yield path.relative_to(winner).as_posix()
