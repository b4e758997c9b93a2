"""One large file of the hub, fetched into the hub's cache so that a broken download loses nothing.

The hub's own library starts a file anew when its process was ended. Here the bytes are kept in a file beside the cache's
blobs; the whole file takes its place among them, where the library then finds it. See "Understand caching" in the library's
documentation for the layout.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from evomerge_core.errors import InputError

# Smaller files are fetched by the library: they are soon there again.
LARGE = 16 * 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLOCK = 2**24


def fetch_large(repo: str, commit: str, name: str, report: Callable[[int], None]) -> None:
    """Fetches a model's file unless the cache has it; `report` is called with the bytes that have arrived.

    Raises what the hub's library raises, and InputError when another process fetches the same file or its content is wrong.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import repo_folder_name

    url = hf_hub_url(repo, name, revision=commit)
    facts = get_hf_file_metadata(url)
    if facts.etag is None or facts.size is None:
        return  # the library knows more ways to fetch it
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model") / "blobs"
    blob = blobs / facts.etag
    if blob.exists():
        report(facts.size)
        return
    blobs.mkdir(parents=True, exist_ok=True)
    part = blobs / f"{facts.etag}.part"
    try:
        with FileLock(f"{part}.lock", timeout=0):
            _fetch(facts.location, url, part, facts.size, report)
            _check(part, facts.etag, repo, name)
            part.replace(blob)
    except Timeout:
        raise InputError(f"{name} is being downloaded by another process", where=repo, remedy="wait for it") from None
    Path(f"{part}.lock").unlink(missing_ok=True)


def _fetch(location: str, url: str, part: Path, size: int, report: Callable[[int], None]) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = build_hf_headers()
    if urlsplit(location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # a store elsewhere has no business with the hub's token
    with part.open("ab") as file:
        here = file.tell()
        if here > size:
            file.truncate(here := 0)
        http_get(location, file, resume_size=here, headers=headers, expected_size=size, tqdm_class=_counter(here, report))


def _check(part: Path, etag: str, repo: str, name: str) -> None:
    """Large files are named by their sha256: what was put together from several tries must have it."""
    if not _SHA256.fullmatch(etag):
        return
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != etag:
        part.unlink()
        raise InputError(f"{name} arrived damaged and was removed", where=repo, remedy="download it again")


def _counter(here: int, report: Callable[[int], None]) -> type[Any]:
    """A progress bar's class, as the hub's library asks for one, that draws nothing and counts bytes."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            self._done = here
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            report(self._done)

    return Counter
