"""Voting with keys only: from the dashboard to the last vote, and nothing on the screen says whose answers they are."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from textual.pilot import Pilot

from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.taste.poll import Ballot
from evomerge_core.run.view.voting import Voting, prompts_of, voting_now
from evomerge_tui.processes.job import work
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.vote.vote import VoteScreen
from support.screen_tools import make_app, shown, until
from support.tasteful_runs import BY_TASTE, make_run

pytestmark = pytest.mark.anyio


async def asked(pilot: Pilot[int], run: Path, number: int) -> Ballot:
    """What the run asks after so many votes, as soon as the screen shows it: the prompt, and both answers in their places."""
    found: list[Voting] = []

    def is_shown() -> bool:
        voting, text = voting_now(run, prompts_of(run)), shown(pilot.app)
        if voting.ballot is None or voting.cast != number:
            return False
        found.append(voting)
        there = [answer.split()[0] for answer in voting.ballot.answers if answer.split()]
        return f"{number} of {voting.asked} votes" in text and voting.prompt in text and all(word in text for word in there)

    await until(pilot, is_shown)
    ballot = found[-1].ballot
    assert ballot is not None
    return ballot


async def test_votes_are_cast_with_keys(tmp_path: Path) -> None:
    run = make_run(tmp_path, taste={**BY_TASTE["taste"], "votes": 6}, budget={"evaluations": 6})
    job = threading.Thread(target=work, args=(run,), daemon=True)
    job.start()
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(DashboardScreen(run))
        await until(pilot, lambda: "v Vote" in shown(app) and "waiting for votes" in shown(app))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, VoteScreen))
        for number, key in enumerate(("1", "2", "3", "f2", "f3", "f4")):
            ballot = await asked(pilot, run, number)
            with closing(read_store(run)) as store:
                labels = [store.candidate(one).label for one in (ballot.first, ballot.second)]
            assert not any(label in shown(app).split() for label in labels)
            await pilot.press(key)
        await until(pilot, lambda: "The run is finished" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen) and "by votes" in shown(app))
    job.join()
    with closing(read_store(run)) as store:
        assert [one.choice for one in store.votes()] == ["first", "second", "tie"] * 2
        assert {one.voter for one in store.votes()} == {"person"}


async def test_a_run_whose_job_was_stopped_says_what_to_do(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(VoteScreen(run))
        await until(pilot, lambda: "Nothing is asked" in shown(app))
        await pilot.press("1")
    with closing(read_store(run)) as store:
        assert store.count_votes() == 0
