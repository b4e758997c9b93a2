"""A model in the list to choose from: what was found, its part in the recipe, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evomerge_core.discovery.fit import Fit, quick_fit
from evomerge_core.discovery.found import FoundModel
from evomerge_tui.screens.new_run.draft import Draft, has_source
from evomerge_tui.screens.new_run.models.ranking import Ranked
from evomerge_tui.text.quantities import amount, percent, weights
from evomerge_tui.widgets.rows_table import Cell, Column

_EYE = "◉"
_PLACES = {"folder": "folder", "cache": "cache", "hub": "hub"}


@dataclass(frozen=True)
class Listed:
    """`role`: base, source, both or "". `done` is the share that is downloaded, None where no download is running; `ranked` is
    its rank for the recipe's tasks, None where it has none."""

    found: FoundModel
    role: str
    fit: Fit
    lack: str
    done: float | None = None
    ranked: Ranked | None = None


def found_in(facts: Mapping[str, Any]) -> tuple[FoundModel, str]:
    """A found model out of the planner's answer, and why this machine has no room for it."""
    lack = str(facts.get("lack", ""))
    fields = {key: value for key, value in facts.items() if key != "lack"}
    return FoundModel(**{**fields, "made_from": tuple(fields["made_from"])}), lack


def reference_for(found: FoundModel, draft: Draft) -> str:
    """What a recipe calls this model as a source: an adapter stands behind its base."""
    return f"{draft.base}+{found.reference}" if found.kind == "adapter" else found.reference


def role_of(found: FoundModel, draft: Draft) -> str:
    """Its part in the recipe, in a word."""
    is_base = found.kind == "model" and found.reference == draft.absolute(draft.base)
    is_source = has_source(draft, reference_for(found, draft))
    return "both" if is_base and is_source else "base" if is_base else "source" if is_source else ""


def fit_of(found: FoundModel, base: FoundModel | None, known: Mapping[str, Fit]) -> Fit:
    """What was compared in detail, or else what the listed facts show at once."""
    quick = quick_fit(found, base)
    if base is None or found.problem:
        return quick
    if found.reference == base.reference:
        return Fit(True, "the base itself")
    return known.get(found.reference, quick)


def columns() -> list[Column[Listed]]:
    return [
        Column("role", "Use", 5, _role, lambda row: (-bool(row.role), row.role, row.found.reference.casefold())),
        Column("name", "Model", 0, lambda row: (_name(row.found), ""), lambda row: row.found.reference.casefold()),
        Column("where", "Where", 6, _where, lambda row: row.found.where, least_table=50),
        Column("kind", "Architecture", 14, _kind, lambda row: row.found.architecture or "", least_table=92),
        Column("size", "Params", 8, _size, lambda row: row.found.parameters, right=True),
        Column("bytes", "On disk", 7, _bytes, lambda row: row.found.bytes, right=True, least_table=80),
        Column("licence", "Licence", 11, _licence, lambda row: row.found.licence or "", least_table=64),
        Column("rank", "Rank", 5, _rank, _place, right=True, least_table=70, sparse=True),
        Column("fits", "Fits", 5, _fits, lambda row: ({True: 0, None: 1, False: 2}[row.fit.fits], row.lack != "")),
    ]  # fmt: skip


def why(row: Listed) -> str:
    """The row's facts in words, for the lines below the list."""
    found = row.found
    facts = [found.kind, found.architecture or "", f"{_EYE} sees pictures" if found.sees else ""]
    facts += [weights(found.parameters), amount(found.bytes) if found.bytes else ""]
    facts += [found.licence or "no licence stated", f"{found.downloads:,} downloads" if found.downloads else ""]
    facts += [f"based on {', '.join(found.made_from)}"] if found.made_from else []
    return " · ".join(fact for fact in facts if fact)


def refusal(row: Listed) -> str:
    """Why a model can't be merged as it is chosen; "" where nothing speaks against it."""
    return row.fit.reason if row.fit.fits is False else ""


def verdict(row: Listed) -> tuple[str, str]:
    """Whether it fits those chosen and this machine, and its tone."""
    if row.ranked is not None:
        place, taken = row.ranked.place, row.ranked.taken
        return f"{'✓' if taken else '✗'} rank {place}: {row.ranked.why}", "good" if taken else "muted"
    if row.fit.fits is False:
        return f"✗ {row.fit.reason}", "bad"
    if row.lack:
        return f"✗ {row.lack}", "bad"
    if row.fit.fits:
        return f"✓ {row.fit.reason}; fits on this machine", "good"
    room = "" if row.found.parameters is None else "; fits on this machine"
    return f"? {row.fit.reason or 'no base chosen yet'}{room}", "muted"


def _role(row: Listed) -> Cell:
    return {"source": "src", "both": "both"}.get(row.role, row.role), "best"


def _name(found: FoundModel) -> str:
    """A folder's last two parts say more than its root; an eye stands before a model that sees."""
    reference, eye = found.reference, f"{_EYE} " if found.sees else ""
    if not reference.startswith(("/", "~")) and reference[1:3] != ":\\":
        return f"{eye}{reference}"
    parts = reference.replace("\\", "/").rstrip("/").split("/")
    return eye + "/".join(parts[-2:])


def _where(row: Listed) -> Cell:
    return (f"↓ {percent(row.done, 0)}", "good") if row.done is not None else (_PLACES[row.found.where], "muted")


def _kind(row: Listed) -> Cell:
    return (row.found.architecture or "?").removesuffix("ForCausalLM").removesuffix("ForConditionalGeneration"), "muted"


def _size(row: Listed) -> Cell:
    return weights(row.found.parameters), ""


def _bytes(row: Listed) -> Cell:
    return (amount(row.found.bytes) if row.found.bytes else ""), "muted"


def _licence(row: Listed) -> Cell:
    return row.found.licence or "?", "muted"


def _place(row: Listed) -> int | None:
    return row.ranked.place if row.ranked else None


def _rank(row: Listed) -> Cell:
    if row.ranked is None:
        return "", "muted"
    return (f"✓ {row.ranked.place}", "good") if row.ranked.taken else (str(row.ranked.place), "muted")


def _fits(row: Listed) -> Cell:
    if row.fit.fits is False:
        return "✗ no", "bad"
    if row.lack:
        return "✗ big", "bad"
    return ("✓ yes", "good") if row.fit.fits else ("", "muted")
