"""How a run stands, in the dashboard's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evomerge_core.run.store.facts import RunFacts, facts_of
from evomerge_core.run.store.records import Candidate, Outcome
from evomerge_core.run.view.feed import Event
from evomerge_tui.screens.dashboard.candidate_columns import candidate_columns
from evomerge_tui.screens.dashboard.event_lines import event_line
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.run_standing import fitness_title, legend, summary, verdict
from evomerge_tui.screens.dashboard.watched_run import Best


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


def test_the_verdict_begins_with_what_the_run_comes_to() -> None:
    part = {"winner": {"test": 0.5}, "verdict": "a sentence", "better": False}
    result = {"precision": "nf4", **part, "confirmed": {}, "conclusion": "the search found nothing better"}
    assert verdict(result).plain.split("\n") == ["the search found nothing better", "○ nf4 50.0 % on the test: a sentence"]


def test_a_score_by_votes_is_a_rating_without_the_interval_that_items_would_give() -> None:
    history = History()
    one = Outcome(1, 1, "search", "g1 c1", 0, "search", "nf4", 0.7, None, None, 1.0, 1.0, None, items=4)
    facts = facts_of({"precision": "nf4", "weights": {"taste": 1.0}})
    history.add([one, replace(one, number=2, candidate=2, score=0.6)], facts)
    best = Best(Candidate(1, "search", "g1 c1", 0, 0, (0.5,), None), 0.7, None, None)
    text = summary(history, best, RunFacts(), None).plain
    assert "70.0 %" in text
    assert "its rating by the votes so far" in text
    assert "interval" not in text
    columns = {column.name: column for column in candidate_columns(history)}
    assert [columns[key].cell(one)[0] for key in ("score", "interval", "items")] == ["70.0 %", "", "votes"]


def test_a_verdict_by_votes_names_no_test() -> None:
    part = {"items": 0, "winner": {"test": 0.5}, "verdict": "by votes, the child beats first", "better": True, "confirmed": {}}
    assert verdict({"precision": "nf4", **part}).plain == "✓ nf4 50.0 % by votes: the child beats first"


EXPECTED = {"search": 0.5, "validation": 0.583, "expected": 0.551}
TOLD = "validation 58.3 %, of which about 3 points are luck; expect about 55 % on new items"


def test_what_is_to_be_expected_is_told_as_soon_as_it_is_known() -> None:
    facts = facts_of({"precision": "nf4", "expected": {"nf4": EXPECTED}})
    assert TOLD in summary(History(), None, facts, None).plain
    assert "luck" not in summary(History(), None, facts_of({"precision": "nf4"}), None).plain
    line = event_line(Event(1, 0.0, "chosen", {"candidate": 7, **EXPECTED}), {7: "g3.2"})
    assert line.endswith(f"Chosen: g3.2 · {TOLD}")


def test_a_rung_of_a_final_says_so() -> None:
    data = {"candidate": 7, "generation": 2, "rung": 1, "failure": None, "seconds": 1.0}
    of_final = event_line(Event(1, 0.0, "rung", {**data, "split": "validation", "precision": "bf16"}), {7: "g3.2"})
    assert of_final.endswith("rung 2  g3.2 · validation bf16")
    # events of earlier versions have no split
    assert event_line(Event(1, 0.0, "rung", data), {7: "g3.2"}).endswith("rung 2  g3.2")
