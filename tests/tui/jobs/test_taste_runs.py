"""Runs by taste on tiny models: votes decide, survive and are told; nobody sees whose answers they are."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.loop import run
from evomerge_core.run.run_folder.commands import append_command
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.verdict.finish import finish
from evomerge_core.run.view.voting import cast, prompts_of, voting_now
from evomerge_core.tasks.taste import TASTE
from evomerge_quant.resident.model import evaluators
from evomerge_tui.cli.main import main
from evomerge_tui.processes.job import work
from support.tasteful_runs import BY_TASTE, PROMPTS, judge, likes, make_run, numbers_in, votes_in
from support.tiny_gguf import save_folder, write_gguf
from support.tiny_run import SEVENS, scores, timeless, write_recipe

HARNESS = Path(__file__).parents[2] / "support" / "kill_harness.py"
MIXED: dict[str, Any] = {
    "tasks": [SEVENS],
    "splits": {"search": 6, "validation": 8, "test": 10},
    "taste": {**BY_TASTE["taste"], "votes": 12, "weight": 2.0},
}


def carry_out(folder: Path) -> dict[str, Any]:
    """The whole run in this process, with the voter as its judge; its result."""
    setup = prepare(load_recipe(folder / "recipe.yaml"), folder)
    with closing(open_store(folder)) as store:
        winner = run(setup, store, evaluators(setup.base_folder, "cpu", "float32", setup.speaks, {}), judge=judge)
        finish(setup, store, winner, folder, lambda *_: {})
    result: dict[str, Any] = json.loads((folder / "winner" / "result.json").read_text())
    return result


def liking(folder: Path, candidate: int) -> float:
    """How many numbers a candidate's answers to the prompts have, in the mean."""
    with closing(read_store(folder)) as store:
        answers = [one.answer for one in store.item_scores(candidate, "search", "fp32") if one.task == TASTE]
    assert len(answers) == len(PROMPTS)
    return sum(map(numbers_in, answers)) / len(answers)


def vote(folder: Path, most: int = 1000) -> int:
    """Votes as the voter likes, as long as the run asks; how often."""
    prompts, count, deadline = prompts_of(folder), 0, time.monotonic() + 120
    while count < most and time.monotonic() < deadline:
        voting = voting_now(folder, prompts)
        if voting.state in ("finished", "failed"):
            break
        if voting.ballot is None:
            time.sleep(0.02)
        else:
            count += cast(folder, voting.ballot, likes(*voting.ballot.answers))  # type: ignore[arg-type]
    return count


def at_work(folder: Path) -> threading.Thread:
    """The run's job, once it has begun: before that, `vote` has nothing to wait for."""
    job = threading.Thread(target=work, args=(folder,), daemon=True)
    job.start()
    prompts = prompts_of(folder)
    while job.is_alive() and voting_now(folder, prompts).state not in LIVE:
        time.sleep(0.02)
    return job


def test_the_winner_is_what_the_voter_likes_and_the_verdict_says_how_sure_that_is(tmp_path: Path) -> None:
    folder = make_run(tmp_path, taste={**BY_TASTE["taste"], "votes": 40})
    result = carry_out(folder)
    with closing(read_store(folder)) as store:
        parents, winner = store.candidates("parent"), read_facts(store).winner
        asked, last = store.count_votes(), store.votes()[-5:]
        references = {one.id for one in (*parents, *store.candidates("uniform"))}
    assert winner is not None
    assert all(len({vote.first, vote.second} & references) == 1 for vote in last)
    assert liking(folder, winner) >= max(liking(folder, one.id) for one in parents)
    told = result["taste"]
    assert told["votes"] == asked == 40
    assert 0.0 < told["best"] <= 1.0
    assert {one["against"] for one in told["against"]} >= {"first", "second"}
    assert "votes" in result["conclusion"]
    assert result["items"] == 0


def test_people_vote_while_the_job_waits_and_a_stopped_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole, halved = make_run(tmp_path, "whole"), make_run(tmp_path, "halved")
    job = at_work(whole)
    assert vote(whole) == 20
    job.join()
    for votes in (3, 4):
        job = at_work(halved)
        assert vote(halved, votes) == votes
        append_command(halved, "stop")
        job.join()
    job = at_work(halved)
    vote(halved)
    job.join()
    assert votes_in(halved) == votes_in(whole)
    assert scores(halved) == scores(whole)
    results = [json.loads((one / "winner" / "result.json").read_text()) for one in (whole, halved)]
    assert timeless(results[0]) == timeless(results[1])


@pytest.mark.skipif(os.name == "nt", reason="the harness forks; Windows has no fork")
def test_kills_between_the_votes_of_a_judge_change_nothing(tmp_path: Path) -> None:
    write_gguf(save_folder(tmp_path / "judge", max_position_embeddings=2048), tmp_path / "judge.gguf")
    changes: dict[str, Any] = {
        "taste": {**MIXED["taste"], "judge": "judge.gguf"},
        "search": {"algorithm": "niches", "archive": 5},
        "budget": {"evaluations": 8},
        "search_space": {},
        "tasks": MIXED["tasks"],
        "splits": MIXED["splits"],
    }
    whole, killed = (make_run(tmp_path, out, **changes) for out in ("whole", "killed"))
    for folder, rounds in ((whole, 0), (killed, 3)):
        done = subprocess.run(
            [sys.executable, str(HARNESS), str(folder), str(rounds), "1", "3"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
    assert votes_in(killed) == votes_in(whole)
    assert scores(killed) == scores(whole)
    results = [json.loads((one / "winner" / "result.json").read_text()) for one in (whole, killed)]
    assert timeless(results[0]) == timeless(results[1])
    position = results[0]["taste"]["position"]
    assert position["votes"] == results[0]["taste"]["votes"] == 12
    assert position["first"] <= position["contradictory"] <= position["votes"]


def test_votes_and_tasks_count_together(tmp_path: Path) -> None:
    folder = make_run(tmp_path, **MIXED)
    result = carry_out(folder)
    assert result["items"] == 10  # the test's are the tasks'
    with closing(read_store(folder)) as store:
        for outcome in store.outcomes(split="search", precision="fp32"):
            items = store.item_scores(outcome.candidate, "search", "fp32")
            by_task = {name: [one.value for one in items if one.task == name] for name in ("sevens", TASTE)}
            means = {name: sum(values) / len(values) for name, values in by_task.items()}
            assert outcome.score == pytest.approx((means["sevens"] + 2 * means[TASTE]) / 3)
            assert store.ratings("final")[outcome.candidate] == pytest.approx(means[TASTE])


def test_the_command_shows_answers_without_names_and_reads_votes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path, taste={**BY_TASTE["taste"], "votes": 6}, budget={"evaluations": 6})
    job = at_work(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO("nonsense\n" + "1\n2\ntie\n" * 10))
    assert main(["vote", str(folder), "--json"]) == 0
    job.join()
    out, err = capsys.readouterr()
    *shown, last = (json.loads(line) for line in out.splitlines() if line.startswith("{"))
    assert [one["vote"] for one in shown] == [1, 2, 3, 4, 5, 6]
    assert {one["prompt"] for one in shown} <= set(PROMPTS)
    assert all(set(one) == {"vote", "of", "prompt", "answers"} for one in shown)
    assert last == {"run": str(folder), "state": "finished", "votes": 6}
    assert "'nonsense' is no vote" in err
    with closing(read_store(folder)) as store:
        assert [one.choice for one in store.votes()] == ["first", "second", "tie"] * 2


def test_what_is_no_text_is_refused_and_two_votes_on_one_ballot_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path)
    job = at_work(folder)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))
    assert main(["vote", str(folder)]) == 2
    assert "standard input: isn't text in UTF-8" in capsys.readouterr().err
    ballot = voting_now(folder, prompts_of(folder)).ballot
    assert ballot is not None
    assert [cast(folder, ballot, choice) for choice in ("second", "first")] == [True, False]
    append_command(folder, "stop")
    job.join()
    with closing(read_store(folder)) as store:
        assert [vote.choice for vote in store.votes()] == ["second"]


def test_a_run_without_taste_asks_for_no_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = create_run(load_recipe(write_recipe(tmp_path)), out=tmp_path / "run")
    assert main(["vote", str(folder)]) == 2
    assert "asks for no votes" in capsys.readouterr().err
