"""Which candidate is the best: status, the list of runs, `candidate` and the dashboard give the same answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.run.view.overview import read_overview
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.cli.output.live_status import plain_line, plain_sentences
from evomerge_tui.cli.run_commands.candidate import _best
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.watched_run import WatchedRun
from support.command_line import command

# label, right answers, answers asked, loss, what the coherence guard said
PLANTED = [
    ("g1.1", 4, 8, 0.5, None),
    ("g1.2", 8, 8, 0.1, "every answer repeats itself"),
    ("g1.3", 5, 8, 0.6, None),  # the best: sound, asked everything, more right than g1.1
    ("g1.4", 4, 4, 0.1, None),  # all right, but it was dropped from its race
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    create_folder(folder, "evomerge: 1\nname: planted\n", {})
    store = open_store(folder)
    store.set_facts(state="stopped", precision="nf4", weights={"t": 1.0}, phase="search", race_sizes_0=[4, 8])
    for position, (label, right, asked, loss, mark) in enumerate(PLANTED):
        one = store.add_candidate("search", label, generation=0, position=position, genome=[0.1 * position], stage=0)
        items = [ItemScore("t", str(n), float(n < right), loss, False, True, 3, "x") for n in range(asked)]
        store.save_evaluation(one.id, "search", "nf4", Evaluation(right / asked, loss, None, 1.0, 9), items, mark=mark)
    store.close()
    return folder


def test_all_views_name_the_sound_candidate_that_was_asked_most(run: Path) -> None:
    progress, overview = read_progress(run), read_overview(run)
    assert progress.best is not None
    assert (progress.best.label, progress.best.score) == ("g1.3", 5 / 8)
    # the list tells what is likely of it: more than it scored, since the others scored more
    assert progress.best_estimate is not None
    assert 5 / 8 < overview.best == progress.best_estimate.value < 0.8  # type: ignore[operator]
    store = open_store(run)
    assert _best(store) == "g1.3"
    store.close()
    with WatchedRun(run) as watched:
        seen = watched.look()
    assert seen.best is not None
    assert seen.best.candidate.label == "g1.3"
    history = History()
    history.add(seen.news.outcomes, seen.news.facts)
    # the plot's line of the best: g1.1 first, g1.3 from the third evaluation on; g1.2's 100 % are no mark to beat
    assert [(number, best.score) for number, best in history.bests] == [(1, 4 / 8), (3, 5 / 8)]


def test_a_marked_best_is_said_to_be_incoherent(run: Path) -> None:
    store = open_store(run)
    with store._transaction() as connection:
        connection.execute("DELETE FROM evaluations WHERE candidate != (SELECT id FROM candidates WHERE label = 'g1.2')")
    store.close()
    said = " ".join(plain_sentences(read_progress(run)))
    assert "g1.2, has 100.0 % of 8 items, likely 100 %, but is incoherent: every answer repeats itself." in said


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).parents[1] / "data" / "quickstart", tmp_path / "run")
    return tmp_path / "run"


def test_a_finished_run_shows_its_winner_and_its_verdict(quickstart: Path) -> None:
    result = json.loads((quickstart / "winner" / "result.json").read_text(encoding="utf-8"))
    progress = read_progress(quickstart)
    winner = progress.winner
    assert winner is not None
    with WatchedRun(quickstart) as watched:
        seen = watched.look()
    assert seen.best is not None
    assert winner.label == seen.best.candidate.label == result["winner"]["name"]
    assert (winner.test, winner.better, winner.verdict) == (result["winner"]["test"], result["better"], result["verdict"])
    assert [confirmation.better for confirmation in winner.confirmed] == [
        part["better"] for part in result["confirmed"].values()
    ]
    assert f"winner {winner.label}" in plain_line(progress)
    said = command("status", quickstart).stdout
    assert f"winner: {winner.label}" in said
    assert f"{100 * result['winner']['test']:.1f} % on the test items" in " ".join(said.split())
    plain = command("status", quickstart, "--plain").stdout
    assert f"The winner is {winner.label}." in plain
    assert result["verdict"] in plain
    told = json.loads(command("status", quickstart, "--json").stdout)["winner"]
    assert (told["label"], told["test"], told["better"]) == (winner.label, winner.test, winner.better)


def test_a_verdict_is_read_from_its_flag_not_from_its_words(quickstart: Path) -> None:
    file = quickstart / "winner" / "result.json"
    result = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**result, "better": False}), encoding="utf-8")
    progress = read_progress(quickstart)
    assert progress.winner is not None
    assert progress.winner.verdict.startswith("the child beats")
    assert not progress.winner.better
