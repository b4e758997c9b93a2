"""A feed gives everything once and nothing twice, while somebody else writes."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.store.records import Evaluation, Pass
from evomerge_core.run.view.feed import Feed


def make_run(folder: Path) -> Path:
    create_folder(folder, "evomerge: 1\nname: fed\n", {})
    return folder


def test_what_is_new_comes_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    store = open_store(run)
    with Feed(run) as feed:
        assert feed.read().outcomes == ()
        seen: list[tuple[str, float | None]] = []
        events: list[int] = []
        for number in range(26):
            if number % 4 == 1:
                news = feed.read()
                seen += [(outcome.label, outcome.score) for outcome in news.outcomes]
                events += [event.number for event in news.events]
            if number == 25:
                break
            one = store.add_candidate("search", f"g1.{number}", generation=0, position=number, genome=[float(number)])
            store.save_evaluation(one.id, "search", "nf4", Evaluation(number / 25, 0.1, None, 1.0, 5), [])
        assert seen == [(f"g1.{number}", number / 25) for number in range(25)]
        assert events == sorted(set(events))
        assert len(events) == 25
        assert feed.read().outcomes == ()
    store.close()


def test_it_names_the_candidates_of_a_race_that_continues(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    store = open_store(run)
    one = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[1.0])
    with Feed(run) as feed:
        feed.read()
        store.save_rung(one.id, Pass("search", "nf4", 4, 20, 0.1, 1.0, 0, 0), [])
        news = feed.read()
        assert news.labels == {one.id: "g1.1"}
        assert news.tried == 1
        assert news.outcomes == ()
        assert [passed.items for passed in news.passes] == [4]
    store.close()


def test_commands_wait_until_they_are_obeyed_and_an_unheld_run_is_interrupted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    store = open_store(run)
    store.set_facts(state="running")
    with Feed(run) as feed:
        store.add_command("stop")
        news = feed.read()
        assert news.waiting == ("stop",)
        assert news.state == "interrupted"
        store.take_commands()
        assert feed.read().waiting == ()
    store.close()


def test_of_a_long_log_only_the_end_comes_at_first(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    store = open_store(run)
    for number in range(700):
        store.add_event("note", number=number)
    with Feed(run) as feed:
        first = feed.read().events
        assert first[-1].data == {"number": 699}
        assert len(first) <= 500
    store.close()
