"""A run's result as tables: parents, equal-weight merges and winner on the held-out test, with intervals and paired tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from evomerge_core.run.view.expectation import expectation
from evomerge_core.run.view.result import references_of
from evomerge_tui.text.quantities import amount, percent, percent_range, scored_in


def result_tables(result: Mapping[str, Any]) -> Group:
    """One table for each precision, then the verdicts, what was expected, the child's size, where its files are, and what all
    that comes to."""
    on = result.get("scored_on")  # missing in results of earlier versions
    tables = [_table(precision, part, on) for precision, part in _precisions(result)]
    verdicts = [Text(f"{p}: {r['verdict']}", style="bold") for p, r in _precisions(result)]
    files = [Text(f"{what}: {path}") for what, path in result["files"].items()]
    votes = [Text(result["taste"]["sentence"])] if result.get("taste") else []
    return Group(*tables, *verdicts, *votes, *_before_the_test(result), *_child(result), *files, *_conclusion(result))


def _before_the_test(result: Mapping[str, Any]) -> list[Text]:
    """What was to be expected of the winner. Results of earlier versions don't say."""
    told = expectation(result.get("expected", {}).get(result["precision"]))
    return [] if told is None else [Text(f"known before the test: {told}")]


def _conclusion(result: Mapping[str, Any]) -> list[Text]:
    return [Text(result["conclusion"], style="bold")] if "conclusion" in result else []


def _child(result: Mapping[str, Any]) -> list[Text]:
    """The child's size, with the recipe's limits, and its path if it has one. Results of earlier versions have no `child`."""
    child = result.get("child")
    if child is None:
        return []
    most = {key: child[f"max_{key}"] for key in ("layers", "parameters")}
    sizes = [
        f"{child[key]:,} {key}" + (f" (at most {most[key]:,.0f})" if most[key] else "") for key in ("layers", "parameters")
    ]
    sizes += [f"{amount(size)} as {name}" for name, size in child["gguf_bytes"].items()]
    lines = [Text(f"child: {', '.join(sizes)}")]
    path = result["winner"].get("path")
    if path is not None:
        models = ", ".join(f"{letter} = {label}" for letter, label in path["models"].items())
        lines.append(Text(f"path: {path['text']} ({models})"))
    return lines


def _precisions(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(result["precision"], result), *result["confirmed"].items()]


def _table(precision: str, part: Mapping[str, Any], scored_on: str | None) -> Table:
    by_votes = not part["items"]
    on = "votes: the chance to be preferred to the average" if by_votes else f"held-out test, {part['items']} items"
    table = Table(title=Text(f"{on}, {scored_in(precision, scored_on)}"), title_justify="left", box=None)
    table.add_column("")
    for column in ("chance" if by_votes else "test", "95 % interval", "cut off", "child won", "lost", "p"):
        table.add_column(column, justify="right")
    paired = {comparison["against"]: comparison for comparison in part["against"]}
    for row in references_of(part):
        _add(table, row, paired.get(row["name"]))
    _add(table, part["winner"], None, "bold green")
    return table


def _add(table: Table, row: Mapping[str, Any], paired: Mapping[str, Any] | None, style: str = "") -> None:
    if row["test"] is None:
        table.add_row(Text(row["name"]), Text("failed"))
        return
    low, high = row["interval"]
    cells = [row["name"], percent(row["test"]), percent_range(low, high, decimals=1), percent(row["truncated"])]
    if paired is not None:
        cells += [str(paired["wins"]), str(paired["losses"]), f"{paired['p']:.2g}"]
    table.add_row(*(Text(cell, style=style) for cell in cells))
