"""What `precision: auto` becomes by the memory, where bf16 can be scored beside it, and what preflight says of both."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.discovery.headers import look_at
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.setup import prepare
from evomerge_quant.planning import precision as planning
from evomerge_quant.planning.checks.room import room_checks
from evomerge_quant.planning.estimate import estimate
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.memory import memory_need
from evomerge_quant.planning.plan import Plan, plan_of
from evomerge_quant.planning.precision import choose_for, choose_precision, plan_precision, precision_check, shipped_for
from evomerge_quant.planning.workload import workload
from support.tiny_models import make_folder

GB = 10**9
LAPTOP = Capacity("cpu", "a laptop", 4, 16 * GB, 12 * GB)
CARD = Capacity("cuda", "a card", 8, 32 * GB, 30 * GB, 12 * GB, 11 * GB, 40)
MACHINES = pytest.mark.parametrize("machine", [LAPTOP, CARD], ids=["cpu", "cuda"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for seed in range(3):
        make_folder(place, "llama", seed, vocab_size=20_000)
    (place / "items.jsonl").write_text("".join(f'{{"question": "{n}?", "answer": "{n}"}}\n' for n in range(200)))
    return place


def recipe(models: Path, **changes: Any) -> Recipe:
    data: dict[str, Any] = {
        "evomerge": 1,
        "name": "cross",
        "base": str(models / "llama-0"),
        "sources": [str(models / "llama-1"), str(models / "llama-2")],
        "tasks": [{"name": "task", "file": "items.jsonl", "max_new_tokens": 20, "chat": False}],
        "splits": {"search": 40, "validation": 20, "test": 100},
        "budget": {"evaluations": 100},
    }
    return Recipe.model_validate({**data, **changes}, context={"folder": models})


def planned(one: Recipe, models: Path) -> Plan:
    return plan_of(one, look_at([one.base, *(source.model for source in one.sources)], relative_to=models))


def free(machine: Capacity, count: int) -> Capacity:
    """The machine with so many free bytes where it scores."""
    return dataclasses.replace(machine, **{"vram_free" if machine.device == "cuda" else "ram_free": count})


def enough(one: Recipe, models: Path, precision: Any, machine: Capacity) -> int:
    """Bytes that a precision needs on a machine that has little more than that: nothing is unpacked there."""
    work = workload(one, machine.device)
    needed = memory_need(precision, "auto", planned(one, models), free(machine, 0), work)
    return needed.enough


@MACHINES
def test_the_first_that_fits_is_chosen_from_bf16_downwards(models: Path, machine: Capacity) -> None:
    one = recipe(models)
    needs = {precision: enough(one, models, precision, machine) for precision in ("bf16", "int8", "int5", "nf4")}
    assert needs["bf16"] > needs["int8"] > needs["int5"] > needs["nf4"]
    for bytes_free, chosen in [
        (needs["bf16"], "bf16"),
        (needs["bf16"] - 1, "int8"),
        (needs["int8"], "int8"),
        (needs["int8"] - 1, "int5"),
        (needs["int5"] - 1, "nf4"),
        (0, "nf4"),
    ]:
        assert choose_for(one, planned(one, models), free(machine, bytes_free)).precision == chosen


def test_the_reason_has_the_figures(models: Path) -> None:
    one = recipe(models)
    most = choose_for(one, planned(one, models), LAPTOP)
    assert most.sentence == "bf16: it fits, and is what ships"
    bytes_free = enough(one, models, "int8", LAPTOP) - 1
    least = choose_for(one, planned(one, models), free(LAPTOP, bytes_free))
    for precision in ("bf16", "int8"):
        assert f"{precision} needs {enough(one, models, precision, LAPTOP) / GB:.1f} GB" in least.reason
    assert least.reason.endswith(f"{bytes_free / GB:.1f} GB are free")


def test_paths_need_room_for_the_layers_of_all_models(models: Path) -> None:
    weights = enough(recipe(models), models, "bf16", LAPTOP)
    of_two = enough(recipe(models, paths={}), models, "bf16", LAPTOP)
    assert of_two > weights
    # a path through more models holds more layers, however long it may be
    of_one = enough(recipe(models, paths={"sources": ["llama-1"], "max_layers": 3}), models, "bf16", LAPTOP)
    bounded = enough(recipe(models, paths={"sources": ["llama-1", "llama-2"], "max_layers": 3}), models, "bf16", LAPTOP)
    assert bounded > of_one


def test_an_estimate_is_that_of_the_chosen_precision(models: Path) -> None:
    for precision, machine in [("bf16", LAPTOP), ("nf4", free(LAPTOP, 0))]:
        auto, named = (recipe(models, evaluation={"precision": word}) for word in ("auto", precision))
        ours, theirs = (estimate(one, planned(one, models), machine, (), 50.0) for one in (auto, named))
        assert ours.precision.precision == precision
        assert (ours.least, ours.ram, ours.rows) == (theirs.least, theirs.ram, theirs.rows)


def test_comparing_with_bf16_is_part_of_the_time(models: Path) -> None:
    compared, alone = (recipe(models, evaluation={"precision": "nf4", "agreement": word}) for word in (True, False))
    ours, theirs = (estimate(one, planned(one, models), LAPTOP, (), 50.0) for one in (compared, alone))
    assert ours.seconds.low > theirs.seconds.low
    assert ours.seconds.low < 1.3 * theirs.seconds.low


def test_a_run_asks_this_machine(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = iter([LAPTOP, free(LAPTOP, 0)])
    monkeypatch.setattr(planning, "measure_capacity", lambda _: next(machines))
    assert [prepare(recipe(models), models, choose_precision).plan.precision for _ in range(2)] == ["bf16", "nf4"]


def line(one: Recipe, models: Path, machine: Capacity) -> tuple[str, str]:
    check = precision_check(estimate(one, planned(one, models), machine, (), 50.0).precision)
    assert check.subject == "Precision"
    assert (check.remedy == "") == (check.state == "ok")
    return check.state, check.text


def test_preflight_tells_the_choice(models: Path) -> None:
    assert line(recipe(models), models, LAPTOP) == ("ok", "bf16: it fits, and is what ships")
    assert line(recipe(models, evaluation={"precision": "bf16"}), models, LAPTOP) == ("ok", "bf16, which is what ships")
    assert line(recipe(models, evaluation={"precision": "fp32"}), models, LAPTOP) == ("ok", "fp32")


def test_preflight_advises_against_few_bits_where_bf16_fits(models: Path) -> None:
    state, text = line(recipe(models, evaluation={"precision": "nf4"}), models, LAPTOP)
    assert state == "warning"
    assert "though bf16 fits" in text


def test_preflight_says_where_the_ranking_is_compared(models: Path) -> None:
    few = enough(recipe(models), models, "bf16", CARD) - 1
    state, text = line(recipe(models), models, free(CARD, few))
    assert (state, text.split(":")[0]) == ("ok", "int8")
    assert text.endswith("its ranking is compared with bf16's first, on the card")  # one answer at a time fits there
    assert line(recipe(models), models, free(CARD, 0))[1].endswith("first, on the CPU")
    assert "agreement: false" in line(recipe(models, evaluation={"agreement": False}), models, free(CARD, 0))[1]


def test_preflight_says_when_nothing_can_be_compared(models: Path) -> None:
    nowhere = dataclasses.replace(free(CARD, 0), ram_free=1)
    state, text = line(recipe(models), models, nowhere)
    assert state == "warning"
    assert "can't be measured: bf16 needs" in text
    assert text.endswith("0.0 GB are free")


@MACHINES
def test_a_precision_that_only_confirms_and_does_not_fit_is_named(models: Path, machine: Capacity, tmp_path: Path) -> None:
    few = free(machine, enough(recipe(models), models, "int8", machine))
    for confirm, named in [(["bf16"], True), ([], False)]:
        one = recipe(models, evaluation={"confirm": confirm})
        found = dataclasses.replace(estimate(one, planned(one, models), few, (), 50.0), least=few.free + 1)
        (problem,) = [check for check in room_checks(found, few, tmp_path) if check.state == "problem"]
        assert problem.remedy.startswith("take bf16 out of evaluation.confirm, ") == named
        assert "choose smaller models" in problem.remedy


def test_what_ships_is_scored_wherever_it_fits(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = recipe(models, evaluation={"precision": "nf4", "arithmetic": "bfloat16"})
    setup, work = prepare(one, models), workload(one, "cuda")
    in_ram = {
        arithmetic: memory_need("bf16", arithmetic, planned(one, models), dataclasses.replace(CARD, device="cpu"), work).least
        for arithmetic in ("float32", "bfloat16")
    }
    assert in_ram["bfloat16"] < in_ram["float32"]
    full = free(CARD, 0)
    machines = {
        "card": CARD,
        "float32": dataclasses.replace(full, ram_free=in_ram["float32"]),
        "bfloat16": dataclasses.replace(full, ram_free=in_ram["float32"] - 1),
        "nowhere": dataclasses.replace(full, ram_free=in_ram["bfloat16"] - 1),
    }
    built: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "evomerge_quant.resident.model.evaluators",
        lambda _, device, arithmetic, *__, sharing: built.append((device, arithmetic, sharing)),
    )
    for name, machine in machines.items():
        monkeypatch.setattr(planning, "measure_capacity", lambda _, found=machine: found)
        lacking = shipped_for(setup.recipe, setup.sources[setup.recipe.base], setup.speaks)().lacking
        assert ("bf16 needs" in lacking) == (name == "nowhere")
    assert built == [("cuda", "bfloat16", 1), ("cpu", "float32", 1), ("cpu", "bfloat16", 1)]
    # two workers on such a machine have half of its RAM each
    nearly = dataclasses.replace(full, ram_free=2 * in_ram["bfloat16"] - 1)
    monkeypatch.setattr(planning, "measure_capacity", lambda _: nearly)
    lacking = [
        shipped_for(setup.recipe, setup.sources[setup.recipe.base], setup.speaks, sharing=count)().lacking for count in (1, 2)
    ]
    assert not lacking[0]
    assert "bf16 needs" in lacking[1]


def test_the_plan_of_a_named_precision_needs_no_choice(models: Path) -> None:
    one = recipe(models, evaluation={"precision": "int8"})
    found = plan_precision(one, None, planned(one, models), LAPTOP)
    assert (found.precision, found.reason, found.shipped_fits, found.compared_on) == ("int8", "", True, "cpu")
