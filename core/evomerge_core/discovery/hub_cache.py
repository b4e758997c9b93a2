"""Models and adapters in the hub's cache on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evomerge_core.discovery.found import Found, describe, is_model_folder
from evomerge_core.discovery.headers import has_weights

UNFINISHED = "not downloaded whole yet: download it, which goes on where it broke off"


def find_in_cache(cache: Path | None = None) -> Iterator[Found]:
    """Every model and adapter of the hub's cache; a repository without a `main` revision is named with its commit.

    Without a cache there is nothing to find.
    """
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir(cache).repos
    except CacheNotFound:
        return
    for repository in sorted(repositories, key=lambda one: one.repo_id.lower()):
        if repository.repo_type != "model":
            continue
        named = {ref: revision for revision in repository.revisions for ref in revision.refs}
        latest = max(repository.revisions, key=lambda one: one.last_modified, default=None)
        revision = named.get("main", latest)
        if revision is None or not is_model_folder(revision.snapshot_path):
            continue
        reference = repository.repo_id if "main" in named else f"{repository.repo_id}@{revision.commit_hash}"
        found = describe(revision.snapshot_path, reference, "cache")
        if found.problem and not has_weights(revision.snapshot_path):
            found = replace(found, where="hub", problem="" if _may_be_whole(found) else found.problem)
        yield found


def _may_be_whole(found: Found) -> bool:
    """Whether all that a cached model lacks is its weights."""
    return "no such file" in found.problem or "missing shard" in found.problem
