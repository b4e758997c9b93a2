"""Which model a path means: a run's winner, another of its candidates, or the model in a folder."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.names import STORE
from evomerge_quant.gguf.subject.subject import Subject, subject_of_folder


def find_subject(path: Path, candidate: str | None = None) -> Subject:
    """The winner of the run in `path`, or its candidate of that label; or the model in the folder `path`.

    InputError when it is neither, when there is no such candidate or no winner yet, and when sources changed since the run.
    """
    if (path / STORE).is_file():
        # A run needs much that a model folder does not, and that takes seconds to load.
        from evomerge_quant.gguf.subject.run_subject import subject_of_run

        return subject_of_run(path, candidate)
    if candidate is not None:
        raise InputError(f"--candidate {candidate}: {path} is not a run's folder; give one, or leave the option out")
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give a run's folder or a model's")
    return subject_of_folder(path)
