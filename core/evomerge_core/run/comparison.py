"""Runs side by side: settings that differ, how their searches went, their verdicts, and their winners on the same items."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.recipe.validate import to_recipe
from evomerge_core.run.candidate.fitness import rank
from evomerge_core.run.run_folder.folder import read_store, require_sound_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.statistics import Paired, compare
from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.child_estimate import search_estimate, search_population
from evomerge_core.run.view.result import read_result
from evomerge_core.run.view.sound_records import sound_records
from evomerge_core.tasks.spec import TaskSpec
from evomerge_core.tasks.taste import TASTE

# What a recipe says that is no setting of the run.
_NAMES = ("name", "evomerge")

# An item as it was asked: how its answer is scored, and its id, which is a hash of its content.
_Asked = tuple[Any, ...]


@dataclass(frozen=True)
class ComparedRun:
    """A run of a comparison. `curve` is what is known of the best candidate so far, in 0..1, from the number of the evaluation
    on where another became the best; `winner` is the winner's label, `test` its score on the held-out test with its interval,
    `conclusion` the verdict: all None before there is one."""

    folder: str
    name: str
    state: str
    precision: str
    evaluations: int
    seconds: float
    curve: tuple[tuple[int, float], ...]
    winner: str | None
    test: float | None
    interval: tuple[float, float] | None
    items: int | None
    conclusion: str | None


@dataclass(frozen=True)
class Setting:
    """A key of recipes (dotted) whose values differ, run by run; None where a recipe doesn't have it."""

    key: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class PairedWinners:
    """Two runs' winners (by the runs' places) on the `items` that the tests of both asked, in one precision: `wins` are items
    on which the first is better; `p` is two-sided, of no difference."""

    first: int
    second: int
    precision: str
    items: int
    wins: int
    losses: int
    p: float


@dataclass(frozen=True)
class Comparison:
    """Two or more runs. `unpaired` says of which pairs (by place) no item was in the tests of both, in a precision of both."""

    runs: tuple[ComparedRun, ...]
    settings: tuple[Setting, ...]
    winners: tuple[PairedWinners, ...]
    unpaired: tuple[tuple[int, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Read:
    run: ComparedRun
    recipe: Any
    # the winner's test scores by precision
    scores: Mapping[str, Mapping[_Asked, float]]


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Reads the runs and compares them. InputError for fewer than two, one named twice, and one that can't be read."""
    if len(folders) < 2:
        raise InputError("a comparison needs at least two runs", remedy="name another run's folder")
    read = [_read(folder) for folder in folders]
    # whatever links and dots lead there
    places = [os.path.realpath(folder) for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise InputError("is named twice", where=folder, remedy="name different runs")
    winners, unpaired = [], []
    for first, second in itertools.combinations(range(len(read)), 2):
        if read[first].run.winner is None or read[second].run.winner is None:
            continue
        found = list(_paired(first, second, read[first], read[second]))
        winners += found
        if not found:
            unpaired.append((first, second))
    settings = tuple(_different([one.recipe for one in read]))
    return Comparison(tuple(one.run for one in read), settings, tuple(winners), tuple(unpaired))


def _read(folder: Path) -> _Read:
    require_sound_store(folder)
    with sound_records(folder), closing(read_store(folder)) as store:
        file, facts, result = read_yaml(folder / RECIPE), read_facts(store), read_result(folder)
        tasks = {task.name: _scoring(task) for task in to_recipe(file).tasks}
        outcomes = store.outcomes(split="search", precision=facts.precision)
        winner = None if result is None or facts.winner is None else store.candidate(facts.winner)
        told = None if result is None else result["winner"]
        run = ComparedRun(
            folder=str(folder),
            name=str(file.data.get("name", folder.name)),
            state=state_of(folder, store),
            precision=facts.precision,
            evaluations=sum(outcome.kind == "search" for outcome in outcomes),
            seconds=facts.active_seconds,
            curve=tuple(_curve(outcomes, facts)),
            winner=None if winner is None else winner.label,
            test=None if told is None else told["test"],
            interval=None if told is None or told["interval"] is None else tuple(told["interval"]),
            items=None if result is None else result["items"],
            conclusion=None if result is None else result.get("conclusion", result["verdict"]),
        )
        scores = {} if winner is None else _scores(store, winner.id, facts, tasks)
    return _Read(run, file.data, scores)


def _scoring(task: TaskSpec) -> _Asked:
    """What decides how an answer to an item scores."""
    return task.task, task.scorer, task.pattern, task.choices, task.language


def _scores(store: Store, winner: int, facts: RunFacts, tasks: Mapping[str, _Asked]) -> dict[str, dict[_Asked, float]]:
    return {
        precision: {
            (*tasks[one.task], one.item): one.value for one in store.item_scores(winner, "test", precision) if one.task in tasks
        }
        for precision in facts.precisions
    }


def _curve(outcomes: Sequence[Outcome], facts: RunFacts) -> Iterator[tuple[int, float]]:
    """The best of the search by rank, with what its score says of it once luck is allowed for."""
    searched = [outcome for outcome in outcomes if outcome.kind == "search"]
    many = facts.items.get("search", 0)
    alike, by_votes = search_population(searched, many), TASTE in facts.weights
    highest = None
    for number, outcome in enumerate(searched, 1):
        known = search_estimate(outcome, alike, many, by_votes=by_votes)
        if known is None or (highest is not None and rank(outcome, facts) < highest):
            continue
        highest = rank(outcome, facts)
        yield number, known.value


def _paired(first: int, second: int, ours: _Read, theirs: _Read) -> Iterator[PairedWinners]:
    """The paired test (McNemar's exact one, or sign flips for scores between 0 and 1) in each precision of both."""
    for precision, scores in ours.scores.items():
        others = theirs.scores.get(precision, {})
        both = [asked for asked in scores if asked in others]
        if both:
            test: Paired = compare([scores[asked] for asked in both], [others[asked] for asked in both])
            yield PairedWinners(first, second, precision, len(both), test.wins, test.losses, test.p)


def _different(recipes: Sequence[Any]) -> Iterator[Setting]:
    """Keys whose values aren't the same in all recipes."""
    flat = [dict(_flat(recipe, ())) for recipe in recipes]
    for key in dict.fromkeys(itertools.chain(*flat)):
        values = tuple(one.get(key) for one in flat)
        if len(set(values)) > 1 and key not in _NAMES:
            yield Setting(key, values)


def _flat(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*place, str(key)))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value):
            named = inner.get("name") if isinstance(inner, Mapping) else None
            yield from _flat(inner, (*place, str(named or number)))
    else:
        yield ".".join(place), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)
