"""Downloads a hub model and reports progress; an interrupted download resumes where it stopped, even within a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.discovery.hub_file import LARGE, fetch_large
from evomerge_core.errors import InputError
from evomerge_core.sources.resolve import UNWANTED, as_input_error, download, hub_id, wanted_files


@dataclass(frozen=True)
class Downloaded:
    """Bytes downloaded so far, and in all."""

    done: int
    total: int


def download_model(reference: str, report: Callable[[Downloaded], None], *, allow_pickle: bool = False) -> Path:
    """Downloads `owner/name` or `owner/name@revision` into the hub's cache; returns its folder. A local folder is returned.

    `report` is called whenever bytes have arrived. If the process ends, what has arrived is kept, and the next call resumes
    from there. Raises InputError when the hub refuses, the network breaks or the disk is full.
    """
    hub = hub_id(reference, Path(reference))
    if hub is None:
        if not Path(reference).is_dir():
            raise InputError("no such folder", where=reference, remedy="check the path; a hub id has the form owner/name")
        return Path(reference)
    repo, revision = hub
    commit, sizes = _wanted(repo, revision, allow_pickle)
    total = sum(sizes.values())
    done = 0
    for name, size in sorted(sizes.items(), key=lambda entry: entry[1]):
        if size >= LARGE:
            with as_input_error(repo, revision):
                fetch_large(repo, commit, name, lambda came, before=done: report(Downloaded(before + came, total)))  # type: ignore[misc]
        done += size
    folder = download(repo, revision, allow_pickle=allow_pickle)
    report(Downloaded(total, total))
    return folder


def _wanted(repo: str, revision: str | None, allow_pickle: bool) -> tuple[str, dict[str, int]]:
    """The commit that a revision stands for, and the sizes of the files of it that a model is read from."""
    from huggingface_hub import HfApi
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    with as_input_error(repo, revision):
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    wanted = filter_repo_objects(sizes, allow_patterns=wanted_files(allow_pickle), ignore_patterns=list(UNWANTED))
    return str(info.sha), {name: sizes[name] for name in wanted}
