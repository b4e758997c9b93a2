"""Archives bred in real runs on tiny models: who is asked what, what a member is, and that kills change nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file
from torch import Tensor

from evomerge_core.merging.config import MergeConfig
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.candidate.candidate_merge import child_of
from evomerge_core.run.loop import run
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.store.facts import read_facts
from evomerge_quant.resident.model import build
from support.command_line import command
from support.tiny_run import SEVENS, scores, write_recipe

HARNESS = Path(__file__).parents[2] / "support" / "kill_harness.py"
NINES = {**SEVENS, "name": "nines", "pattern": "9", "weight": 2.0}
NICHES = {
    "search_space": {},
    "tasks": [SEVENS],
    "splits": {"search": 16, "validation": 8, "test": 10},
    "budget": {"evaluations": 18},
    "search": {"algorithm": "niches", "archive": 6},
    "evaluation": {"precision": "fp32", "device": "cpu"},
}
CELLS = {**NICHES, "tasks": [SEVENS, NINES], "search": {"algorithm": "cells", "archive": 4}}
LINEAR = {
    **NICHES,
    "sources": ["./base", "./first", "./second"],
    "search_space": {"method": "linear", "groups": {"parts": True, "bands": 2}, "fixed": {"normalize": False}},
}


def make_run(place: Path, changes: dict[str, Any], out: str = "run") -> Path:
    return create_run(load_recipe(write_recipe(place, **changes)), out=place / out)


def digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    parts = sorted((name, tensor.float().numpy().tobytes()) for name, tensor in tensors)
    return hashlib.sha256(b"".join(name.encode() + data for name, data in parts)).hexdigest()


def carry_out(folder: Path) -> list[str]:
    """Digests of the weights of all that was scored, in that order."""
    setup, store = prepare(load_recipe(folder / RECIPE), folder), open_store(folder)
    loaded: list[str] = []

    def make(precision: Any, layers: Any, batch_size: int | None) -> Any:
        model = build(setup.base_folder, precision=precision, device="cpu", layers=layers, batch_size=batch_size)
        load = model.load

        def seen(tensors: Iterable[tuple[str, Tensor]]) -> None:
            kept = [(name, tensor.clone()) for name, tensor in tensors]
            loaded.append(digest(kept))
            load(kept)

        model.load = seen  # type: ignore[method-assign]
        return model

    with closing(store):
        run(setup, store, make)
    return loaded


@pytest.mark.parametrize("changes", [NICHES, CELLS, LINEAR], ids=["niches", "cells", "linear"])
def test_a_member_is_a_small_recipe_that_merge_makes_the_scored_weights_of(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = make_run(tmp_path, changes)
    scored = carry_out(folder)
    with closing(read_store(folder)) as store:
        facts, searched = read_facts(store), store.candidates("search")
        asked = {len(store.item_scores(one.id, "search", "fp32")) for one in searched if one.twin is None}
    assert len({one.id for one in searched if one.twin is None}) == changes["budget"]["evaluations"]
    # every child was asked every item, and comes from members of the archive of the generation before
    assert asked == {16 * len(changes["tasks"])}
    archives = {generation: set(ids) for generation, *ids in facts.archives}
    for child, *parents in facts.births:
        born = next(one.generation for one in searched if one.id == child)
        if born:
            assert set(parents) <= archives[born - 1]
    if "archive" in changes["search"] and changes["search"]["algorithm"] == "niches":
        assert all(len(ids) <= 6 for ids in archives.values())

    last = next(one for one in reversed(searched) if one.id in archives[max(archives)])
    told = json.loads(command("candidate", folder, last.label, "--json").stdout)
    (tmp_path / "member.yml").write_text(told["recipe"])
    done = command("merge", tmp_path / "member.yml", tmp_path / "member")
    assert done.returncode == 0, done.stderr
    assert digest(load_file(tmp_path / "member" / "model.safetensors").items()) in scored


def test_a_stage_that_breeds_after_another_takes_none_of_its_merges(tmp_path: Path) -> None:
    """Theirs have other numbers: here one for each source, where the archive's have one for each source and layer."""
    stages = [
        {"name": "one", "search_space": {"groups": "whole"}},
        {"name": "two", "search_space": {}, "search": NICHES["search"]},
    ]
    changes = {key: value for key, value in NICHES.items() if key not in ("search_space", "search")}
    path = write_recipe(tmp_path, **changes, stages=stages)
    recipe = yaml.safe_load(path.read_text())
    del recipe["search_space"]
    path.write_text(yaml.safe_dump({**recipe, "budget": {"evaluations": 6}}, sort_keys=False))
    folder = create_run(load_recipe(path), out=tmp_path / "run")
    carry_out(folder)
    with closing(read_store(folder)) as store:
        parents = {one.id for one in store.candidates("parent")}
        bred = {one.id: one for one in store.candidates("search") if one.stage == 1}
        births = read_facts(store).births
    assert len(births) == 6
    assert all(len(one.genome or ()) == 4 for one in bred.values())
    assert all({*pair} <= {*parents, *bred} for _, *pair in births)


@pytest.mark.skipif(os.name == "nt", reason="the harness forks; Windows has no fork")
@pytest.mark.parametrize(("changes", "kills"), [(NICHES, 3), (CELLS, 1)], ids=["niches", "cells"])
def test_kills_change_nothing(tmp_path: Path, changes: dict[str, Any], kills: int) -> None:
    found = []
    for out, rounds in (("whole", 0), ("killed", kills)):
        folder = make_run(tmp_path, {**changes, "budget": {"evaluations": 10}}, out)
        done = subprocess.run(
            [sys.executable, str(HARNESS), str(folder), str(rounds), "4", "3"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        with closing(read_store(folder)) as store:
            facts = read_facts(store)
        found.append((scores(folder), facts.births, facts.archives, facts.grams))
    assert found[0] == found[1]
    assert len(found[0][1]) == 10


def test_a_source_that_no_member_has_is_not_read(tmp_path: Path) -> None:
    """A merge of a pool costs what its own sources cost."""
    setup = prepare(load_recipe(write_recipe(tmp_path, **NICHES)), tmp_path)
    with closing(open_store(make_run(tmp_path / "other", NICHES))) as store:
        genome = np.array([0.0, 0.0, 0.5, 0.25])
        merge = child_of(setup, store, store.add_candidate("search", "g1.1", genome=genome.tolist(), stage=0))
    assert isinstance(merge, MergeConfig)
    assert [source.model for source in merge.slices[0].sources] == ["./second"]
