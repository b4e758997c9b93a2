"""The error that a user's input can cause, and what to say about a name that isn't known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from evomerge_core.visible_text import visible_line

# Names that a file gives may be of any length; a path may have 4,096 bytes.
_LONGEST = 6000


class InputError(Exception):
    """Bad input. `problem` says what is wrong, `where` names file, line and key, `remedy` what to do about it ("": not stated).

    As text it is one line, `WHERE: PROBLEM; REMEDY`, without control characters whatever a file holds. Commands end with
    status 2.
    """

    def __init__(self, problem: str, *, where: str | Path = "", remedy: str = "") -> None:
        self.problem, self.where, self.remedy = (visible_line(text, most=_LONGEST) for text in (problem, str(where), remedy))
        problem, remedy = self.problem, self.remedy
        place = f"{self.where}: " if self.where else ""
        super().__init__(f"{place}{problem}; {remedy}" if remedy else f"{place}{problem}")

    @property
    def fault(self) -> str:
        """The line without its remedy."""
        return f"{self.where}: {self.problem}" if self.where else self.problem

    def within(self, where: str | Path) -> InputError:
        """The same error, its place being inside of `where`."""
        return InputError(self.problem, where=f"{where}: {self.where}" if self.where else where, remedy=self.remedy)

    def naming(self, meant: Mapping[str, str]) -> InputError:
        """The same error with the names that the user knows in the place of others, the first that fits first."""
        texts = [self.problem, self.where, self.remedy]
        for name, known in meant.items():
            texts = [text.replace(name, known) for text in texts]
        return InputError(texts[0], where=texts[1], remedy=texts[2])


class MissingFile(InputError):
    """A file of a model or adapter that isn't there."""


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str | Path = "") -> InputError:
    """The error for a name that isn't known; its remedy is the nearest known name, else all of them."""
    return InputError(f"unknown {kind} {name!r}", where=where, remedy=known_names(name, known))


def known_names(name: str, known: Iterable[str]) -> str:
    """`did you mean 'NEAREST'?`, or all names where none is near."""
    names = sorted(known)
    near = nearest_name(name, names)
    return f"did you mean {near!r}?" if near is not None else f"known: {', '.join(names) or 'none'}"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one is likely to mean; None when none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return near[0] if near else None
