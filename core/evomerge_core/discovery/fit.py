"""Whether a found model can be merged with the selected ones, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evomerge_core.discovery.found import FoundModel
from evomerge_core.discovery.headers import open_headers
from evomerge_core.errors import InputError
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.source import Source


@dataclass(frozen=True)
class Fit:
    """`fits` is None where it isn't known without asking the hub; `reason` says why not, or what was compared."""

    fits: bool | None
    reason: str


def quick_fit(found: FoundModel, base: FoundModel | None) -> Fit:
    """What the listed facts show: a broken model, another architecture, or an adapter of another model."""
    if found.problem:
        return Fit(False, found.problem)
    if base is None or found.reference == base.reference:
        return Fit(None, "")
    if found.kind == "adapter":
        return _adapter_fit(found, base)
    if base.sees != found.sees:
        return Fit(None, "only one of the two sees: their language parts aren't compared yet")
    if found.architecture and base.architecture and found.architecture != base.architecture:
        return Fit(False, f"is {found.architecture}, the base is {base.architecture}")
    return Fit(None, "same architecture; not compared in detail yet" if found.architecture else "not compared yet")


def full_fit(reference: str, base: Source, *, relative_to: Path, allow_pickle: bool = False) -> Fit:
    """Compares configs, tensor shapes and vocabularies; of a hub model only its headers are fetched."""
    try:
        source = open_headers([reference], relative_to=relative_to, allow_pickle=allow_pickle)[reference]
        differences = check(base, [source])
    except InputError as error:
        return Fit(False, str(error))
    if not differences:
        return Fit(True, "same architecture, tensors and tokens")
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    return Fit(False, f"{differences[0]}{more}")


def _adapter_fit(found: FoundModel, base: FoundModel) -> Fit:
    if not found.made_from:
        return Fit(None, "doesn't say which model it is for; compared once it is selected")
    of = found.made_from[0]
    names = {base.reference.split("@")[0], *base.made_from, Path(base.reference).name}
    if of in names or Path(of).name in names:
        return Fit(None, f"an adapter of {of}")
    # A folder may be a copy of that model under another name; its tensors will show that.
    return Fit(None if found.where != "hub" else False, f"an adapter of {of}")
