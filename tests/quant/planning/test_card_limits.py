"""What preflight says of a 7.6 B model on cards of 8 to 24 GB, against the weights' bytes by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evomerge_core.methods.registry import method_names
from evomerge_core.recipe.schema import Budget, Precision
from evomerge_quant.planning.card_sizes.model_sizes import MODEL_SIZES
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.memory import CUDA_BYTES, MemoryNeed, memory_need
from evomerge_quant.planning.plan import Plan, PlannedSearch
from evomerge_quant.planning.workload import Workload
from evomerge_quant.resident.answering.row_lengths import RowLengths

# Qwen 2.5 7B by its card: 7.61 B weights, of which 6.53 B outside of embedding and head.
WEIGHTS, INSIDE = 7.61e9, 6.53e9
LARGEST = 152_064 * 3584
BITS: dict[Precision, float] = {"bf16": 16, "int8": 8.5, "int5": 5.5, "nf4": 4.5}
CARDS = (8, 12, 16, 24)
# A layer's keys and values of a token, in bfloat16: 4 heads of 128, 28 layers.
TOKEN = 2 * 2 * 4 * 128 * 28


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("7b")
    MODEL_SIZES["7b"].config().save_pretrained(place)
    assert json.loads((place / "config.json").read_text())["num_hidden_layers"] == 28
    return place


def need(
    folder: Path, gigabytes: float, precision: Precision, methods: tuple[str, ...] = ("ties",), sources: int = 2
) -> MemoryNeed:
    count = int(WEIGHTS)
    search = PlannedSearch(2, Budget(evaluations=10), 8, count, count, count)
    plan = Plan(cast(Any, SimpleNamespace(folder=folder)), count, sources, LARGEST, 0, (search,), methods)
    free = int(gigabytes * 1e9)
    card = Capacity("cuda", "a card", 8, 64 * 10**9, 60 * 10**9, free, free, 28)
    lengths = RowLengths(read=400, whole=600, judged=100)
    work = Workload(("task",), 64, 64, 32, 16, 200, 300.0, 90.0, lengths, 4, 4, 1)
    return memory_need(precision, "auto", plan, card, work)


def held(precision: Precision) -> float:
    return INSIDE * BITS[precision] / 8 + 2 * (WEIGHTS - INSIDE)


@pytest.mark.parametrize("precision", BITS)
@pytest.mark.parametrize("gigabytes", CARDS)
def test_what_fits_holds_the_weights_and_what_does_not_lacks_room_for_one_answer(
    folder: Path, gigabytes: int, precision: Precision
) -> None:
    found, free = need(folder, gigabytes, precision), 1e9 * gigabytes
    weights = held(precision)
    if found.least <= free:
        assert weights + CUDA_BYTES + 600 * TOKEN <= free
    else:  # less than a gigabyte is left for passes and keys
        assert weights + CUDA_BYTES + 1e9 > free
    # the batch is what there is room for: no plan is above the card where one answer fits
    assert found.device <= free or found.least > free


@pytest.mark.parametrize("precision", BITS)
def test_a_batch_shrinks_before_a_model_is_refused(folder: Path, precision: Precision) -> None:
    least = need(folder, 80, precision).least / 1e9
    tight, wide = need(folder, 1.001 * least, precision), need(folder, 80, precision)
    assert tight.least <= 1.001e9 * least
    assert 1 <= tight.rows < wide.rows == 200
    assert need(folder, 0.999 * least, precision).least > 0.999e9 * least


@pytest.mark.parametrize("sources", [1, 2, 3, 5])
def test_methods_and_sources_take_ram_and_nothing_of_the_card(folder: Path, sources: int) -> None:
    known = [need(folder, 12, "nf4", (method,), sources) for method in method_names()]
    assert len({(one.device, one.least, one.enough, one.rows) for one in known}) == 1
    assert min(one.ram for one in known) >= 2 * LARGEST
    assert need(folder, 12, "nf4", ("della",), sources).ram > need(folder, 12, "nf4", ("ties",), sources).ram
