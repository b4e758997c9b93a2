"""Runs of every kind by two workers: what a run finds is what its job finds alone, whoever of them answers first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.loop import run
from evomerge_core.run.reopen import reopen
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.run_folder.names import FEATURES
from evomerge_core.run.selection.select_sources import select_sources
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import read_facts
from evomerge_quant.resident.model import evaluators
from evomerge_quant.resident.sight import see_pictures
from evomerge_quant.workers.run_description import describe_run
from support.crew_here import CrewHere
from support.seeing_runs import write_seeing_recipe
from support.tasteful_runs import BY_TASTE, judge, votes_in
from support.tiny_run import SEVENS, save_model, scores, write_recipe

_CPU = {"precision": "fp32", "device": "cpu"}
_FEW = {"tasks": [SEVENS], "splits": {"search": 8, "validation": 4, "test": 4}, "evaluation": _CPU}
_RACED = {**_FEW, "splits": {"search": 20, "validation": 4, "test": 4}, "search": {"population": 4, "racing": {"first": 4}}}


def with_pictures(place: Path) -> Path:
    return write_seeing_recipe(place, "llava-next", evaluation=_CPU, search={"population": 3})


def of_stages(place: Path) -> Path:
    """Weights, raced, and then paths through the winner and a source."""
    weights = {"search_space": {"groups": "whole"}, "budget": {"evaluations": 6}}
    paths = {"paths": {"sources": ["weights", "first"]}, "budget": {"evaluations": 6}}
    recipe = write_recipe(place, **_RACED, stages=[weights, paths])
    recipe.write_text(recipe.read_text().replace("search_space:\n  groups:\n    bands: 2\n", ""))
    return recipe


def of_niches(place: Path) -> Path:
    return write_recipe(place, **_FEW, budget={"evaluations": 9}, search={"algorithm": "niches", "archive": 3}, search_space={})


def by_taste(place: Path) -> Path:
    return write_recipe(place, **{**BY_TASTE, **_FEW, "budget": {"evaluations": 6}, "search": {"population": 3}})


def of_a_pool(place: Path) -> Path:
    path = write_recipe(place, **_RACED, pool=["./first", "./second", "./third"], budget={"evaluations": 8})
    save_model(place / "third", 5)
    path.write_text(path.read_text().replace("sources:\n- ./first\n- ./second\n", ""))
    return path


def carry_out(folder: Path, *, with_crew: bool) -> tuple[CrewHere | None, ...]:
    """The run, by its job or by two workers, of whom the second has the pictures elsewhere; its crews."""
    with closing(open_store(folder)) as store:
        setup = reopen(folder, read_facts(store))
        sight = see_pictures(setup, folder / FEATURES)
        setup = sight.setup
        make = evaluators(setup.base_folder, "cpu", "float32", setup.speaks, sight.seen)
        described = describe_run(setup, [], folder / FEATURES, list(sight.seen))
        both = [described, replace(described, features=str(folder / "nothing"))]
        crew = CrewHere(both, sight.seen) if with_crew else None
        if not setup.recipe.pool or read_facts(store).pool is not None:
            run(setup, store, make, judge=judge, crew=crew)
            return (crew,)
        select_sources(setup, store, make, crew=crew)
    return crew, *carry_out(folder, with_crew=with_crew)


def found(folder: Path) -> list[Any]:
    """All that a run keeps of what it found, without times: in the order in which it was kept."""
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        passes = connection.execute("SELECT candidate, split, precision, items, tokens, failure, loss FROM passes ORDER BY id")
        candidates = connection.execute("SELECT id, kind, label, genome FROM candidates ORDER BY id")
        rows = [*passes.fetchall(), *candidates.fetchall()]
    with closing(read_store(folder)) as store:
        facts = read_facts(store)
    return [*rows, *scores(folder), *votes_in(folder), facts.winner, facts.stage_winners, facts.archives, facts.pool]


@pytest.mark.parametrize("write", [with_pictures, of_stages, of_niches, by_taste, of_a_pool])
def test_two_workers_find_what_the_job_finds_alone(write: Callable[[Path], Path], tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path))
    alone, shared = create_run(recipe, out=tmp_path / "alone"), create_run(recipe, out=tmp_path / "shared")
    carry_out(alone, with_crew=False)
    crews = carry_out(shared, with_crew=True)
    assert found(shared) == found(alone)
    assert all(crew is not None and crew.most_at_once == 2 and all(crew.answered.values()) for crew in crews)
