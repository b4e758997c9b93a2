"""Where the files of a reference are: a local folder, or a model of the hub, downloaded when it isn't there yet."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path

# A part of a revision is a folder's name in the hub's cache: none may lead out of it.
HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>\w[\w.-]*(/\w[\w.-]*)*))?")
FILE_ENDINGS = (".gguf", ".safetensors", ".bin")
WANTED = ("*.safetensors", "*.json", "*.model", "*.tiktoken", "merges.txt", "vocab.txt", "*.jinja", "README.md")
# Folders hold other formats of the same weights, `consolidated` a second copy of them.
UNWANTED = ("*/*", "consolidated*")


class Place(NamedTuple):
    """The folders of a reference's model and, where it has one, its adapter."""

    model: Path
    adapter: Path | None


def locate(reference: str, *, relative_to: Path, allow_pickle: bool) -> Place:
    """Finds, and from the hub downloads, what `model` or `model+adapter` names.

    A local folder is absolute, from `~`, or relative to `relative_to`; anything else of the form `owner/name`, with or without
    `@revision`, is a hub id. Raises InputError.
    """
    model, adapter = split_reference(reference, relative_to)
    folders = [_folder(part, relative_to, allow_pickle) for part in ((model,) if adapter is None else (model, adapter))]
    return Place(folders[0], folders[1] if len(folders) > 1 else None)


def split_reference(reference: str, relative_to: Path) -> tuple[str, str | None]:
    """The model's part and the adapter's part; a `+` inside the path of a folder that exists is part of its name."""
    reference = reference.strip()
    if not reference:
        raise InputError("the reference is empty", where="model", remedy="give a folder or a hub id (owner/name)")
    if not reference.isprintable():
        raise InputError(
            "contains characters that paths can't have", where=repr(reference), remedy="give a folder or a hub id (owner/name)"
        )
    if "+" not in reference or _local(reference, relative_to).exists():
        return reference, None
    cuts = [(reference[:at], reference[at + 1 :]) for at, sign in enumerate(reference) if sign == "+"]
    known = [cut for cut in cuts if all(_is_known(part, relative_to) for part in cut)]
    model, adapter = known[-1] if known else cuts[-1]
    if not model.strip() or not adapter.strip():
        raise InputError("nothing on one side of the +", where=reference, remedy="write MODEL+ADAPTER")
    return model.strip(), adapter.strip()


def _is_known(part: str, relative_to: Path) -> bool:
    part = part.strip()
    return bool(part) and (_local(part, relative_to).exists() or HUB_ID.fullmatch(part) is not None)


def _local(part: str, relative_to: Path) -> Path:
    return relative_to / written_path(part)


def _folder(part: str, relative_to: Path, allow_pickle: bool) -> Path:
    path = _local(part, relative_to)
    hub = hub_id(part, path)
    if hub is None:
        if not path.exists() and HUB_ID.fullmatch(part) is None:
            raise InputError(f"no such folder ({path}): check the path", where=part, remedy="a hub id has the form owner/name")
        return path
    return download(*hub, allow_pickle=allow_pickle)


def hub_id(part: str, path: Path) -> tuple[str, str | None] | None:
    """The repository and revision that a part of a reference names on the hub; None where it names the local `path`."""
    hub = HUB_ID.fullmatch(part)
    return None if hub is None or path.exists() or part.endswith(FILE_ENDINGS) else (hub["repo"], hub["revision"])


def hub_parts(reference: str, relative_to: Path) -> tuple[tuple[str, str | None], ...]:
    """The repositories and revisions that a reference names on the hub: of its model, of its adapter, of both or none."""
    parts = (part for part in split_reference(reference, relative_to) if part is not None)
    found = (hub_id(part, _local(part, relative_to)) for part in parts)
    return tuple(hub for hub in found if hub is not None)


def wanted_files(allow_pickle: bool) -> list[str]:
    """The patterns of the files that a model is read from; `UNWANTED` are left out of them."""
    return [*WANTED, "*.bin", "*.bin.index.json"] if allow_pickle else list(WANTED)


def download(repo: str, revision: str | None, *, allow_pickle: bool) -> Path:
    """The folder of a hub model in the hub's cache, downloaded as far as it isn't there. Raises InputError."""
    from huggingface_hub import snapshot_download

    wanted = wanted_files(allow_pickle)
    with as_input_error(repo, revision):
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=wanted, ignore_patterns=list(UNWANTED)))
    weights = ("*.safetensors", "*.bin") if allow_pickle else ("*.safetensors",)
    if not any(found for ending in weights for found in folder.glob(ending)):
        raise InputError(
            "has no safetensors",
            where=repo,
            remedy="give the unquantised original of a GGUF, and allow pickles explicitly for .bin files",
        )
    return folder


@contextmanager
def as_input_error(repo: str, revision: str | None = None) -> Iterator[None]:
    """Turns into an InputError what the hub's library raises for a repository."""
    # The hub's library changes its HTTP client between releases; its own name for the client's base error stays.
    from huggingface_hub.errors import HTTPError, XetDownloadError  # type: ignore[attr-defined]

    try:
        yield
    except (HTTPError, XetDownloadError, OSError, ValueError, RuntimeError) as error:
        problem, remedy = _reason(error)
        raise InputError(problem, where=f"{repo}@{revision}" if revision else repo, remedy=remedy) from None


def _reason(error: Exception) -> tuple[str, str]:
    """What went wrong with a download, and what to do about it."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return "is gated", f"accept its terms at {constants.ENDPOINT}, then log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has no such revision", "check what stands after the @"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "neither a folder here nor a public model on the hub", "check the name, or log in with `hf auth login`"
    if isinstance(error, errors.HFValidationError):
        return "no valid hub id", "write owner/name"
    if _is_disk_full(error):
        return f"no space left in {constants.HF_HUB_CACHE}", "free some space, or point HF_HOME to a larger disk"
    if constants.HF_HUB_OFFLINE:
        return f"no folder here, and not whole in {constants.HF_HUB_CACHE}", "unset HF_HUB_OFFLINE to download it"
    reason = " ".join(str(error.__cause__ or error).split())[:200]
    problem = f"no folder here, and the download from {constants.ENDPOINT} failed ({reason})"
    return problem, "check the network and try again"


def _is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        # The compiled downloader reports errors of the system as text.
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            return True
        error = error.__cause__
    return False
