"""Where a run stands, said in its store: its stage, its phase, and how many evaluations the phase has."""

from __future__ import annotations

from evomerge_core.run.setup import StageSetup
from evomerge_core.run.store.store import Store


def begin_phase(store: Store, name: str, total: int | None, stage: StageSetup | None = None) -> None:
    """Notes that a phase begins, of a stage or of the whole run (None), unless it is the present one."""
    index = None if stage is None else stage.index
    if (store.fact("phase"), store.fact("stage")) != (name, index):
        store.set_facts(phase=name, phase_total=total, stage=index)
        store.add_event("phase", name=name, total=total, stage=None if stage is None else stage.name)
