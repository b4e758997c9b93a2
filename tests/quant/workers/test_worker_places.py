"""Where workers are placed, worked out by hand."""

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import EvaluationSettings, Recipe
from evomerge_quant.planning.machine.places import Machine, place_workers
from evomerge_quant.workers.crew import is_enough

LARGE, SMALL = Machine("1", "large", 8, 2), Machine("2", "small", 4, 1)


def placed(machines: list[Machine], wanted: int | str, *, on_cards: bool = False) -> list[tuple[str, int, int]]:
    return [(p.machine.host, p.threads, p.sharing) for p in place_workers(machines, wanted, on_cards=on_cards)]


def test_each_worker_goes_where_it_has_most_cores_to_itself() -> None:
    assert placed([LARGE, SMALL], 1) == [("large", 8, 1)]
    assert placed([LARGE, SMALL], 2) == [("large", 4, 2), ("large", 4, 2)]
    assert placed([LARGE, SMALL], 3) == [("large", 4, 2), ("large", 4, 2), ("small", 4, 1)]


def test_auto_is_one_to_a_card_and_one_to_a_machine_without() -> None:
    assert placed([LARGE, SMALL], "auto", on_cards=True) == [("large", 4, 2), ("large", 4, 2), ("small", 4, 1)]
    assert placed([LARGE, SMALL], "auto") == [("large", 8, 1), ("small", 4, 1)]
    assert placed([LARGE], "ray://host:10001") == [("large", 8, 1)]


def test_a_machine_without_cards_gets_no_worker_of_a_run_on_cards() -> None:
    assert placed([LARGE, Machine("3", "none", 64, 0)], 2, on_cards=True) == [("large", 4, 2), ("large", 4, 2)]


@pytest.mark.parametrize(("on_cards", "most", "unit"), [(True, 3, "card"), (False, 12, "core")])
def test_more_workers_than_there_is_room_for_are_refused_with_the_number(on_cards: bool, most: int, unit: str) -> None:
    assert len(placed([LARGE, SMALL], most, on_cards=on_cards)) == most
    with pytest.raises(
        InputError, match=f"each worker needs a {unit}, .* {most} {unit}s on 2 machines; ask for at most {most}"
    ):
        place_workers([LARGE, SMALL], most + 1, on_cards=on_cards)


@pytest.mark.parametrize("wanted", [1, "auto", "ray://host:10001"])
def test_where_there_is_nothing_to_compute_on_no_run_waits_for_workers(wanted: int | str) -> None:
    none = [Machine("3", "none", 64, 0)]
    with pytest.raises(InputError, match=f"workers: {wanted}: each worker needs a card, and there is none; write device: cpu"):
        place_workers(none, wanted, on_cards=True)
    with pytest.raises(InputError, match="each worker needs a core, and there is none"):
        place_workers([], wanted, on_cards=False)


def test_what_others_have_of_a_cluster_is_left_to_them() -> None:
    shared, full = Machine("1", "shared", 2, 1, taken_cores=6, taken_cards=1), Machine("2", "full", 0, 0, 4, 1)
    assert placed([shared, full], "auto") == placed([shared, full], 1) == [("shared", 2, 1)]
    assert placed([shared, full], "auto", on_cards=True) == [("shared", 2, 1)]
    with pytest.raises(InputError, match=r"^workers: 3: .*2 of the cluster's 12 cores are free; .*ask for at most 2$"):
        place_workers([shared, full], 3, on_cards=False)
    with pytest.raises(InputError, match=r"^workers: auto: .*0 of the cluster's 1 cards are free; wait until [^,]*$"):
        place_workers([full], "auto", on_cards=True)


def test_one_card_is_told_in_the_singular() -> None:
    with pytest.raises(InputError, match="there are 1 card; ask for at most 1, or write device: cpu"):
        place_workers([SMALL], 2, on_cards=True)


def test_a_crowded_cluster_is_looked_at_again_until_there_is_room_for_all_that_are_wanted() -> None:
    """What a run holds that has just ended is given up a moment later."""
    recipe = Recipe.model_construct(evaluation=EvaluationSettings(device="cpu"))
    crowded, full, free = Machine("1", "a", 1, 0, 1), Machine("2", "b", 0, 0, 1), Machine("3", "c", 2, 0)
    assert [is_enough(recipe, wanted, [crowded, full]) for wanted in (1, 2, "auto")] == [True, False, False]
    assert [is_enough(recipe, wanted, [free]) for wanted in (1, 2, 3, "auto")] == [True] * 4
