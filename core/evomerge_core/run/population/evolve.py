"""A run that goes on from a finished archive, with other sources or tasks beside its own: a new folder, the old one stays.

The archive's members become founders there, scored on the new run's items. What they were called and who their parents were is
kept under the number of the run that bred them: `1-g6.4` is g6.4 of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path
from evomerge_core.files.yaml_file import YamlFile, read_yaml
from evomerge_core.genome.space import Space
from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.schema import Recipe, SourceSpec, last_part
from evomerge_core.recipe.validate import to_recipe
from evomerge_core.run.population.members import to_coefficients, to_genome
from evomerge_core.run.reopen import frozen_recipe, reopen
from evomerge_core.run.run_folder.folder import open_store, read_store, require_sound_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.setup import Setup, create_run
from evomerge_core.run.store.facts import RunFacts, read_facts, write_facts
from evomerge_core.run.store.records import FOUNDER, Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.archive import parents_of
from evomerge_core.run.view.sound_records import sound_records
from evomerge_core.sources.resolve import split_reference
from evomerge_core.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Additions:
    """What a new run has beside the old one's: models as a person writes them, relative to `folder`; a file with tasks."""

    models: Sequence[str]
    tasks: Path | None
    folder: Path


@dataclass(frozen=True)
class _Founder:
    label: str
    genome: list[float]
    stage: int | None


@dataclass(frozen=True)
class _Naming:
    """What candidates of the old run are called in the new one; `number` is the old run's."""

    number: int
    same_sources: bool

    def stays(self, candidate: Candidate) -> bool:
        """Whether the new run makes the same candidate itself."""
        return candidate.kind == "parent" or (candidate.kind == "uniform" and self.same_sources)

    def label(self, candidate: Candidate) -> str:
        return candidate.label if self.stays(candidate) or candidate.kind == FOUNDER else f"{self.number}-{candidate.label}"


def evolve(
    run: Path,
    additions: Additions,
    *,
    out: Path | None = None,
    evaluations: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
) -> Path:
    """Makes the folder of a run that goes on from a finished run's archive (by default beside it, with a number), and returns
    it; the numbers replace the recipe's.

    Raises InputError for a run that bred no archive or isn't finished, for what was changed since (the members were bred on
    items of the search, and of other items some of those would be drawn for the test), and for what doesn't fit.
    """
    require_sound_store(run)
    with sound_records(run), closing(read_store(run)) as store:
        facts = read_facts(store)
        _require_archive(run, store, facts)
        setup = reopen(run, facts, asks=True)
        recipe = _recipe(run, setup.recipe.model_copy(update={"budget": frozen_recipe(run, facts).budget}), additions)
        number = len(facts.former_runs) + 1
        naming = _Naming(number, same_sources=not additions.models)
        founders = _founders(setup, store, facts, naming, len(recipe.sources))
        ancestors = _ancestors(store, facts, naming)
    folder = create_run(recipe, out=out or _beside(run, number + 1), evaluations=evaluations, minutes=minutes, seed=seed)
    with closing(open_store(folder)) as store:
        for founder in founders:
            store.add_candidate(FOUNDER, founder.label, genome=founder.genome, stage=founder.stage)
        write_facts(store, former_runs=[*facts.former_runs, str(run.resolve())], ancestors=ancestors)
    return folder


def _require_archive(run: Path, store: Store, facts: RunFacts) -> None:
    state = state_of(run, store)
    if state != "finished":
        raise InputError(
            f"can't be gone on from: it is {state}", where=run, remedy="finish it with `evomerge-tui resume` first"
        )
    if not facts.archives:
        remedy = "start a run with search: {algorithm: niches}"
        raise InputError("has no archive to go on from: its search bred none", where=run, remedy=remedy)


def _recipe(run: Path, recipe: Recipe, additions: Additions) -> Recipe:
    """The old recipe with what is added, checked as a whole."""
    sources = [*recipe.sources]
    for model in additions.models:
        reference = _absolute(model, additions.folder)
        if reference in [source.model for source in sources]:
            raise InputError("is a source of the run already", where=model, remedy="add another, or leave it out")
        sources.append(SourceSpec(model=reference, name=_free_name(last_part(reference), [one.name for one in sources])))
    tasks = [*recipe.tasks, *(() if additions.tasks is None else _tasks(additions.tasks, recipe))]
    changed = recipe.model_copy(update={"sources": tuple(sources), "tasks": tuple(tasks), "pool": ()})
    # lines of the old file are the nearest that there are
    file = read_yaml(run / RECIPE)
    return to_recipe(replace(file, data=_data(changed)))


def _tasks(path: Path, recipe: Recipe) -> tuple[TaskSpec, ...]:
    """The tasks of a file that has them as a recipe has, with absolute paths."""
    file = read_yaml(path)
    file.require_keys((), ["tasks"])
    if "tasks" not in file.data:
        raise file.error((), "key 'tasks' is missing", "add it, written as in a recipe")
    # `cells` wants several tasks, and has them with the old ones
    alone = to_recipe(_as_recipe(file, recipe))
    for index, task in enumerate(alone.tasks):
        if task.name in [known.name for known in recipe.tasks]:
            raise file.key_error(("tasks", index), f"is a task of the run already: {task.name!r}", "give it another name")
    return with_absolute_paths(alone).tasks


def _as_recipe(file: YamlFile, recipe: Recipe) -> YamlFile:
    return replace(file, data={**_data(recipe), "search": {}, "tasks": file.data["tasks"]})


def _data(recipe: Recipe) -> dict[str, object]:
    data: dict[str, object] = recipe.model_dump(mode="json", exclude_none=True)
    return data


def _absolute(model: str, folder: Path) -> str:
    """A model on the command line: local paths are absolute, hub ids as they are."""
    parts = [part for part in split_reference(model, folder) if part is not None]
    places = [(part, folder / written_path(part)) for part in parts]
    return "+".join(str(place.resolve()) if place.exists() else part for part, place in places)


def _free_name(name: str, taken: Sequence[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _beside(run: Path, number: int) -> Path:
    """A folder of the run's name with a number, the first that isn't there; the number that an earlier `evolve` gave goes."""
    place = run.resolve()
    name = place.name.removesuffix(f"-{number - 1}") if number > 2 else place.name
    while (found := place.with_name(f"{name}-{number}")).exists():
        number += 1
    return found


def _founders(setup: Setup, store: Store, facts: RunFacts, naming: _Naming, sources: int) -> list[_Founder]:
    """The archive's members but for those who are in every archive of their sources: parents, and equal-weight merges where no
    source is new. New sources have no share."""
    stage = next(stage for stage in reversed(setup.stages) if stage.search.breeds)
    assert isinstance(stage.space, Space)
    found = []
    for candidate in (store.candidate(one) for one in facts.archives[-1][1:]):
        if candidate.genome is not None and not naming.stays(candidate):
            old = to_coefficients(stage.space, candidate.genome)
            padded = np.pad(old, ((0, 0), (0, sources - old.shape[1])))
            found.append(_Founder(naming.label(candidate), to_genome(padded).tolist(), stage.index))
    return found


def _ancestors(store: Store, facts: RunFacts, naming: _Naming) -> dict[str, list[str]]:
    """Everybody's parents so far, by label."""
    former = {one.label: naming.label(one) for one in store.candidates()}
    known = parents_of(store, facts)
    return {former.get(child, child): [former.get(one, one) for one in parents] for child, parents in known.items()}
