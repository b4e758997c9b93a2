"""Records that no run writes, said in one line wherever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import InterfaceError, ProgrammingError

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.names import STORE
from evomerge_core.run.store.connection import DamagedStore

# What reading raises where a record is missing, or of another kind than the run wrote.
_UNSOUND = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, ProgrammingError, InterfaceError)


@contextmanager
def sound_records(run: Path) -> Iterator[None]:
    """Around all that reads a run's store and result: DamagedStore where they hold JSON or cells of another kind.

    Each value could be checked where it is read; a run has some hundreds of them, and all mean the same to a reader.
    """
    try:
        yield
    except InputError:
        raise
    except _UNSOUND as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DamagedStore(run / STORE, f"it or the result holds what no run writes, {reason}") from error
