"""Children planted in a run's store with a perfect task score, and answers that no parent would give: none is chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.candidate.coherence_guard import make_guard, objection
from evomerge_core.run.generation.broken_gate import gold_gate
from evomerge_core.run.generation.finalists import best_finalist, choose_finalists
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.setup import Setup, create_run, prepare
from evomerge_core.run.store.records import NEUTRAL, Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from support.tiny_run import write_recipe

SOUND = "She has {} apples left in the basket."
PLANTED = {
    "repeats": "has has has has has has has has {}",
    "wrong language": "彼女のかごにはりんごが{}個残っています。",
    "never stops": "She has {} apples left in the basket, and then",
}


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    run = create_run(load_recipe(write_recipe(tmp_path)), out=tmp_path / "run")
    return prepare(load_recipe(run / "recipe.yaml"), run)


@pytest.fixture
def store(setup: Setup, tmp_path: Path) -> Store:
    store = open_store(tmp_path / "run")
    store.set_facts(stage_starts=[0])
    for label in setup.parents:
        save(setup, store, store.add_candidate("parent", label), SOUND, right=4)
    return store


def save(setup: Setup, store: Store, candidate: Candidate, said: str, *, right: int) -> None:
    """Answers to the search's and the validation's items, `right` of each being right, with the guard's opinion."""
    guard = None if candidate.kind == "parent" else make_guard(setup.plan, store)
    for split in ("search", "validation"):
        items = [
            ItemScore("numbers", asked.item.id, float(n < right), 0.5, said == PLANTED["never stops"], True, 9, said.format(n))
            for n, asked in enumerate(setup.plan.asked[split])
        ]
        neutral = [ItemScore("en", "0", 0.0, 3.0, False, True, 0, "")] if split == "search" else []
        mark = None if guard is None else objection(guard, items, neutral)
        evaluation = Evaluation(right / len(items), 0.5, None, 1.0, 9 * len(items))
        store.save_evaluation(candidate.id, split, "nf4", evaluation, items, neutral=neutral, mark=mark)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_child_with_the_best_score_is_not_chosen(setup: Setup, store: Store, fault: str) -> None:
    planted = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[0.9] * 4)
    sound = store.add_candidate("search", "g1.2", generation=0, position=1, genome=[0.1] * 4)
    save(setup, store, planted, PLANTED[fault], right=8)
    save(setup, store, sound, SOUND, right=5)

    assert store.mark(planted.id, "search", "nf4")
    assert store.mark(sound.id, "search", "nf4") is None
    finalists = choose_finalists(setup.plan, setup.plan.stages[0], store)
    assert [finalist.label for finalist in finalists] == ["g1.2", "g1.1"]
    assert best_finalist(setup.plan, store, {planted.id: 2.0, sound.id: 1.0}, finalists) == sound


def test_where_all_are_incoherent_the_best_of_them_is_chosen(setup: Setup, store: Store) -> None:
    for number, right in enumerate((3, 7)):
        one = store.add_candidate("search", f"g1.{number + 1}", generation=0, position=number, genome=[0.1 * number] * 4)
        save(setup, store, one, PLANTED["repeats"], right=right)
    assert [finalist.label for finalist in choose_finalists(setup.plan, setup.plan.stages[0], store)] == ["g1.2", "g1.1"]


def test_the_same_score_without_the_fault_is_chosen(setup: Setup, store: Store) -> None:
    for number, right in enumerate((5, 8)):
        one = store.add_candidate("search", f"g1.{number + 1}", generation=0, position=number, genome=[0.1 * number] * 4)
        save(setup, store, one, SOUND, right=right)
        assert store.item_scores(one.id, NEUTRAL, "nf4")
    assert choose_finalists(setup.plan, setup.plan.stages[0], store)[0].label == "g1.2"


def test_the_gate_stops_what_finds_gold_answers_far_less_likely_than_the_best_parent(setup: Setup, store: Store) -> None:
    """The stored parents' losses are 0.5. With answers of a token a gate would cost more than it saves."""
    asked = setup.plan.asked["search"][:8]
    short = [replace(each, question=replace(each.question, max_new_tokens=1)) for each in asked]
    assert gold_gate(setup.plan, store, short, 0.1) is None
    long = [replace(each, question=replace(each.question, gold="w7 7", max_new_tokens=400)) for each in asked]
    gate = gold_gate(setup.plan, store, long, 0.1)
    assert gate is not None
    assert gate.objection([1.4] * 8) is None
    assert "2.5 nats" in (gate.objection([3.0] * 8) or "")
    assert gate.objection([None] * 8) is None
