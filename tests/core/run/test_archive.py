"""What is read of an archive, against cases worked out by hand and brute force."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from evomerge_core.run.report.archive import archive_map, archive_section, coverage_plot
from evomerge_core.run.store.records import Candidate, Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.archive import Coverage, family, read_archive, smallest_team
from evomerge_core.tasks.taste import TASTE


def _save(store: Store, candidate: Candidate, sums: list[float], words: list[float]) -> int:
    items = [ItemScore(task, f"{task}-{n}", value, 0.5, False, True, 3, "x")
             for task, values in (("sums", sums), ("words", words)) for n, value in enumerate(values)]  # fmt: skip
    store.save_evaluation(candidate.id, "search", "nf4", Evaluation(0.5, 0.5, None, 1.0, 9), items)
    return candidate.id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two parents; a child in the first generation, one in the second. Words weigh three times what sums do."""
    store = Store(tmp_path / "run.db", create=True)
    first = _save(store, store.add_candidate("parent", "first"), [1, 1, 0, 0], [0, 0])
    second = _save(store, store.add_candidate("parent", "second"), [0, 0, 0, 0], [1, 0])
    child = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[0.0], stage=0)
    one = _save(store, child, [1, 0, 0, 0.25], [1, 0])
    two = _save(
        store, store.add_candidate("search", "g2.1", generation=1, position=0, genome=[1.0], stage=0), [0, 1, 1, 0], [0, 0]
    )
    store.set_facts(
        precision="nf4",
        weights={"sums": 1.0, "words": 3.0},
        stage_starts=[0],
        births=[[one, first, second], [two, one, first]],
        archives=[[0, first, second, one], [1, first, one, two]],
    )
    return store


def test_an_archive_is_read_as_it_is(store: Store) -> None:
    archive = read_archive(store)
    assert archive is not None
    assert [(one.label, one.parents, one.alone) for one in archive.members] == [
        ("g1.1", ("first", "second"), (4,)),
        ("first", (), ()),
        ("g2.1", ("g1.1", "first"), (2,)),
    ]
    assert [one.score for one in archive.members] == pytest.approx([(0.3125 + 3 * 0.5) / 4, 0.125, 0.125])
    assert archive.items[4] == ("words", "words-0")
    assert archive.best_of_task == {"sums": "first", "words": "g1.1"}
    assert archive.team == ("g1.1", "g2.1")


def test_nobody_solves_a_prompt_of_taste(tmp_path: Path) -> None:
    store = Store(tmp_path / "liked.db", create=True)
    ids = []
    for label, sums, liked in (("first", [1.0, 0.0], 0.9), ("second", [0.0, 1.0], 0.4)):
        items = [ItemScore("sums", f"sum {n}", value, None, False, True, 3, "x") for n, value in enumerate(sums)]
        items += [ItemScore(TASTE, f"prompt {n}", liked, None, False, True, 3, "x") for n in range(2)]
        ids.append(store.add_candidate("parent", label).id)
        store.save_evaluation(ids[-1], "search", "nf4", Evaluation(0.5, None, None, 1.0, 9), items)
    store.set_facts(precision="nf4", weights={"sums": 1.0, TASTE: 1.0}, stage_starts=[0], births=[], archives=[[0, *ids]])
    archive = read_archive(store)
    assert archive is not None
    assert [[archive.items[number] for number in one.alone] for one in archive.members] == [
        [("sums", "sum 0")],
        [("sums", "sum 1")],
    ]
    assert archive.best_of_task[TASTE] == "first"
    assert set(archive.team) == {"first", "second"}


def test_coverage_is_what_the_best_member_for_each_item_reaches(store: Store) -> None:
    archive = read_archive(store)
    assert archive is not None
    best = (0.3125 + 1.5) / 4
    assert archive.coverage == (Coverage(1, (2.25 / 4 + 1.5) / 4, best), Coverage(2, (3.25 / 4 + 1.5) / 4, best))


def test_a_run_that_bred_nothing_has_no_archive(tmp_path: Path) -> None:
    assert read_archive(Store(tmp_path / "other.db", create=True)) is None
    assert archive_map(None) is None
    assert coverage_plot(None) is None


def test_only_the_last_stage_that_bred_is_read(store: Store) -> None:
    before = store.facts()["archives"]
    store.set_facts(stage_starts=[0, 1, 2], archives=before)
    archive = read_archive(store)
    assert archive is not None
    assert [one.generation for one in archive.coverage] == [2]


def test_a_report_names_who_alone_solves_what(store: Store) -> None:
    archive = read_archive(store)
    assert archive is not None
    text = "\n".join(archive_section(archive))
    assert "| g2.1 | 12.5 % | 50.0 % | 0.0 % | 1 | g1.1 and first |" in text
    assert "- g2.1: sums sums-2" in text
    assert "smallest team that solves all that anybody solves: g1.1, g2.1." in text
    # words-1 is solved by nobody, sums-3 in part, then those of one member come before those of two
    assert "\n g1.1 .+.##.\nfirst ....##\n g2.1 ..#..#\n" in text
    assert "g1.1\n  first\n  second" in text
    assert "g2.1: sums sums-2: 100 %" in (archive_map(archive) or "")
    assert "best member" in (coverage_plot(archive) or "")


@pytest.mark.parametrize("seed", range(12))
def test_no_smaller_team_solves_as_much(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.random((7, 15)) * (draw.random((7, 15)) < 0.5)
    solved = scores >= 0.5
    team = smallest_team(scores)
    most = solved.any(axis=0).sum()
    assert solved[team].any(axis=0).sum() == most
    assert not any(solved[list(few)].any(axis=0).sum() == most for few in combinations(range(7), len(team) - 1))


def test_nobody_solves_anything_and_the_team_is_empty() -> None:
    assert smallest_team(np.zeros((3, 4))) == []


def test_a_tree_shows_ancestors_once_and_ends() -> None:
    """Each generation's child has the two before it for parents: 30 of them would make a million lines."""
    parents = {f"g{n}": (f"g{n - 1}", f"g{n - 2}") for n in range(2, 31)}
    lines = list(family("g30", parents))
    assert lines[:3] == [(0, "g30"), (1, "g29"), (2, "g28")]
    assert len(lines) == 1 + 2 * 29
