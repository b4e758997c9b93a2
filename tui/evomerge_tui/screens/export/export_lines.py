"""The text of the export screen: types with sizes and loss, disk space, and the finished files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.content import Content

from evomerge_tui.text.quantities import amount
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.rows_table import Cell, Column


@dataclass(frozen=True)
class TypeRow:
    """A type with what a file of it would be; `planned` is None until that is known."""

    name: str
    chosen: bool
    planned: dict[str, Any] | None


def type_columns() -> list[Column[TypeRow]]:
    """The columns of the list of types."""

    def planned(row: TypeRow, key: str) -> Any:
        return None if row.planned is None else row.planned[key]

    def size(row: TypeRow) -> Cell:
        return ("" if row.planned is None else amount(row.planned["bytes"])), ""

    def bits(row: TypeRow) -> Cell:
        return ("" if row.planned is None else f"{row.planned['bits_per_weight']:.1f}"), "muted"

    def loss(row: TypeRow) -> Cell:
        value = planned(row, "loss")
        return ("" if value is None else f"{value:+.3f}"), "muted"

    def note(row: TypeRow) -> Cell:
        return ("exists" if planned(row, "exists") else planned(row, "note") or ""), "muted"

    return [
        Column("name", "Type", 12, _name, lambda row: -(planned(row, "bits_per_weight") or 0)),
        Column("size", "Size", 8, size, lambda row: planned(row, "bytes"), right=True),
        Column("bits", "Bits", 6, bits, lambda row: planned(row, "bits_per_weight"), right=True),
        Column("loss", "PPL change", 11, loss, lambda row: planned(row, "loss"), right=True),
        Column("note", "", 0, note, lambda row: note(row)[0]),
    ]


def _name(row: TypeRow) -> Cell:
    return f"{'■' if row.chosen else '□'} {row.name}", "best" if row.chosen else ""


def room_line(plan: Mapping[str, Any], chosen: Collection[str]) -> Content:
    """Where the files go, and how much space they take."""
    size = sum(file["bytes"] for file in plan["files"] if file["type"] in chosen)
    size += plan["mmproj"]["bytes"] if "mmproj" in plan and not plan["mmproj"]["exists"] else 0
    lines = [
        Content.assemble((one_line(plan["model"], 80), "bold")),
        Content.styled(f"into {one_line(plan['destination'], 200)}", "$text-muted"),
        Content(f"{amount(size)} to be written, {amount(plan['free'])} free"),
        Content.styled("PPL: expected perplexity change (Llama-3-8B); small models lose more.", "$text-muted"),
    ]
    if "mmproj" in plan:
        lines.append(Content(_eyes_line(plan["mmproj"])))
    lines += [Content.styled(f"○ {one_line(text, 300)}", "$warning") for text in _warnings(plan, chosen)]
    return Content("\n").join(lines)


def _eyes_line(eyes: Mapping[str, Any]) -> str:
    """The file that the model sees with."""
    name = one_line(Path(eyes["path"]).name, 80)
    made = "already there" if eyes["exists"] else "copied" if eyes["given"] else "converted"
    return f"{name}, to see with: {amount(eyes['bytes'])}, {made}"


def _warnings(plan: Mapping[str, Any], chosen: Collection[str]) -> list[str]:
    """Those about the model, and those about files of chosen types."""
    not_chosen = {text for file in plan["files"] if file["type"] not in chosen for text in file["warnings"]}
    return [text for text in plan["warnings"] if text not in not_chosen]


def done_lines(result: Mapping[str, Any], keys: str) -> Content:
    """The files, whether they were verified, and the `keys` of what to do next."""
    lines = []
    for file in result["files"]:
        failures = [*(file["proof"] or {}).get("failures", ()), *file.get("sight", {}).get("failures", ())]
        lines += _file_lines(file, file["type"], failures, "not verified" if file["proof"] is None else "verified")
        if file.get("handover"):
            lines.append(Content.assemble("  next: ", (one_line(file["handover"]["next"], 400), "$primary")))
    if "mmproj" in result:
        seen = any("sight" in file for file in result["files"])
        found = "verified with pictures" if seen else "not verified"
        lines += _file_lines(result["mmproj"], "mmproj", result["mmproj"]["failures"], found)
    lines += [Content.styled(f"○ {many_lines(text)}", "$warning") for text in result["warnings"]]
    return Content("\n").join([*lines, Content.styled(f"\n{keys}", "$text-muted")])


def _file_lines(file: Mapping[str, Any], name: str, failures: Sequence[str], otherwise: str) -> list[Content]:
    """A file, and why it failed verification, or what else is known of it."""
    found = f"failed verification: {'; '.join(failures)}" if failures else otherwise
    return [
        Content.assemble(
            (f"{'✗' if failures else '✓'} {name} ", "bold $error" if failures else "bold $success"),
            f"{amount(file['bytes'])}, {one_line(found, 300)}",
        ),
        Content.styled(f"  {one_line(file['path'], 300)}", "$text-muted"),
    ]
