"""Workers in words, by figures worked out by hand."""

from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.view.workers import WorkerSeen, workers_of
from evomerge_tui.text.worker_lines import worker_lines

CARD = WorkerSeen("worker 1", "node-1", 41, "NVIDIA H100", "g3.2", since=1075.0, began=1000.0, answered=7, busy=50.0)


def test_a_worker_is_told_with_its_candidate_its_age_and_its_load() -> None:
    """75 of 100 seconds: 50 with candidates that are done, 25 with the present one."""
    assert worker_lines([CARD], 1100.0) == ["worker 1 · g3.2 for 25 s · 75% busy · 7 scored · NVIDIA H100"]


def test_machines_are_named_where_there_are_several() -> None:
    other = WorkerSeen("worker 2", "node-2", 42, "NVIDIA L4", began=1000.0, lost="its machine node-2 is gone")
    idle = WorkerSeen("worker 3", "node-2", 43, "NVIDIA L4", began=1100.0)
    assert worker_lines([CARD, other, idle], 1100.0) == [
        "worker 1 · g3.2 for 25 s · 75% busy · 7 scored · NVIDIA H100 on node-1",
        "worker 2 was lost: its machine node-2 is gone",
        "worker 3 · waits · 0% busy · 0 scored · NVIDIA L4 on node-2",
    ]


def test_what_a_store_holds_of_them_comes_back_and_a_stranger_s_signs_stay_text() -> None:
    facts = RunFacts(workers=(CARD.as_fact(), {**CARD.as_fact(), "lost": "gone", "later": 1}))
    assert [worker.lost for worker in workers_of(facts)] == ["", "gone"]
    assert facts.at_once == 1
    (line,) = worker_lines([WorkerSeen("worker\x1b[2J 1", "h", 1, "card\n2")], 0.0)
    assert "\x1b" not in line
    assert "\n" not in line
