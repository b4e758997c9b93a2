"""Models and adapters in the hub's cache on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evomerge_core.discovery.found import FoundModel, broken, is_model_folder, read_found
from evomerge_core.discovery.headers import has_weights
from evomerge_core.errors import InputError, MissingFile


def find_in_cache(cache: Path | None = None) -> Iterator[FoundModel]:
    """Every model and adapter of the hub's cache; a repository without a `main` revision is named with its commit.

    Without a cache there is nothing to find.
    """
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir(cache).repos
    except CacheNotFound:
        return
    for repository in sorted(repositories, key=lambda repository: repository.repo_id.lower()):
        if repository.repo_type != "model":
            continue
        named = {ref: revision for revision in repository.revisions for ref in revision.refs}
        latest = max(repository.revisions, key=lambda revision: revision.last_modified, default=None)
        revision = named.get("main", latest)
        if revision is None or not is_model_folder(revision.snapshot_path):
            continue
        reference = repository.repo_id if "main" in named else f"{repository.repo_id}@{revision.commit_hash}"
        yield _cached(revision.snapshot_path, reference)


def _cached(folder: Path, reference: str) -> FoundModel:
    """The model in a folder of the cache; it counts as the hub's until all of its weights are downloaded."""
    try:
        return read_found(folder, reference, "cache")
    except InputError as error:
        if has_weights(folder):
            return broken(folder, reference, "cache", error)
        found = broken(folder, reference, "hub", error)
        return replace(found, problem="") if isinstance(error, MissingFile) else found
