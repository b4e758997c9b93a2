"""A preflight report as a table: a symbol and a word for each state, the finding, and the remedy below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from evomerge_quant.planning.preflight import Preflight

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red")}


def checklist(report: Preflight) -> Table:
    """The checklist that `preflight` prints."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in report.checks:
        sign, style = SIGNS[check.state]
        finding = Text(check.text)
        if check.remedy:
            finding.append(f"\n{check.remedy}", style="italic")
        table.add_row(Text(f"{sign} {check.state}", style=style), Text(check.subject, style="bold"), finding)
    return table
