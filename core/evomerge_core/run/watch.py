"""What a job relies on while it works, its place and its sources' files, looked at again before and after each candidate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.fingerprints import read_fingerprints
from evomerge_core.run.run_folder.interruption import restore_it
from evomerge_core.run.run_folder.names import SOURCES
from evomerge_core.run.run_folder.place import Place, mark_place, require_place
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.store import Store
from evomerge_core.sources.stored.file_marks import FileMark, change_of, mark_file
from evomerge_core.sources.stored.fingerprint import hash_file, sha256_of


@dataclass
class Watch:
    """Where a job works, how its sources' files looked when it last knew what they hold, and their hashes, by path."""

    place: Place
    hashes: dict[str, str]
    marks: dict[str, FileMark]

    def require_unchanged(self) -> None:
        """Raises `InputError` where the run's folder, store or lock, or a source's file, isn't what the job began with.

        A file that was only touched, or holds the same again, is as good as before.
        """
        require_place(self.place)
        for path, mark in self.marks.items():
            change = change_of(mark)
            if change is not None:
                self._require_same(path, change, restore_it(self.place.folder))

    def also(self, files: Iterable[Path]) -> None:
        """Watches further files, which hold what they should now."""
        for path in files:
            self.marks[str(path)] = mark_file(path)
            self.hashes[str(path)] = hash_file(path)

    def require_same_content(self) -> None:
        """The same, every source being read again to its last byte: size and time can be set to anything."""
        require_place(self.place)
        for path in self.marks:
            remedy = "restore it, and start a new run: nobody knows which scores are of which weights"
            self._require_same(path, "was overwritten in secret", remedy)

    def _require_same(self, path: str, change: str, remedy: str) -> None:
        # marked before it is read: what is written meanwhile is seen the next time
        try:
            mark = mark_file(Path(path))
            same = hash_file(Path(path)) == self.hashes[path]
        except InputError:
            same = False
        if not same:
            raise InputError(f"{change} while the job ran", where=path, remedy=remedy)
        self.marks[path] = mark


def watch_run(folder: Path, setup: Setup, store: Store) -> Watch:
    """Begins to watch, for the job that has the run's lock; what the sources held when the run began is in its folder."""
    began = read_fingerprints(folder / SOURCES)
    hashes, marks = {}, {}
    for reference, source in setup.sources.items():
        for name, path in source.named_files.items():
            marks[str(path)] = mark_file(path)
            hashes[str(path)] = began[reference].get(name) or sha256_of(path)
    write_facts(store, source_files=list(marks.values()))
    return Watch(mark_place(folder), hashes, marks)
