"""Pictures that a message shows: `/image FILE`, and paths as terminals paste them when a file is dropped on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from evomerge_core.errors import InputError
from evomerge_core.files.picture import ENDINGS, Picture, is_there, read_picture

COMMAND = "/image"
# A shell's apostrophe within single quotes.
_APOSTROPHE = r"'\''"
# A path between quotes, or one in which spaces are escaped. No terminal escapes no-break spaces, which macOS writes into the
# names of screenshots.
_WORD = re.compile(rf"""'[^'\n]*'(?:{re.escape(_APOSTROPHE[1:])}[^'\n]*')*|"[^"\n]*"|(?:\\.|[^\s\\]|[\u00a0\u202f])+""")
# What ends a sentence or a part of it, behind the name of a picture.
_PUNCTUATION = ".,;:!?)。、！？"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_HOST = re.compile(r"^file:(//[^/]*)?")


def split_message(line: str) -> tuple[str, list[Path]]:
    """The text of a message, and the pictures that it names.

    After `/image` the first word is a picture. Elsewhere a word is one that is the path of a picture's file here, or that can
    be nothing else: `file://...`, or a path from the root. InputError for `/image` alone.
    """
    rest = line.strip()
    paths: list[Path] = []
    while rest == COMMAND or rest.startswith(f"{COMMAND} "):
        rest = rest.removeprefix(COMMAND).strip()
        first = _WORD.match(rest)
        if first is None:
            raise InputError("needs a file", where=COMMAND, remedy=f"name one: {COMMAND} FILE")
        whole = _plain_path(rest)
        # a path with spaces that nobody escaped
        taken = rest if is_there(whole) else _named_in(first[0]) or first[0]
        paths.append(_plain_path(taken))
        rest = rest[len(taken) :].strip()
    if _plain_path(rest).suffix.lower() in ENDINGS and is_there(_plain_path(rest)):
        return "", [*paths, _plain_path(rest)]
    words = [(found.start(), _named_in(found[0])) for found in _WORD.finditer(rest)]
    if rest.startswith("/") and not words[0][1]:
        return rest, paths  # another command
    text, end = "", 0
    for start, named in words:
        if named:
            paths.append(_plain_path(named))
            text, end = text + rest[end:start], start + len(named)
    return (text + rest[end:]).strip(), paths


def read_pictures(paths: Sequence[Path]) -> tuple[Picture, ...]:
    """The decoded pictures. InputError in one line for the first that is missing, broken or too large."""
    return tuple(read_picture(path) for path in paths)


def _named_in(word: str) -> str:
    """The picture that a word is, punctuation behind it being none of it; "" where it is none."""
    return next((named for named in (word, word.rstrip(_PUNCTUATION)) if _is_dropped(named)), "")


def _is_dropped(word: str) -> bool:
    path = _plain_path(word)
    if path.suffix.lower() not in ENDINGS:
        return False
    bare = word.strip("'\"")
    rooted = bare.startswith(("file:", "/", "~")) or _DRIVE.match(bare) is not None
    return rooted or is_there(path)


def _plain_path(word: str) -> Path:
    """The path that a terminal means."""
    text = word.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].replace(_APOSTROPHE, "'")
    elif text.startswith("file:"):
        text = unquote(_HOST.sub("", text))
        text = text[1:] if _DRIVE.match(text[1:]) else text
    elif not _DRIVE.match(text):
        text = re.sub(r"\\(.)", r"\1", text)
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody who isn't here
        return Path(text)
