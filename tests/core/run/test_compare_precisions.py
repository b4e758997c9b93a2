"""Before a search in few bits a few merges are scored in bf16 too: with models that pretend, whose abilities are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.paths.space import PathSpace
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.agreement import DRAWN, agreement
from evomerge_core.run.compare_precisions import Shipped
from evomerge_core.run.loop import run
from evomerge_core.run.rehearsal import estimate_run, rehearse
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import Setup, create_run, prepare
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import AGREEMENT, Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.progress import read_progress
from evomerge_core.tasks.evaluator import Answer, Question
from support.tiny_run import write_recipe

SPLITS = {"search": 24, "validation": 8, "test": 20}
# In bf16 every merge has an ability of its own; in few bits it is the same, none, or the contrary.
HONEST, BLIND, CONTRARY = "honest", "blind", "contrary"


@dataclass
class Pretended:
    """Answers an item right by the ability of the loaded merge, whose answers on an item are the same in all precisions."""

    precision: str
    kind: str
    batch_size: int | None = 8
    scored_on: str = "nothing"
    loaded: float = 0.0
    asked: list[int] = field(default_factory=list)

    def load(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        values = [tensor.double().abs().mean().item() for _, tensor in tensors]
        self.loaded = float(np.mean(values))

    def follow(self, route: Sequence[tuple[int, float]]) -> None:
        self.loaded = share(repr(route))

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked.append(len(questions))
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer:
        if not question.max_new_tokens:
            return Answer(gold_logprob=-1.0, gold_tokens=1)
        own = share(repr(self.loaded))
        able = {HONEST: own, BLIND: 0.0, CONTRARY: 1.0 - own}
        right = share(question.prompt) < able[HONEST if self.precision == "bf16" else self.kind]
        number = int(question.prompt.split()[1])
        return Answer(str(number * 7 % 100 if right else 101), 3, gold_logprob=-1.0, gold_tokens=1)


def share(text: str) -> float:
    """A number from 0 to 1 that depends on a text and nothing else."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def made(kind: str) -> tuple[Any, list[Pretended]]:
    """What makes models of a kind, and those that it made."""
    models: list[Pretended] = []

    def make(precision: Any, layers: Any, batch_size: Any) -> Any:  # noqa: ARG001
        models.append(Pretended(precision, kind))
        return models[-1]

    return make, models


def opened(tmp_path: Path, precision: str = "nf4", **changes: Any) -> tuple[Setup, Store]:
    evaluation = {"precision": precision, "device": "cpu", **changes.pop("evaluation", {})}
    recipe = write_recipe(tmp_path, splits=SPLITS, evaluation=evaluation, **changes)
    folder = create_run(load_recipe(recipe), out=tmp_path / "run")
    return prepare(load_recipe(folder / RECIPE), folder), open_store(folder)


def merges(store: Store) -> list[Candidate]:
    return [*store.candidates("uniform"), *store.candidates("drawn")]


def values(store: Store, candidate: Candidate, precision: str, items: set[str]) -> list[float]:
    of_search = store.item_scores(candidate.id, "search", precision)
    known = {score.item: score.value for score in (*of_search, *store.item_scores(candidate.id, AGREEMENT, precision))}
    return [known[item] for item in sorted(items)]


def test_the_same_items_are_asked_in_both_and_what_they_say_is_kept(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    make, _ = made(HONEST)
    run(setup, store, make)
    found = read_facts(store).agreement
    assert found is not None
    assert (found["precision"], found["merges"]) == ("nf4", 3 + DRAWN)
    asked = {c.label: {i.item for i in store.item_scores(c.id, AGREEMENT, "bf16")} for c in merges(store)}
    (items,) = {frozenset(of_merge) for of_merge in asked.values()}
    assert len(items) == found["items"] > 0
    assert items <= {a.item.id for a in setup.plan.asked["search"]}
    # every merge's answers in both precisions, by hand
    few, bf16 = (np.array([values(store, c, p, set(items)) for c in merges(store)]) for p in ("nf4", "bf16"))
    assert found["value"] == pytest.approx(agreement("nf4", few, bf16).value)
    assert found["value"] == pytest.approx(1.0)  # the pretended answers are the same
    assert ("agreement", {"text": read_progress(tmp_path / "run").agreement}) in [(k, d) for _, _, k, d in store.events()]


def test_parents_are_not_compared(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    make, _ = made(HONEST)
    run(setup, store, make)
    assert all(store.evaluation(parent.id, AGREEMENT, "bf16") is None for parent in store.candidates("parent"))


@pytest.mark.parametrize("kind", [BLIND, CONTRARY])
def test_a_search_that_would_chase_noise_ends_before_it_begins(tmp_path: Path, kind: str) -> None:
    setup, store = opened(tmp_path)
    make, models = made(kind)
    with pytest.raises(InputError) as ended:
        run(setup, store, make)
    said = str(ended.value)
    assert said.startswith("evaluation.precision: nf4: nf4 agrees with bf16 on ")
    assert "a search in it would chase noise; start a new run with precision: auto" in said
    assert "\n" not in said
    assert store.candidates("search") == []
    # a resumed run says the same, and asks nothing
    before = len(models)
    with pytest.raises(InputError) as again:
        run(setup, store, make)
    assert str(again.value) == said
    assert len(models) == before


def test_a_choice_that_memory_forced_has_another_remedy(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    store.set_facts(precision_choice="nf4: bf16 needs 14.9 GB, 7.6 GB are free")
    with pytest.raises(InputError, match="smaller models or more memory"):
        run(setup, store, made(BLIND)[0])


def test_paths_are_compared_with_the_parents_beside_them(tmp_path: Path) -> None:
    place = write_recipe(tmp_path, splits=SPLITS, evaluation={"precision": "nf4", "device": "cpu"}, budget={"evaluations": 8})
    data = {key: value for key, value in yaml.safe_load(place.read_text()).items() if key != "search_space"}
    place.write_text(yaml.safe_dump({**data, "paths": {}}, sort_keys=False))
    folder = create_run(load_recipe(place), out=tmp_path / "run")
    setup, store = prepare(load_recipe(folder / RECIPE), folder), open_store(folder)
    run(setup, store, made(HONEST)[0])
    asked = {candidate.label for candidate, split, *_ in store.all_evaluations() if split == AGREEMENT}
    drawn = [candidate.label for candidate in store.candidates("drawn")]
    assert asked == {"first", "second", *drawn}
    assert len(drawn) > 1
    # the first path of a search is the first parent's own, which is there already
    space = setup.stages[0].space
    assert isinstance(space, PathSpace)
    assert space.to_path(np.array(store.candidates("drawn")[0].genome)) != space.to_path(space.start)
    assert read_facts(store).agreement is not None


def test_a_person_may_search_all_the_same(tmp_path: Path) -> None:
    setup, store = opened(tmp_path, evaluation={"agreement": False})
    make, models = made(CONTRARY)
    run(setup, store, make)
    assert {model.precision for model in models} == {"nf4"}
    assert read_facts(store).agreement is None
    assert store.candidates("drawn") == []


def test_what_ships_is_not_compared_with_itself(tmp_path: Path) -> None:
    setup, store = opened(tmp_path, precision="bf16")
    run(setup, store, made(HONEST)[0])
    assert read_facts(store).agreement is None
    assert store.candidates("drawn") == []


def test_where_bf16_has_no_room_that_is_said_and_the_search_goes_on(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    lacking = "bf16 needs 29.0 GB of RAM, 7.6 GB are free"
    run(setup, store, made(CONTRARY)[0], shipped=lambda: Shipped(None, lacking))
    assert read_progress(tmp_path / "run").agreement == f"whether nf4 ranks merges as bf16 does was not measured: {lacking}"
    assert store.candidates("search") != []


def test_models_in_bf16_come_from_where_there_is_room_for_them(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    make, here = made(HONEST)
    elsewhere, there = made(HONEST)
    run(setup, store, make, shipped=lambda: Shipped(elsewhere))
    assert {model.precision for model in here} == {"nf4"}
    assert [model.precision for model in there] == ["bf16"]
    assert read_facts(store).scored_on == "nothing"
    assert sum(kind == "scored_on" for _, _, kind, _ in store.events()) == 1


def test_a_run_that_was_cut_in_the_middle_finds_the_same(tmp_path: Path) -> None:
    setup, store = opened(tmp_path / "whole")
    run(setup, store, made(HONEST)[0])
    whole = read_facts(store).agreement
    setup, store = opened(tmp_path / "cut")

    class Cut(Exception):
        pass

    class Tired(Pretended):
        def answer(self, questions: Sequence[Question]) -> list[Answer]:
            if self.precision == "bf16" and len(self.asked) == 4:
                raise Cut
            return super().answer(questions)

    with pytest.raises(Cut):
        run(setup, store, lambda precision, *_: Tired(precision, HONEST))
    done = store.count_evaluations(AGREEMENT)
    assert 0 < done < 3 + DRAWN
    assert read_facts(store).agreement is None
    make, models = made(HONEST)
    run(setup, store, make)
    assert read_facts(store).agreement == whole
    (in_bf16,) = [model for model in models if model.precision == "bf16"]
    assert len(in_bf16.asked) >= 3 + DRAWN - done


def test_a_run_whose_search_an_earlier_version_began_goes_on(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    store.set_facts(stage_starts=[0], stage_seconds=[0.0])
    run(setup, store, made(CONTRARY)[0])
    assert read_facts(store).agreement is None
    assert store.candidates("search") != []


def test_the_time_is_foretold(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    make, _ = made(HONEST)
    parts = estimate_run(setup, rehearse(setup, make))
    run(setup, store, make)
    answers = sum(len(store.item_scores(c.id, AGREEMENT, p)) for c in merges(store) for p in ("nf4", "bf16"))
    assert parts["agreement"].tokens == pytest.approx(3 * answers)
    setup, _ = opened(tmp_path / "other", precision="bf16")
    assert estimate_run(setup, rehearse(setup, make))["agreement"].tokens == 0


def test_scores_that_compare_precisions_are_none_of_the_searchs(tmp_path: Path) -> None:
    setup, store = opened(tmp_path)
    run(setup, store, made(HONEST)[0])
    drawn = {c.id for c in store.candidates("drawn")}
    assert not drawn & {outcome.candidate for outcome in store.outcomes(split="search")}
    assert all(split != "search" or precision == "nf4" for _, split, precision, _ in store.all_evaluations())
