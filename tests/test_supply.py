"""What is installed beside this program: every distribution that it needs has a pinned version."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
# Installers, and what torch brings along where it was built for cards.
OTHERS = re.compile(r"pip|setuptools|wheel|triton|nvidia-.*|cuda-.*")


def pinned() -> set[str]:
    lines = (line for line in CONSTRAINTS.read_text().splitlines() if line and not line.startswith("#"))
    return {canonicalize_name(line.split("==")[0]) for line in lines}


def needed(name: str) -> set[str]:
    """The distributions that one needs on this machine, and what those need, as their metadata says."""
    found: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset({"dev"}))]
    while waiting:
        name, extras = waiting.pop()
        for requirement in _requirements(name):
            marker, key = requirement.marker, canonicalize_name(requirement.name)
            wanted = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
            if wanted and key not in found:
                found.add(key)
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def _requirements(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:
        return []


def test_every_distribution_that_the_program_needs_is_pinned() -> None:
    own = needed("evomerge-tui")
    assert {"torch", "textual", "certifi", "pytest"} <= own, "the walk through the requirements found too little"
    assert sorted(name for name in own - pinned() if not OTHERS.fullmatch(name)) == []
