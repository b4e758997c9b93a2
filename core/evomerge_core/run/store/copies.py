"""A copy of a run's store, from which a damaged one is made again."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.durable import flush_file, rename
from evomerge_core.run.store.connection import BESIDE, Connection, DamagedStore, connect, says_why
from evomerge_core.run.store.soundness import require_sound

# What a store's name ends with while it is written.
PART = ".part"


def copy_store(connection: Connection, target: Path) -> str | None:
    """Copies a store to a file: whole or not at all. Says why where the disk takes no copy; the one before is kept then, and
    where the store isn't sound any more: this raises DamagedStore.
    """
    part = target.with_name(f"{target.name}{PART}")
    try:
        # also what a killed copying has left
        _sweep(part)
        with closing(connect(part)) as copy:
            with says_why(connection.path):
                connection.backup(copy)
            # a file that needs no other beside it
            copy.execute("PRAGMA journal_mode = DELETE")
            require_sound(copy)
        flush_file(part)
        rename(part, target)
        return None
    except DamagedStore as error:
        _remove(part)
        require_sound(connection)
        # the store is sound: it is the copy's place that isn't
        return str(error)
    except (OSError, sqlite3.Error, InputError) as error:
        _remove(part)
        return str(error)


def _sweep(part: Path) -> None:
    for file in (part, *(part.with_name(f"{part.name}{ending}") for ending in BESIDE)):
        file.unlink(missing_ok=True)


def _remove(part: Path) -> None:
    with suppress(OSError):
        _sweep(part)
