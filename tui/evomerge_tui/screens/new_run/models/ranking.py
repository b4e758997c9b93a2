"""The models that are chosen as sources, ranked for the recipe's tasks, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.files.yaml_file import dump_yaml
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.new_run.draft import Draft, moved_to
from evomerge_tui.text.quantities import percent

# What only a recipe with sources can say.
_OF_SOURCES = ("sources", "tokenizer_source", "paths", "stages")


@dataclass(frozen=True)
class Ranked:
    """A model's place among those that were ranked, from 1; whether it is one of those to merge, and why or why not."""

    place: int
    taken: bool
    why: str


def lacks(draft: Draft) -> str:
    """What has to be chosen before models can be ranked; "" when nothing is missing."""
    if not draft.base or len(draft.sources) < 2:
        return "Choose a base ({models.base}) and at least two sources ({models.use}) to rank"
    return "" if draft.tasks else "Add a task in step 2 first: models are ranked by what they answer"


async def rank_sources(draft: Draft) -> AsyncIterator[dict[str, Any]]:
    """What the ranking asks, line by line, and at last the ranking itself. Raises InputError with the command's own error."""
    with tempfile.TemporaryDirectory(prefix="evomerge-pool-") as folder:
        recipe = Path(folder) / "recipe.yaml"
        recipe.write_text(dump_yaml(_pool_recipe(moved_to(draft, Path(folder)))), encoding="utf-8")
        async for line in command_lines(("pool", "--recipe", recipe)):
            yield line


def _pool_recipe(draft: Draft) -> dict[str, Any]:
    data = {key: value for key, value in draft.data.items() if key not in _OF_SOURCES}
    return {**data, "pool": [dict(source) for source in draft.sources]}


def ranked_models(line: Mapping[str, Any]) -> dict[str, Ranked]:
    """The ranking by reference, out of the command's last line."""
    return {
        member["model"]: Ranked(place, member["taken"], _reason(member))
        for place, member in enumerate(line["members"], start=1)
    }


def _reason(member: Mapping[str, Any]) -> str:
    alone = [("alone", member["score"]), ("right", member["right"]), ("in the right language", member["language"])]
    parts = ", ".join(f"{name} {percent(value, 0)}" for name, value in alone if value is not None)
    return f"{member['why']} ({parts})" if parts else str(member["why"])
