"""The summary at the side: the recipe in a few lines, and what it will take here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from evomerge_core.recipe.schema import last_part
from evomerge_core.tasks.items.split import SPLITS
from evomerge_tui.screens.new_run.draft import Draft, task_name
from evomerge_tui.text.quantities import amount, duration_range
from evomerge_tui.text.shown_text import one_line


class Summary(VerticalScroll, can_focus=False):
    """Shows a draft and its estimate; in a narrow terminal the same in three lines."""

    def compose(self) -> Iterable[Widget]:
        yield Static("", id="summary-text", markup=False)

    def show(self, draft: Draft, estimate: Mapping[str, Any] | None, trouble: str) -> None:
        """`trouble` is what keeps the recipe from being whole, "" for nothing."""
        narrow = self.screen.has_class("-narrow") or self.screen.has_class("-tiny")
        text = self.query_one("#summary-text", Static)
        text.update(strip(draft, estimate, trouble) if narrow else panel(draft, estimate, trouble))


def panel(draft: Draft, estimate: Mapping[str, Any] | None, trouble: str) -> Group:
    """The whole summary."""
    parts: list[Any] = [_head("Recipe"), _table(_recipe_lines(draft))]
    if estimate is not None:
        parts += [Text(), _head("Estimate"), _table(_estimate_lines(estimate))]
        parts += [Text(), Text(_basis(estimate), style="italic")]
    if trouble:
        parts += [Text(), Text(f"… {one_line(trouble)}")]
    return Group(*parts)


def strip(draft: Draft, estimate: Mapping[str, Any] | None, trouble: str) -> Text:
    """The summary for a narrow terminal: what, how long, what is missing."""
    lines = dict(_recipe_lines(draft))
    text = Text(f"{lines['Base']} ← {lines['Sources']} · {lines['Goal']}\n")
    if estimate is not None:
        shown = dict(_estimate_lines(estimate))
        memory = shown.get("VRAM") or shown["RAM"]
        text.append(f"{shown['Time']} · {lines['Budget']} · {memory} · disk {shown['Disk']}\n", style="bold")
        text.append(_basis(estimate), style="italic")
    else:
        text.append(f"{lines['Search']} · {lines['Budget']}\n")
    if trouble:
        text.append(f"… {one_line(trouble)}")
    return text


def _basis(estimate: Mapping[str, Any]) -> str:
    """What the times rest on; the checklist says it in full."""
    return f"Estimated {estimate['basis']}" if estimate["measured"] else "Rough estimate from model size; no earlier run here"


def _head(title: str) -> Text:
    return Text(title, style="bold")


def _table(lines: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=10, style="dim")
    table.add_column(ratio=1, overflow="fold")
    for name, value in lines:
        table.add_row(Text(name), Text(one_line(value)))
    return table


def _recipe_lines(draft: Draft) -> list[tuple[str, str]]:
    splits = {split: draft.get("splits", split) for split in SPLITS}
    return [
        ("Name", str(draft.get("name", default=""))),
        ("Base", last_part(draft.base) if draft.base else "none yet"),
        ("Sources", ", ".join(str(source.get("name")) for source in draft.sources) or "none yet"),
        ("Goal", ", ".join(_goal(task) for task in draft.tasks) or "none yet"),
        ("Items", " + ".join(str(count) for count in splits.values() if count is not None)),
        ("Search", _search(draft)),
        ("Budget", _budget(draft)),
    ]


def _goal(task: Mapping[str, Any]) -> str:
    language = f" in {task['language']}" if task.get("language") else ""
    return f"{task_name(task)}{language}"


def _search(draft: Draft) -> str:
    if draft.get("stages") or draft.get("paths") is not None:
        kinds = ["weights" if "search_space" in stage else "paths" for stage in draft.get("stages") or [{"paths": {}}]]
        return " then ".join(kinds)
    space = draft.get("search_space") or {}
    default = "dare_ties" if space.get("preset") == "paper" else "task_arithmetic"
    groups = space.get("groups", "whole" if space.get("preset") == "paper" else "auto")
    return f"{space.get('method', default)}, {groups_word(groups)}"


def groups_word(groups: Any) -> str:
    """Groups as a person says them."""
    if isinstance(groups, str):
        return {"whole": "whole model", "auto": "bands of layers", "layers": "every layer"}.get(groups, groups)
    if not isinstance(groups, Mapping):
        return str(groups)
    words = [f"{groups['bands']} bands"] if groups.get("bands") else []
    words += [f"bands of {groups['band_layers']}"] if groups.get("band_layers") else []
    words += ["attention/MLP/rest"] if groups.get("parts") else []
    return ", ".join(words) or "whole model"


def _budget(draft: Draft) -> str:
    evaluations, minutes = draft.get("budget", "evaluations"), draft.get("budget", "minutes")
    parts = [f"{evaluations} candidates"] if evaluations else []
    parts += [f"{minutes:g} min"] if minutes else []
    return ", ".join(parts) or "none yet"


def _estimate_lines(estimate: Mapping[str, Any]) -> list[tuple[str, str]]:
    seconds, per_candidate = estimate["seconds"], estimate["candidate_seconds"]
    device = "VRAM" if estimate["device"] == "cuda" else "RAM"
    needed = estimate["vram"] if device == "VRAM" else estimate["ram"]
    lines = [
        ("Time", duration_range(seconds["low"], seconds["high"])),
        ("Candidate", duration_range(per_candidate["low"], per_candidate["high"])),
        ("Genome", f"{estimate['numbers']} numbers"),
        (device, f"{amount(needed)} of {amount(estimate['free'])} free"),
    ]
    lines += [("RAM", amount(estimate["ram"]))] if device == "VRAM" else []
    download = f" + {amount(estimate['download'])} to download" if estimate["download"] else ""
    return [*lines, ("Disk", amount(estimate["written"]) + download)]
