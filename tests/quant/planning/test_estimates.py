"""What a run will take: proportions that must hold whatever the machine, and past runs that put the rule right."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from evomerge_core.discovery.headers import look_at
from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe
from evomerge_core.sources.pretrained import read_config
from evomerge_quant.planning.estimate import RunEstimate, estimate
from evomerge_quant.planning.machine.capacity import Capacity, measure_capacity
from evomerge_quant.planning.machine.room import lack_of_room
from evomerge_quant.planning.machine.timings import Timing, read_timings, remember
from evomerge_quant.planning.plan import plan_of
from evomerge_quant.resident import memory
from support.tiny_models import make_folder

LAPTOP = Capacity("cpu", "a laptop", 4, 16 * 10**9, 12 * 10**9)
CARD = Capacity("cuda", "a card", 8, 32 * 10**9, 30 * 10**9, 12 * 10**9, 11 * 10**9, 40)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for seed in range(3):
        make_folder(place, "llama", seed)
    return place


def recipe(models: Path, **changes: Any) -> Recipe:
    data: dict[str, Any] = {
        "evomerge": 1,
        "name": "cross",
        "base": str(models / "llama-0"),
        "sources": [str(models / "llama-1"), str(models / "llama-2")],
        "search_space": {"groups": "whole"},
        "tasks": [{"name": "task", "file": "items.jsonl", "fields": {"answer": "answer"}, "max_new_tokens": 20}],
        "splits": {"search": 40, "validation": 20, "test": 100},
        "budget": {"evaluations": 100},
        "search": {"racing": "off"},
    }
    return Recipe.model_validate({**data, **changes})


def estimated(one: Recipe, models: Path, capacity: Capacity = LAPTOP, *timings: Timing) -> RunEstimate:
    references = [one.base, *(source.model for source in one.sources)]
    return estimate(one, plan_of(one, look_at(references, relative_to=models)), capacity, timings, 50.0)


def timing(models: Path, **changes: Any) -> Timing:
    parameters = plan_of(recipe(models), look_at([str(models / f"llama-{i}") for i in range(3)], relative_to=models)).parameters
    usual = Timing("a laptop", parameters, "bf16", 2, ("task",), 40, 50.0, 6.0, 3.0)
    return dataclasses.replace(usual, **changes)


def middle(span: Any) -> float:
    return float((span.low * span.high) ** 0.5)


def test_the_same_run_again_takes_as_long_as_it_took(models: Path) -> None:
    found = estimated(recipe(models), models, LAPTOP, timing(models))
    assert middle(found.candidate_seconds) == pytest.approx(3.0, rel=1e-6)
    assert "1 past run on this machine with this model" in found.basis


def test_without_a_run_the_rule_is_reported(models: Path) -> None:
    elsewhere = timing(models, device="another machine")
    found = estimated(recipe(models), models, LAPTOP, elsewhere)
    assert found == estimated(recipe(models), models)
    for word in ("a rough estimate", "50 tokens read", "4 cores"):
        assert word in found.basis
    assert found.seconds.high / found.seconds.low == pytest.approx(9.0)


def test_a_model_of_another_size_says_less_than_the_same_and_a_tiny_one_nothing(models: Path) -> None:
    same = estimated(recipe(models), models, LAPTOP, timing(models))
    near = estimated(recipe(models), models, LAPTOP, timing(models, parameters=2 * timing(models).parameters))
    far = estimated(recipe(models), models, LAPTOP, timing(models, parameters=100 * timing(models).parameters))
    assert same.seconds.high / same.seconds.low < near.seconds.high / near.seconds.low
    assert "with other models" in near.basis
    assert "a rough estimate" in far.basis


def test_time_grows_with_what_is_asked(models: Path) -> None:
    known = timing(models)
    few, many = (estimated(recipe(models, budget={"evaluations": n}), models, LAPTOP, known) for n in (100, 300))
    assert middle(many.seconds) - middle(few.seconds) == pytest.approx(200 * 3.0, rel=0.05)
    assert (few.candidates.low, few.candidates.high) == (100, 100)


def test_a_race_asks_less_of_a_candidate(models: Path) -> None:
    whole, raced = (estimated(recipe(models, search={"racing": word}), models) for word in ("off", "on"))
    assert middle(raced.candidate_seconds) < middle(whole.candidate_seconds)
    assert middle(raced.seconds) < middle(whole.seconds)


def test_minutes_bound_the_time_and_the_candidates(models: Path) -> None:
    found = estimated(recipe(models, budget={"minutes": 10}), models, LAPTOP, timing(models))
    assert found.seconds.high <= 600
    assert found.candidates.low < found.candidates.high < 600 / found.candidate_seconds.low
    alone = estimated(recipe(models, budget={"evaluations": 2, "minutes": 10}), models, LAPTOP, timing(models))
    assert alone.candidates.high == 2


def test_numbers_are_those_that_the_search_evolves(models: Path) -> None:
    assert estimated(recipe(models), models).numbers == 2
    paper = estimated(recipe(models, search_space={"preset": "paper", "groups": {"bands": 3}}), models)
    assert paper.numbers == 2 * 2 * 3
    assert paper.population == 4 + int(3 * torch.tensor(12.0).log().item())


@pytest.mark.parametrize("capacity", [LAPTOP, CARD], ids=["cpu", "cuda"])
def test_memory_holds_the_model_and_more_bits_need_more(models: Path, capacity: Capacity) -> None:
    evaluations = [{"precision": precision} for precision in ("nf4", "bf16", "fp32")]
    needs = [estimated(recipe(models, evaluation=settings), models, capacity) for settings in evaluations]
    config = read_config(models / "llama-0")
    held = memory.resident_bytes(config, "fp32", torch.float32)
    assert needs[2].least > held
    assert needs[2].least >= needs[1].least
    assert needs[0].vram == 0 if capacity.device == "cpu" else needs[0].vram > 0
    confirmed = estimated(recipe(models, evaluation={"precision": "nf4", "confirm": ["fp32"]}), models, capacity)
    assert confirmed.least >= needs[2].least


def test_disk_is_the_winner_in_two_bytes_a_weight(models: Path) -> None:
    found = estimated(recipe(models, budget={"evaluations": 1}), models)
    assert found.written == pytest.approx(2 * timing(models).parameters, abs=100_000)
    assert found.download == 0


def test_groups_that_do_not_fit_the_model_are_reported(models: Path) -> None:
    with pytest.raises(InputError, match="bands: 9 bands but only 3 layers"):
        estimated(recipe(models, search_space={"groups": {"bands": 9}}), models)


def test_past_runs_are_kept_and_what_cannot_be_read_is_passed_over(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "timings.jsonl"
    assert read_timings(file) == ()
    first, second = timing(models), timing(models, seconds=5.0)
    remember(first, file)
    file.write_text(file.read_text() + "not JSON\n" + '{"device": 3}\n')
    remember(second, file)
    assert read_timings(file) == (first, second)
    for _ in range(250):
        remember(first, file)
    assert len(file.read_text().splitlines()) == 200


def test_room_is_reported_in_words() -> None:
    assert lack_of_room(10**9, LAPTOP) == ""
    assert "needs about 31 GB of RAM" in lack_of_room(30 * 10**9, LAPTOP)
    assert "12 GB" in lack_of_room(30 * 10**9, CARD)


def test_this_machine_can_be_measured() -> None:
    found = measure_capacity("cpu")
    assert found.device == "cpu"
    assert 0 < found.ram_free <= found.ram
    assert found.cores >= 1
