"""The end of a run: the winner's recipe, the winner as a model, and the result, all in `winner/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evomerge_core.merging.merge import write_merge
from evomerge_core.recipe.mergekit import write_mergekit
from evomerge_core.run.folder import WINNER
from evomerge_core.run.loop import config_of
from evomerge_core.run.setup import Setup
from evomerge_core.run.store import Candidate, Store
from evomerge_core.run.verdict import judge

MODEL = "model"
MERGE_FILE = "mergekit_config.yml"
RESULT = "result.json"


def finish(setup: Setup, store: Store, winner: Candidate, folder: Path) -> None:
    """Writes `winner/mergekit_config.yml`, `winner/model/` (bf16 safetensors) and `winner/result.json`.

    Raises `InputError` when there is no space; what is written is whole, and finishing again goes on from there.
    """
    store.set_facts(phase="winner", phase_total=None)
    place = folder / WINNER
    place.mkdir(exist_ok=True)
    config = config_of(setup, winner)
    text = write_mergekit(config)
    (place / MERGE_FILE).write_text(text, encoding="utf-8")
    if not (place / MODEL).exists():
        write_merge(place / MODEL, config, setup.sources, text)
    result = _result(setup, store, winner, folder)
    (place / RESULT).write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _result(setup: Setup, store: Store, winner: Candidate, folder: Path) -> dict[str, Any]:
    verdicts = {precision: judge(setup, store, winner, precision) for precision in setup.precisions}
    result: dict[str, Any] = {
        "run": str(folder),
        "recipe": setup.recipe.name,
        "seed": setup.recipe.seed,
        "precision": setup.precision,
    }
    result |= verdicts.pop(setup.precision)
    scores = {
        split: evaluation.score
        for split in ("search", "validation")
        if (evaluation := store.evaluation(winner.id, split, setup.precision)) is not None
    }
    genome = dict(zip(setup.space.names, winner.genome or (), strict=True))
    result["winner"] = {**result["winner"], "genome": genome, **scores}
    result["confirmed"] = verdicts
    result["evaluations"] = sum(c.kind == "search" for c, _ in store.scored("search", setup.precision))
    result["seconds"] = store.fact("active_seconds", 0.0)
    result["tokens_generated"] = store.generated_tokens()
    place = (folder / WINNER).absolute()
    result["files"] = {"model": str(place / MODEL), "recipe": str(place / MERGE_FILE)}
    return result
