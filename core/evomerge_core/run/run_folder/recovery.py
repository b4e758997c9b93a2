"""A damaged store: the job goes on from the last sound copy, and says so."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.durable import flush_file, rename
from evomerge_core.files.full_disk import needs_room, resume_it
from evomerge_core.files.path_text import on_command_line
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import COPY, DAMAGED, RECIPE, STORE
from evomerge_core.run.store.connection import BESIDE, DamagedStore
from evomerge_core.run.store.copies import PART
from evomerge_core.run.store.store import Store


def restore_if_damaged(folder: Path) -> str | None:
    """Looks through a run's store; a damaged or missing one is made again from its last copy, for whoever holds the run's lock.

    What was scored after the copy was made is scored again, with the same results. The damaged file stays as `run.damaged.db`;
    the sentence, which is an event too, says what happened. Raises `InputError` when there is no sound copy either.
    """
    damage = _damage(folder)
    if damage is None:
        return None
    taken = _put_back(folder, damage)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(taken))
    sentence = f"{folder / STORE} {damage.problem}: the run goes on from the copy of {when}"
    store = Store(folder / STORE, create=True)
    store.add_event("restored", text=sentence)
    store.close()
    return sentence


def _damage(folder: Path) -> InputError | None:
    if not (folder / STORE).exists() and (folder / COPY).is_file():
        return InputError("is missing")
    try:
        store = open_store(folder)
        try:
            store.require_sound()
        finally:
            store.close()
    except DamagedStore as error:
        return error
    return None


def _put_back(folder: Path, damage: InputError) -> float:
    """Puts a copy of the copy in the store's place, once it is known to be sound; when it was made, in unix time."""
    remedy = f"it has no sound copy: start a new run with `evomerge-tui run {on_command_line(folder / RECIPE)} --out NEW`"
    lost = InputError(damage.problem, where=folder / STORE, remedy=remedy)
    if not (folder / COPY).is_file():
        raise lost
    try:
        copy = Store(folder / COPY, read_only=True)
        try:
            copy.require_sound()
        finally:
            copy.close()
    except DamagedStore:
        raise lost from None
    part = folder / f"{STORE}{PART}"
    with needs_room(part, (folder / COPY).stat().st_size, then=resume_it(folder)):
        shutil.copyfile(folder / COPY, part)
    flush_file(part)
    if (folder / STORE).exists():
        (folder / STORE).replace(folder / DAMAGED)
    for ending in BESIDE:
        # a log of the damaged file must not be taken for one of the copy
        (folder / f"{STORE}{ending}").unlink(missing_ok=True)
    rename(part, folder / STORE)
    return (folder / COPY).stat().st_mtime
