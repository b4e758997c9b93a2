"""A damaged store is made again from its copy; one without a copy says what is left to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.run_folder.folder import create_folder, open_store, read_store, require_run, require_sound_store
from evomerge_core.run.run_folder.recovery import restore_if_damaged
from evomerge_core.run.store.connection import DamagedStore
from evomerge_core.run.store.facts import begin_phase, read_facts, write_facts


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose copy was made when its search began; more was written since."""
    run = tmp_path / "run"
    create_folder(run, "evomerge: 1\n", {})
    store = open_store(run, keeps_copies=True)
    write_facts(store, generation=1)
    begin_phase(store, "search", 8)
    write_facts(store, generation=2)
    store.close()
    return run


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def zero_pages(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(8192) + data[12288:])


def spoil_a_text(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = CAST(x'ff22' AS TEXT) WHERE key = 'state'")


def change_a_number(path: Path) -> None:
    """Another number in the place of one, inside a page that is sound otherwise."""
    data = path.read_bytes()
    assert data.count(b"generation2") == 1
    path.write_bytes(data.replace(b"generation2", b"generation7"))


def name_another_format(path: Path) -> None:
    """SQLite reads such a file, and calls it read-only when it shall write."""
    data = path.read_bytes()
    path.write_bytes(data[:18] + b"\x03" + data[19:])


def put_in_a_trigger(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON commands BEGIN DELETE FROM facts; END")


DAMAGES = [Path.unlink, cut, zero_pages, spoil_a_text]


@pytest.mark.parametrize("damage", [*DAMAGES, change_a_number, name_another_format, put_in_a_trigger])
def test_a_run_goes_on_from_its_copy(run: Path, damage: Callable[[Path], None]) -> None:
    damage(run / "run.db")
    require_run(run)
    sentence = restore_if_damaged(run)
    assert sentence is not None
    assert sentence.startswith(f"{run / 'run.db'} is ")
    store = open_store(run)
    assert (read_facts(store).generation, read_facts(store).phase) == (1, "search")
    assert store.events()[-1][2:] == ("restored", {"text": sentence})
    store.close()
    assert (run / "run.damaged.db").exists() == (damage is not Path.unlink)
    assert restore_if_damaged(run) is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_readers_name_the_remedy(run: Path, damage: Callable[[Path], None]) -> None:
    damage(run / "run.db")
    with pytest.raises(InputError, match="evomerge-tui resume"):
        read_facts(read_store(run))


@pytest.mark.parametrize("copy", [Path.unlink, cut, zero_pages])
def test_without_a_sound_copy_the_run_has_to_be_started_again(run: Path, copy: Callable[[Path], None]) -> None:
    zero_pages(run / "run.db")
    copy(run / "run.copy.db")
    before = (run / "run.db").read_bytes()
    with pytest.raises(InputError, match=r"no sound copy: start a new run with `evomerge-tui run \S+recipe\.yaml --out NEW`"):
        restore_if_damaged(run)
    assert (run / "run.db").read_bytes() == before


def test_a_damaged_store_is_not_copied_over_a_sound_copy(run: Path) -> None:
    store = open_store(run, keeps_copies=True)
    sound = (run / "run.copy.db").read_bytes()
    zero_pages(run / "run.db")
    with pytest.raises(DamagedStore, match=r"run\.db: is damaged"):
        store.keep_copy()
    assert (run / "run.copy.db").read_bytes() == sound
    assert not (run / "run.copy.db.part").exists()


def test_a_store_that_cannot_be_written_for_its_header_is_damaged(run: Path) -> None:
    name_another_format(run / "run.db")
    with pytest.raises(DamagedStore, match=r"its header names a format .* goes on from the last sound copy"):
        append_command(run, "stop")


def test_what_a_killed_copying_left_is_swept_by_the_next(run: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        (run / f"run.copy.db.part{ending}").write_bytes(b"half a page")
    store = open_store(run, keeps_copies=True)
    store.keep_copy()
    store.close()
    assert not [path.name for path in run.iterdir() if ".part" in path.name]
    (run / "run.db").unlink()
    assert restore_if_damaged(run) is not None
    assert read_facts(read_store(run)).generation == 2


def test_a_copy_that_cannot_be_made_is_said_once_and_the_last_one_kept(run: Path) -> None:
    store = open_store(run, keeps_copies=True)
    sound = (run / "run.copy.db").read_bytes()
    # a folder in its place, which no file can replace
    (run / "run.copy.db.part").mkdir()
    before = len(store.events())
    store.keep_copy()
    store.keep_copy()
    assert [(kind, data["text"].partition(":")[0]) for *_, kind, data in store.events()[before:]] == [
        ("uncopied", "no copy of the store could be made")
    ]
    assert (run / "run.copy.db").read_bytes() == sound
    (run / "run.copy.db.part").rmdir()
    write_facts(store, generation=3)
    store.keep_copy()
    store.close()
    (run / "run.db").unlink()
    assert restore_if_damaged(run) is not None
    assert read_facts(read_store(run)).generation == 3


def test_of_a_large_store_all_but_the_answers_is_looked_through(run: Path) -> None:
    def spoil(change: str) -> None:
        with sqlite3.connect(run / "run.db") as connection:
            connection.execute(change)

    spoil("INSERT INTO item_scores VALUES (1, 'search', 'nf4', 'sums', '1', 1, NULL, 0, 1, 3, 'changed')")
    require_sound_store(run, most_bytes=100)
    with pytest.raises(DamagedStore, match="item_scores"):
        require_sound_store(run)
    spoil("UPDATE facts SET value = '7' WHERE key = 'generation'")
    with pytest.raises(DamagedStore, match="facts"):
        require_sound_store(run, most_bytes=100)


def test_a_sound_store_stays_as_it_is(run: Path) -> None:
    before = (run / "run.db").read_bytes()
    assert restore_if_damaged(run) is None
    assert (run / "run.db").read_bytes() == before
