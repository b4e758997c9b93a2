"""The rows of the search's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from textual.widgets import Input, Select

from evomerge_core.recipe.efforts import EFFORTS
from evomerge_tui.widgets.form_row import FormRow, Tick

OWN = "own"
GROUPS: Mapping[str, str] = {
    "auto": "bands of layers, auto",
    "whole": "the whole model",
    "bands": "bands, a set number",
    "parts": "attention, MLP, rest",
    "layers": "each layer on its own",
}
_PRECISIONS = {
    "auto": "automatic",
    "nf4": "4 bits (NF4)",
    "int5": "5 bits (int5)",
    "int8": "8 bits (int8)",
    "bf16": "bf16",
    "fp32": "fp32",
}
_DEVICES = {"auto": "GPU if there is one", "cpu": "CPU", "cuda": "GPU"}


def form_rows() -> Iterable[FormRow]:
    """All rows, in the order in which a person decides."""
    yield _choice("Preset", "effort", {**{name: effort.title for name, effort in EFFORTS.items()}, OWN: "Your own"})
    yield FormRow("Name", Input(id="run-name"), "of the recipe and its run")
    yield _choice("Method", "method", {"task_arithmetic": "task_arithmetic"})
    yield _choice("Groups", "groups", GROUPS, "more groups can find more, but need more candidates")
    yield _number("Bands", "bands", "how many groups of adjacent layers")
    yield _number("Candidates", "evaluations", "merges to score; empty: until time is up")
    yield _number("Minutes", "minutes", "time limit, including the test; empty: none", "number")
    yield _number("Search items", "items-search", "per task, for every candidate")
    yield _number("Validation", "items-validation", "items on which the finalists compete")
    yield _number("Test items", "items-test", "unseen by the search; for the verdict")
    yield _choice("Precision", "precision", _PRECISIONS, "automatic: bf16 where it fits, else fewer bits")
    yield FormRow("", Tick("also test in bf16", id="confirm", compact=True), "the precision of exports")
    yield _choice("Device", "device", _DEVICES)
    yield _number("Population", "population", "candidates per generation", placeholder="automatic")
    yield _number("Seed", "seed", "another seed gives another search", placeholder="0")


def _choice(title: str, name: str, options: Mapping[str, str], hint: str = "") -> FormRow:
    select = Select([(text, value) for value, text in options.items()], id=name, allow_blank=False, compact=True)
    return FormRow(title, select, hint, below=name in ("effort", "method", "groups"), id=f"{name}-row")


def _number(
    title: str, name: str, hint: str, kind: Literal["integer", "number"] = "integer", *, placeholder: str = ""
) -> FormRow:
    return FormRow(title, Input(id=name, type=kind, classes="-short", placeholder=placeholder), hint, id=f"{name}-row")
