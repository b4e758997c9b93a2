"""Records that no run writes, said in one line wherever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import InterfaceError, ProgrammingError

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.names import RESULT, STORE, WINNER
from evomerge_core.run.store.connection import DamagedStore
from evomerge_core.run.store.facts import read_facts
from evomerge_core.sources.stored.fingerprint import hash_file

# What reading raises where a record is missing, or of another kind than the run wrote.
_UNSOUND = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, ProgrammingError, InterfaceError)


@contextmanager
def sound_records(run: Path) -> Iterator[None]:
    """Around all that reads a run's store and result: DamagedStore where they hold JSON or cells of another kind.

    Each value could be checked where it is read; a run has some hundreds of them, and all mean the same to a reader. What is
    raised over records that are known to be as they were written is a mistake of the reader's, and stays what it is.
    """
    try:
        yield
    except InputError:
        raise
    except _UNSOUND as error:
        if _are_as_written(run):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DamagedStore(run / STORE, f"it or the result holds what no run writes, {reason}") from error


def _are_as_written(run: Path) -> bool:
    try:
        with closing(read_store(run)) as store:
            known, result = read_facts(store).winner_files.get(RESULT), run / WINNER / RESULT
            # what lies there before the run has written one is somebody else's
            return store.is_as_written() and (not result.exists() if known is None else hash_file(result) == known[1])
    except (InputError, OSError, *_UNSOUND):
        return False
