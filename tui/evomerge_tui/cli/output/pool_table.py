"""A pool's members as a table: who was taken, what each scored alone, and why the others were dropped."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from evomerge_core.run.view.pool import Selection
from evomerge_tui.text.quantities import percent


def pool_table(selection: Selection) -> Group:
    """The members, those taken first, and what the choice cost."""
    tasks = max((tuple(member.tasks) for member in selection.members), key=len)
    shown = tasks if len(tasks) > 1 else ()
    columns = ("", "model", "score", "right answer", "right language", *shown, "why")
    table = Table(*columns, title="alone, on items of the search", title_justify="left", box=SIMPLE_HEAD)
    for member in selection.members:
        parts = (member.score, member.right, member.language, *(member.tasks.get(task) for task in shown))
        table.add_row("taken" if member.taken else "", Text(member.name), *map(_share, parts), Text(member.why))
    cost = f"{selection.answers:,} answers, {selection.tokens:,} tokens: {selection.evaluations} evaluations of the budget"
    return Group(table, Text(cost))


def _share(value: float | None) -> str:
    return "" if value is None else percent(value, 0)
