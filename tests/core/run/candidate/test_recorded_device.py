"""What a run keeps of where its scores were computed: each change once, and nothing that is found out of a device twice."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.run.candidate.candidate_loader import record_device
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.store import Store

CARD = "a card, bfloat16"
WITHOUT = "a card, bfloat16, without CUDA graphs"


def test_what_is_found_out_of_a_device_is_said_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.db", create=True)
    for scored_on in (CARD, CARD, WITHOUT, CARD, WITHOUT):
        record_device(store, scored_on)
    assert read_facts(store).scored_on == WITHOUT
    said = [(data["before"], data["device"]) for _, _, kind, data in store.events() if kind == "scored_on"]
    assert said == [(None, CARD), (CARD, WITHOUT)]


def test_another_device_is_said_though_its_name_begins_alike(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.db", create=True)
    for scored_on in (WITHOUT, "a card, float16", CARD):
        record_device(store, scored_on)
    assert read_facts(store).scored_on == CARD
