"""The upload to the hub: file after file, so that a broken one goes on where it stood, and one commit at the end.

What has arrived isn't sent again: the hub knows a file, and its pieces, by their content. The token is the hub library's own
(HF_TOKEN, or what `hf auth login` keeps); nothing here reads, writes or shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_core.errors import InputError
from evomerge_core.sources.stored.model_card import front_matter
from evomerge_quant.publishing.published_file import PublishedFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

# What the hub's own pages put into a repository before anybody uploads anything.
_HUBS_OWN = re.compile(r"\.gitattributes|\.gitignore|LICENSE.*|README\.md", re.IGNORECASE)
_OURS = "evomerge"
_HUB = "https://huggingface.co"

# Called before a file is sent, with its place among all, from 0; and at the end with their number.
OnFile = Callable[[int], None]


def upload(repo: str, files: Sequence[PublishedFile], on_file: OnFile, *, private: bool | None = None) -> str:
    """Makes the repository where there is none and commits the files to it; returns the commit's address.

    InputError without a token, where the token may not write there, where the repository holds another model or everybody sees
    what should be private, and when the network breaks: the same call again sends what is missing.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
    from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]

    if get_token() is None:
        raise InputError("no token for the hub", where=f"--to {repo}", remedy="log in with `hf auth login`, or set HF_TOKEN")
    # their lines show addresses that are signed
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    disable_progress_bars()
    if not constants.ENDPOINT.startswith(_HUB):
        # only the hub itself speaks xet
        constants.HF_HUB_DISABLE_XET = True
    api = HfApi()
    with _as_input_error(repo):
        if not api.repo_exists(repo):
            api.create_repo(repo, private=private, exist_ok=True)
        info = api.model_info(repo)
        if private and not info.private:
            raise InputError("is public already", where=f"--to {repo}", remedy="make it private there, or leave out --private")
        _require_ours(api, repo, info)
        contents = [file.content if isinstance(file.content, bytes) else str(file.content) for file in files]
        added = [CommitOperationAdd(file.name, content) for file, content in zip(files, contents, strict=True)]
        for place, one in enumerate(added):
            on_file(place)
            api.preupload_lfs_files(repo, [one], free_memory=False)
        on_file(len(added))
        done = api.create_commit(repo, added, commit_message="Publish a merge made with evomerge-tui")
    return str(done.commit_url)


def _require_ours(api: HfApi, repo: str, info: ModelInfo) -> None:
    """Refuses a repository with files of something else, which ours would be mixed with."""
    names = [str(file.rfilename) for file in info.siblings or ()]
    if all(_HUBS_OWN.fullmatch(name) for name in names):
        return
    if not ("README.md" in names and _is_ours(api, repo)):
        raise InputError("holds another model", where=f"--to {repo}", remedy="publish to a new name")


def _is_ours(api: HfApi, repo: str) -> bool:
    """Whether the card there was written by this program: its tags say so."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        tags = front_matter(Path(api.hf_hub_download(repo, "README.md", local_dir=folder))).get("tags")
    return isinstance(tags, list) and _OURS in tags


@contextmanager
def _as_input_error(repo: str) -> Iterator[None]:
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        problem, remedy = _reason(error)
        raise InputError(problem, where=f"--to {repo}", remedy=remedy) from None


def _reason(error: Exception) -> tuple[str, str]:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.HFValidationError):
        return "is no name on the hub", "write OWNER/NAME"
    status = _status(error)
    if status == 401:
        return "the hub doesn't know the token", "log in anew with `hf auth login`, or set HF_TOKEN"
    if status in (403, 404):
        return "the token may not write there", "give a repository of your own, or log in with a token that may write"
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE keeps the hub away", "unset it"
    # an address may be signed
    reason = re.sub(r"\?\S+", "", " ".join(str(error.__cause__ or error).split()))[:200]
    return f"the upload broke off ({reason})", "run the same command again: what has arrived isn't sent again"


def _status(error: BaseException | None) -> int | None:
    """The answer of the hub that an error was made of."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None
