"""How a run stands, in the dashboard's words."""

from __future__ import annotations

from typing import Any

import pytest

from evomerge_core.run.store.facts import RunFacts, facts_of
from evomerge_core.run.store.records import Outcome
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.run_standing import fitness_title, legend, verdict


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
    assert fitness_title(facts_of(facts)) == title


def test_the_legend_tells_the_least_and_the_greatest_score_of_the_references() -> None:
    history = History()
    scores = (("parent", 0.0), ("parent", 0.0), ("uniform", 0.167), ("uniform", 0.083), ("uniform", 0.188))
    outcomes = [
        Outcome(n, n, kind, f"{kind} {n}", None, "search", "nf4", score, None, None, 1.0, float(n), None)
        for n, (kind, score) in enumerate(scores)
    ]
    history.add(outcomes, RunFacts())
    text = legend(history).plain
    assert "parents 0 %  " in text
    assert text.endswith("uniform 8 to 19 %")


def test_the_verdicts_sign_is_the_results_flag_whatever_its_sentence() -> None:
    part = {"winner": {"test": 0.5}, "verdict": "a sentence that may be worded in any way"}
    result = {"precision": "nf4", **part, "better": True, "confirmed": {"bf16": {**part, "better": False}}}
    first, second = verdict(result).plain.split("\n")
    assert first.startswith("✓ nf4 50.0 %")
    assert second.startswith("○ bf16 50.0 %")
