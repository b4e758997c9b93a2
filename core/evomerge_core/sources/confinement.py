"""Relative paths of a shared file, made absolute; none may lead out of the file's own folder."""

from __future__ import annotations

import errno
from pathlib import Path, PureWindowsPath

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path
from evomerge_core.sources.resolve import FILE_ENDINGS, HUB_ID, split_reference


def absolute_reference(reference: str, folder: Path) -> str:
    """`model` or `model+adapter` with local relative paths made absolute from `folder`; hub ids stay as they are.

    Raises InputError for a relative path that leads outside `folder`.
    """
    model, adapter = split_reference(reference, folder)
    parts = [model] if adapter is None else [model, adapter]
    return "+".join(_absolute_part(part, folder) for part in parts)


def absolute_path(path: str, folder: Path) -> Path:
    """A local path, absolute; what is absolute already, or begins with `~`, is the writer's own choice.

    Raises InputError for a relative path that leads outside `folder`, by `..` or by a link, and for what is no path.
    """
    given = written_path(path)
    if given.is_absolute() or PureWindowsPath(path).is_absolute():
        return given
    meant = (folder / given).absolute()
    root = folder.resolve()
    for place in (meant, *(meant.iterdir() if meant.is_dir() else ())):
        if not _real(place, path).is_relative_to(root) or ".." in PureWindowsPath(path).parts:
            link = f" ({place.name} is a link)" if place.is_symlink() else ""
            raise InputError(
                f"leads outside the recipe's folder {folder}{link}",
                where=path,
                remedy="copy it there or give its absolute path",
            )
    return meant


def path_inside(path: str, folder: Path, *, remedy: str) -> Path:
    """A place to write to that a file of `folder` names: one below that folder, whoever wrote the file.

    Raises InputError, with the remedy, for a path that leads outside: an absolute one, by `..`, or by a link on the way.
    """
    given = written_path(path)
    words = PureWindowsPath(path)
    place = folder / given
    if given.is_absolute() or words.is_absolute() or words.drive or ".." in (*given.parts, *words.parts):
        raise InputError(f"leads outside the recipe's folder {folder}", where=path, remedy=remedy)
    link = next((above for above in (place, *place.parents) if above != folder and above.is_symlink()), None)
    if not _real(place, path).is_relative_to(folder.resolve()):
        why = "" if link is None else f" ({link.name} is a link)"
        raise InputError(f"leads outside the recipe's folder {folder}{why}", where=path, remedy=remedy)
    return place


def _real(place: Path, written: str) -> Path:
    """Where a place really is, links followed; InputError for a link that leads in a circle."""
    try:
        place.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            problem = f"leads nowhere ({place.name} is a link that leads back to itself)"
            raise InputError(problem, where=written, remedy="remove the link, or give another path") from None
    return place.resolve()


def _absolute_part(part: str, folder: Path) -> str:
    is_hub_id = HUB_ID.fullmatch(part) is not None and not part.endswith(FILE_ENDINGS)
    if is_hub_id and not (folder / part).exists():
        return part
    return str(absolute_path(part, folder))
