"""What the steps send to their screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from evomerge_tui.screens.new_run.draft import Draft


@dataclass
class Edited(Message):
    """The step of this name changed the recipe."""

    step: str
    draft: Draft


@dataclass
class StepChosen(Message):
    """A step is to be shown: models, goal, search or review."""

    step: str


@dataclass
class ItemsRead(Message):
    """What is known of the tasks' items: the `tokens` that the model reads for each, which the estimate rests on, and how many
    items the smallest task has in `total`; None where it isn't known."""

    tokens: float | None
    total: int | None


@dataclass
class Judged(Message):
    """A step found something wrong with what is chosen in it, or nothing any more."""


@dataclass
class StartAsked(Message):
    """The run is to be created in this folder and started."""

    folder: Path
