"""Whole runs on a pretended card: the CPU's scores exactly, and what is exported is what the card scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from evomerge_core.fixed_merge.fixed_merge import fixed_layers, stream_fixed
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.candidate.candidate_merge import child_of
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RECIPE, RESULT, WINNER
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.verdict.winner_files import MODEL
from evomerge_quant.resident import memory, model
from evomerge_quant.resident.answering import answering
from evomerge_quant.resident.answering.decoding.seated import seat_rows
from evomerge_quant.resident.model import build
from evomerge_tui.processes.job import work
from support.merging_models import write_adapter
from support.pretended_card import pretended_card
from support.tiny_run import scores, write_recipe


@pytest.fixture(autouse=True)
def _alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's own batches on both, in a card's seats: sums in bfloat16 depend on a batch's shape. And torch's own attention,
    which takes such short texts on every CPU."""
    monkeypatch.setitem(memory.MOST_ROWS, "cuda", memory.MOST_ROWS["cpu"])
    monkeypatch.setitem(answering.PREFILL_TOKENS, "cuda", answering.PREFILL_TOKENS["cpu"])
    monkeypatch.setattr(answering, "_make_batch", seat_rows)
    monkeypatch.setattr(model, "attend_plainly_if_needed", lambda *_: False)


def run_on(device: str, recipe: Path, run: Path) -> Path:
    """Creates and finishes the run in this process."""
    made = create_run(load_recipe(recipe), out=run)
    assert work(made) == 0, device
    return run


def write(place: Path, device: str, **searched: Any) -> Path:
    recipe = write_recipe(
        place,
        **searched,
        splits={"search": 6, "validation": 3, "test": 4},
        evaluation={"precision": "nf4", "confirm": ["bf16"], "device": device, "arithmetic": "bfloat16", "agreement": False},
    )
    write_adapter(place / "base", place / "lora", seed=5)
    if "stages" in searched:
        data = yaml.safe_load(recipe.read_text())
        del data["search_space"]
        recipe.write_text(yaml.safe_dump(data, sort_keys=False))
    return recipe


WEIGHTS = {
    "search_space": {"method": "dare_ties", "groups": "whole"},
    "sources": ["./first", "./base+./lora"],
    "budget": {"evaluations": 4},
}
PATHS = {"stages": [{"paths": {"sources": ["first", "second"]}, "budget": {"evaluations": 4}}]}


@pytest.mark.parametrize("searched", [WEIGHTS, PATHS], ids=["weights", "paths"])
def test_a_run_on_the_card_gives_the_cpus_scores_and_ships_what_it_scored(tmp_path: Path, searched: dict[str, Any]) -> None:
    recipes = {device: write(tmp_path / device, device, **searched) for device in ("cpu", "cuda")}
    on_cpu = run_on("cpu", recipes["cpu"], tmp_path / "cpu-run")
    with pretended_card() as card:
        on_card = run_on("cuda", recipes["cuda"], tmp_path / "card-run")
        assert scores(on_card) == scores(on_cpu)
        assert card.peak > 0
        shipped = load_file(on_card / WINNER / MODEL / "model.safetensors")
        for name, scored in weights_on_card(on_card).items():
            assert torch.equal(scored, shipped[name]), name


def weights_on_card(run: Path) -> dict[str, Tensor]:
    """The winner's weights as the card holds them to score it in bf16."""
    setup, store = prepare(load_recipe(run / RECIPE), run), open_store(run)
    name = json.loads((run / WINNER / RESULT).read_text())["winner"]["name"]
    (winner,) = (c for c in store.candidates() if c.label == name)
    child = child_of(setup, store, winner)
    store.close()
    held = build(setup.base_folder, precision="bf16", device="cuda", layers=fixed_layers(child, setup.sources))
    held.load(stream_fixed(child, setup.sources, setup.engine))
    return {name: parameter.cpu() for name, parameter in held.module.named_parameters()}
