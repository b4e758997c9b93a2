"""The files of a dataset on the hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.rows import FORMATS

# The hub's own Parquet copy of a dataset, CONFIG/SPLIT/NUMBER.parquet, also of those that only a script can read.
_CONVERTED = "refs/convert/parquet"
# Its parts are folders' names in the hub's cache: none may lead out of it.
_REVISION = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")


def fetch_dataset(dataset: str, config: str | None, split: str, *, key: str) -> tuple[Path, ...]:
    """One split's files of a hub dataset, `owner/name` or `owner/name@revision`, in order; downloaded when not there yet.

    The files are found by their names: the split's (and the config's, when there is one) must stand in the path as whole
    words, as in `main/test-00000-of-00001.parquet`. Parquet goes before JSONL, JSON, CSV and TSV. Without such files the
    hub's Parquet conversion is tried. Raises `InputError` that begins with `key`.
    """
    repo, at, revision = dataset.partition("@")
    if at and _REVISION.fullmatch(revision) is None:
        raise InputError(f"{revision!r} is no revision", where=key, remedy="write owner/name@revision")
    words = [split] if config is None else [config, split]
    failures: list[Exception] = []
    for place in [revision] if revision else [None, _CONVERTED]:
        folder = _snapshot(repo, place, words, failures)
        files = _files_of(folder, words) if folder is not None else []
        if files:
            return tuple(files)
    problem, remedy = _reason(dataset, words, failures)
    raise InputError(problem, where=key, remedy=remedy)


def _snapshot(repo: str, revision: str | None, words: Sequence[str], failures: list[Exception]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    # Wider than wanted (fnmatch knows no whole words), narrow enough to leave the other splits on the hub.
    orders = {"*".join(words), "*".join(reversed(words))}
    patterns = [f"*{order}*{ending}" for order in sorted(orders) for ending in FORMATS]
    try:
        return Path(snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except (HTTPError, OSError, ValueError) as error:
        failures.append(error)
        return None


def _files_of(folder: Path, words: Sequence[str]) -> list[Path]:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    found = [name for name in paths if all(_stands_in(word, name) for word in words)]
    for ending in FORMATS:
        chosen = sorted(name for name in found if PurePosixPath(name).suffix.lower() == ending)
        if chosen:
            return [paths[name] for name in chosen]
    return []


def _stands_in(word: str, name: str) -> bool:
    stem = str(PurePosixPath(name).with_suffix(""))
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", stem) is not None


def _reason(dataset: str, words: Sequence[str], failures: Sequence[Exception]) -> tuple[str, str]:
    from huggingface_hub.errors import RevisionNotFoundError

    # A dataset without conversion is no failure: its own files were there to look through.
    relevant = [failure for failure in failures if not isinstance(failure, RevisionNotFoundError) or "@" in dataset]
    if not relevant:
        wanted = " of config ".join(repr(word) for word in reversed(words))
        return f"the dataset {dataset} has no files of split {wanted}", "correct `config` and `split`, or give a `file`"
    text = (str(relevant[0]).strip().splitlines() or [type(relevant[0]).__name__])[0].rstrip(". ")
    return f"can't fetch the dataset {dataset} ({text})", "check its name and the network, or give a `file`"
