"""How a run stands, in the dashboard's words."""

from __future__ import annotations

from typing import Any

import pytest

from evomerge_tui.run_standing import fitness_title


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({}, "Fitness"),
        ({"race_sizes_0": None}, "Fitness"),
        ({"race_sizes_0": [7]}, "Fitness · on 7 items"),
        ({"stages": [{}, {}], "race_sizes_0": None, "race_sizes_1": [4, 8, 15]}, "Fitness · on 4 to 15 items"),
    ],
)
def test_the_plot_says_on_how_many_items_a_race_scores(facts: dict[str, Any], title: str) -> None:
    assert fitness_title(facts) == title
