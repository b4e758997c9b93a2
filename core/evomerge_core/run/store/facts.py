"""The facts of a run's store: single values by key, each with its type. Nothing else knows the keys, but for `stage_starts`,
which `Store` reads where an older store's candidates have no stage.

Some keys are older than the words that the program uses today; they stay, so that every version reads every store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict, Unpack

from evomerge_core.run.store.store import Store


class StageFacts(TypedDict, total=False):
    """A stage as the store keeps it: what it `evolves` (weights or paths) and its `tie_break`; for paths the models of its
    `pool`, with `layers` each, and the `most_layers` of a path."""

    name: str
    evolves: str
    tie_break: str
    pool: Sequence[str]
    layers: int
    most_layers: int


class Changes(TypedDict, total=False):
    """Facts that can be set, by key; `RunFacts` says what they mean."""

    state: str
    message: str | None
    frozen_recipe: str
    item_hashes: Mapping[str, Mapping[str, str]]
    source_files: Sequence[Sequence[str | int]]
    pool: Mapping[str, Any]
    pool_unfit: Sequence[Mapping[str, Any]]
    pool_sizes: Sequence[int]
    pid: int
    priority: str
    precision: str
    precisions: Sequence[str]
    scored_on: str
    evaluations_total: int | None
    stages: Sequence[StageFacts]
    items: Mapping[str, int]
    weights: Mapping[str, float]
    dimensions: Sequence[Mapping[str, Any]]
    precision_choice: str
    foretold: Mapping[str, float] | None
    agreement: Mapping[str, Any]
    phase: str
    phase_total: int | None
    stage: int | None
    stage_starts: Sequence[int]
    stage_seconds: Sequence[float]
    starts: Sequence[Sequence[float] | None]
    winner_files: Mapping[str, Sequence[int | str]]
    final_sizes: Sequence[int]
    stage_winners: Sequence[int]
    winner: int
    leading_parent: str | None
    expected: Mapping[str, Mapping[str, float]]
    generation: int
    sigma: float | None
    mean: Sequence[float] | None
    grams: Mapping[str, Sequence[Sequence[Sequence[float]]]]
    births: Sequence[Sequence[int]]
    archives: Sequence[Sequence[int]]
    former_runs: Sequence[str]
    ancestors: Mapping[str, Sequence[str]]
    search_ended: Sequence[str]
    poll: Mapping[str, Any] | None
    workers: Sequence[Mapping[str, Any]]
    workers_wanted: int | str
    active_seconds: float
    build_seconds: float


@dataclass(frozen=True)
class RunFacts:
    """What a run's store says of the run itself.

    `message` is why it failed; `pid` and `priority` are those of the last job. `frozen_recipe` is the text of the recipe that
    the run began with, `item_hashes` by task what `tasks.item_hashes` gave: runs of earlier versions have neither.
    `source_files` are the sources' files as the last job found them (the fields of `file_marks.FileMark`). `pool` is how the
    sources were chosen (the fields of `view.pool.Selection`), None before that and without a pool; `pool_unfit` are
    members that can't be merged, `pool_sizes` the items of each task after each rung of the pool's races. Scores are
    in `precision` (the search's) and computed on `scored_on`; `precisions` are all that finalists and the test are scored in.
    `workers` score the candidates (the fields of `view.workers.WorkerSeen`); none where the job itself does;
    `workers_wanted` is what a command line asked for, `none` or as in a recipe (None: nothing was said).
    `evaluations_total` is the budget of all stages, `items` the number by split, `weights` the share of each task. `dimensions`
    are the numbers of the present stage's genomes, none for paths. `estimated` are the seconds and tokens in all, by the times
    of the baselines. `precision_choice` says what `precision: auto` became and why; `agreement` is how the search's precision
    ranks merges (the fields of `agreement.Agreement`), None where it isn't compared.

    `phase` has `phase_total` evaluations (None: not known) and belongs to `stage` (an index; None: to the whole run). By
    stage: its first generation, the active seconds before it, the genome that its search starts from (None: that of its search
    space), the id of its winner, why its search ended. `final_sizes` are the items of each task after each rung of a final.
    `winner` is the id of the run's; `leading_parent` the label of a parent that did at least as well in the last final;
    `expected`, by precision, what the winner's scores were when it was chosen (`search`, `validation`) and what new items can
    be `expected` to give. `winner_files` are the size and sha256 of what was written of it, by path. `generation` counts those
    that the optimiser has learnt from; `sigma` and `mean` are its step and mean now. Where an archive is bred: `grams` are the
    dot products of the sources' tensors by stage and group, `births` a child's id and those of its parents each, `archives`
    the ids of an archive's members after each generation, behind that generation's number; `former_runs` are the folders of
    the runs that it goes on from, the first one first, and `ancestors` the labels of the parents of all whom they bred.
    `poll` waits for votes (the fields of `taste.poll.Poll`), None where none does. `active_seconds` leave out pauses and the
    time that people take to vote; `build_seconds` were the most that making a model ready took.
    """

    state: str = "created"
    message: str | None = None
    frozen_recipe: str | None = None
    item_hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    source_files: tuple[Sequence[Any], ...] = ()
    pool: Mapping[str, Any] | None = None
    pool_unfit: tuple[Mapping[str, Any], ...] = ()
    pool_sizes: tuple[int, ...] | None = None
    pid: int | None = None
    priority: str | None = None
    precision: str = "nf4"
    precisions: tuple[str, ...] = ("nf4",)
    scored_on: str | None = None
    evaluations_total: int | None = None
    stages: tuple[StageFacts, ...] = ()
    items: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    dimensions: tuple[Mapping[str, Any], ...] = ()
    precision_choice: str | None = None
    estimated: Mapping[str, float] | None = None
    agreement: Mapping[str, Any] | None = None
    phase: str | None = None
    phase_total: int | None = None
    stage: int | None = None
    stage_starts: tuple[int, ...] = ()
    stage_seconds: tuple[float, ...] = ()
    starts: tuple[Sequence[float] | None, ...] = ()
    final_sizes: tuple[int, ...] | None = None
    stage_winners: tuple[int, ...] = ()
    winner: int | None = None
    leading_parent: str | None = None
    expected: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    winner_files: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    generation: int = 0
    sigma: float | None = None
    mean: tuple[float, ...] | None = None
    grams: Mapping[str, Any] = field(default_factory=dict)
    births: tuple[Sequence[int], ...] = ()
    archives: tuple[Sequence[int], ...] = ()
    former_runs: tuple[str, ...] = ()
    ancestors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    search_ended: tuple[str, ...] = ()
    poll: Mapping[str, Any] | None = None
    workers: tuple[Mapping[str, Any], ...] = ()
    workers_wanted: int | str | None = None
    active_seconds: float = 0.0
    build_seconds: float = 0.0
    races: tuple[tuple[int, ...] | None, ...] = (None,)

    def race_of(self, stage: int) -> tuple[int, ...] | None:
        """Items of each task after each rung of a stage's races; None where every candidate is scored on everything, or no
        race has begun."""
        return self.races[stage] if stage < len(self.races) else None

    def breaks_ties(self, stage: int) -> bool:
        """Whether the correct answers' log-likelihood orders a stage's candidates of equal score."""
        return stage >= len(self.stages) or self.stages[stage].get("tie_break") != "none"

    @property
    def at_once(self) -> int:
        """How many candidates are scored at a time."""
        return max(1, sum(not worker.get("lost") for worker in self.workers))

    def first_generation(self, stage: int) -> int:
        """The number of a stage's first generation; generations are numbered through all stages."""
        return self.stage_starts[stage] if stage < len(self.stage_starts) else 0

    def start_of(self, stage: int) -> Sequence[float] | None:
        """The genome that a stage's search starts from; None for that of its search space, as in runs of earlier versions."""
        return self.starts[stage] if stage < len(self.starts) else None

    def seconds_before(self, stage: int) -> float:
        """The run's active seconds before a stage began."""
        return self.stage_seconds[stage] if stage < len(self.stage_seconds) else 0.0


@dataclass(frozen=True)
class Clock:
    """What changes with every evaluation: the times of `RunFacts`, and the `batch_size` that a model in `precision` answers
    with; `layers` is the number of its layers, None for the base's own."""

    active_seconds: float
    build_seconds: float
    precision: str
    layers: int | None
    batch_size: int | None

    def as_facts(self) -> dict[str, Any]:
        """The facts, by key."""
        return {
            "active_seconds": self.active_seconds,
            "build_seconds": self.build_seconds,
            _batch_key(self.precision, self.layers): self.batch_size,
        }


def read_facts(store: Store) -> RunFacts:
    """All facts of a run as they are now."""
    return facts_of(store.facts())


def facts_of(kept: Mapping[str, Any]) -> RunFacts:
    """Facts by key, as the store keeps them in JSON; what an earlier version did not keep has its default."""
    values = {name: _frozen(kept[name]) for name in _NAMES & kept.keys()}
    races = tuple(_frozen(kept.get(_race_key(stage))) for stage in range(len(kept.get("stages", ())) or 1))
    return RunFacts(**values, estimated=kept.get("foretold"), races=races)


def write_facts(store: Store, **changes: Unpack[Changes]) -> None:
    """Sets facts, in one transaction."""
    store.set_facts(**changes)


def write_race(store: Store, stage: int, sizes: Sequence[int]) -> None:
    """Keeps the items of each task after each rung of a stage's races."""
    store.set_facts(**{_race_key(stage): sizes})


def batch_size(store: Store, precision: str, layers: int | None = None) -> int | None:
    """The rows that a model in a precision answers together, None where that isn't known yet; `layers` as in `Clock`."""
    rows: int | None = store.fact(_batch_key(precision, layers))
    return rows


def begin_phase(store: Store, name: str, total: int | None, stage: int | None = None, stage_name: str | None = None) -> None:
    """Records that a phase begins, of a stage or of the whole run (None), unless it is the present one."""
    facts = read_facts(store)
    if (facts.phase, facts.stage) != (name, stage):
        write_facts(store, phase=name, phase_total=total, stage=stage)
        store.add_event("phase", name=name, total=total, stage=stage_name)
        store.keep_copy()


def _race_key(stage: int) -> str:
    return f"race_sizes_{stage}"


def _batch_key(precision: str, layers: int | None) -> str:
    return f"batch_size_{precision}" + ("" if layers is None else f"_{layers}_layers")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_NAMES = {known.name for known in fields(RunFacts)} - {"estimated", "races"}
