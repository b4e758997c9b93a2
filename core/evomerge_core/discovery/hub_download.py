"""Downloads a hub model with its progress told; broken off, even in the middle of a file, it goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.discovery.hub_file import LARGE, fetch_large
from evomerge_core.sources.resolve import UNWANTED, download, hub_id, told_in_one_line, wanted_files


@dataclass(frozen=True)
class Downloaded:
    """Bytes that are here and bytes in all."""

    done: int
    total: int


def download_model(reference: str, tell: Callable[[Downloaded], None], *, allow_pickle: bool = False) -> Path:
    """Downloads `owner/name` or `owner/name@revision` into the hub's cache; returns its folder. A local folder is returned.

    `tell` is called each time some bytes have come. A process that is ended meanwhile leaves what came, and the next call
    goes on from there. Raises InputError when the hub refuses, the network breaks or the disk is full.
    """
    hub = hub_id(reference, Path(reference))
    if hub is None:
        return Path(reference)
    repo, revision = hub
    commit, sizes = _wanted(repo, revision, allow_pickle)
    total = sum(sizes.values())
    done = 0
    for name, size in sorted(sizes.items(), key=lambda entry: entry[1]):
        if size >= LARGE:
            with told_in_one_line(repo, revision):
                fetch_large(repo, commit, name, lambda came, before=done: tell(Downloaded(before + came, total)))  # type: ignore[misc]
        done += size
    folder = download(repo, revision, allow_pickle=allow_pickle)
    tell(Downloaded(total, total))
    return folder


def _wanted(repo: str, revision: str | None, allow_pickle: bool) -> tuple[str, dict[str, int]]:
    """The commit that a revision stands for, and the sizes of the files of it that a model is read from."""
    from huggingface_hub import HfApi
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    with told_in_one_line(repo, revision):
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    wanted = filter_repo_objects(sizes, allow_patterns=wanted_files(allow_pickle), ignore_patterns=list(UNWANTED))
    return str(info.sha), {name: sizes[name] for name in wanted}
