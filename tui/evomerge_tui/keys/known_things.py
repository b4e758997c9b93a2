"""Runs and ready recipes in the command palette."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from evomerge_core.visible_text import visible_line

_MOST = 200  # runs; each has its recipe read


class Opener(Protocol):
    """The app, as the palette needs it."""

    folder: Path

    @property
    def runs_folder(self) -> Path: ...

    def open_run(self, folder: Path) -> None: ...

    def open_new_run(self, recipe: Path | None = None) -> None: ...


@dataclass(frozen=True)
class _Thing:
    title: str
    where: str
    open: Callable[[], None]


class KnownThings(Provider):
    """Opens a run, or begins a new one from a ready recipe."""

    async def startup(self) -> None:
        app = cast("Opener", self.app)
        self._things = await asyncio.to_thread(_find, app)

    async def discover(self) -> Hits:
        for thing in self._things:
            yield DiscoveryHit(_literal(thing.title), thing.open, help=_literal(thing.where))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for thing in self._things:
            score = matcher.match(thing.title)
            if score > 0:
                yield Hit(score, matcher.highlight(thing.title), thing.open, help=_literal(thing.where))


def _find(app: Opener) -> list[_Thing]:
    from evomerge_core.run.run_folder.known_runs import known_runs
    from evomerge_core.run.view.overview import read_overview
    from evomerge_recipes.catalogue import ready_recipes

    runs = [read_overview(folder) for folder in known_runs(app.folder, app.runs_folder)[:_MOST]]
    return [
        *(
            _Thing(
                f"Open run {visible_line(run.name, most=60)}",
                visible_line(str(run.folder), most=200),
                partial(app.open_run, run.folder),
            )
            for run in runs
            if run.state != "unreadable"
        ),
        *(
            _Thing(f"New run from {recipe.name}", recipe.title, partial(app.open_new_run, recipe.path))
            for recipe in ready_recipes()
        ),
    ]


def _literal(text: str) -> str:
    """A text in which the palette finds no markup."""
    return text.replace("[", "\\[")
