"""The end of a run: the winner's recipe, the winner as a model, and the result, all in `winner/`."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.durable import write_whole
from evomerge_core.files.full_disk import SPARE_BYTES, FullDisk, needs_room, resume_it
from evomerge_core.fixed_merge.fixed_merge import FixedMerge, fixed_layers, fixed_references, fixed_shapes, write_fixed
from evomerge_core.fixed_merge.merge_file import FixedFile, write_fixed_file
from evomerge_core.merging.model_folder.card import stated_licences
from evomerge_core.paths.layout import lay_out
from evomerge_core.paths.spec import Paths
from evomerge_core.recipe.stages import plan_stages
from evomerge_core.run.candidate.candidate_merge import PathCandidate, child_of, path_candidate, stage_of
from evomerge_core.run.run_folder.names import RESULT, WINNER
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import read_facts, write_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.verdict.conclusion import conclude, is_declared
from evomerge_core.run.verdict.verdict import judge
from evomerge_core.run.verdict.votes import judge_by_votes, votes_told
from evomerge_core.run.verdict.winner_files import MODEL, first_damage, known_files
from evomerge_core.run.watch import Watch
from evomerge_core.sources.source import Source

# Bytes of a child as a GGUF by type: of its tensors' shapes and its number of layers; it is otherwise like the source.
GgufBytes = Callable[[Source, Mapping[str, tuple[int, ...]], int], Mapping[str, int]]


def finish(
    setup: Setup, store: Store, winner: Candidate, folder: Path, gguf_bytes: GgufBytes, watch: Watch | None = None
) -> None:
    """Writes the winner's recipe (`winner/mergekit_config.yml`, or `evomerge_path.yml` for what mergekit can't say),
    `winner/model/` (bf16 safetensors) and `winner/result.json`.

    Each is flushed to the disk itself, and what an earlier job left is made again unless it is what was written. Raises
    `InputError` when there is no space, or where `watch` finds that a source isn't what the run began with. Every file
    is written whole or not at all, and finishing again continues from what is there.
    """
    write_facts(store, phase="winner", phase_total=None)
    place = folder / WINNER
    with needs_room(place, SPARE_BYTES, then=resume_it(folder)):
        place.mkdir(exist_ok=True)
    file = write_fixed_file(child_of(setup, store, winner))
    known = read_facts(store).winner_files
    # a model that isn't known was being written when the job before ended
    if not known or first_damage(place, known) is not None:
        known = {}
        write_facts(store, winner_files=known)
        shutil.rmtree(place / MODEL, ignore_errors=True)
    write_whole(place / file.name, file.text, mode=0o600, then=resume_it(folder))
    if not (place / MODEL).exists():
        _write_model(place / MODEL, file, setup, watch)
    result = _result(setup, store, winner, folder)
    result["licences"] = stated_licences([setup.sources[reference] for reference in fixed_references(file.fixed)])
    result["child"] = _size(setup, file.fixed, gguf_bytes)
    result["files"] = {"model": str((place / MODEL).absolute()), "recipe": str((place / file.name).absolute())}
    write_whole(place / RESULT, json.dumps(result, indent=2, ensure_ascii=False) + "\n", mode=0o600, then=resume_it(folder))
    write_facts(store, winner_files=known_files(place, file.name, known))


def _write_model(folder: Path, file: FixedFile, setup: Setup, watch: Watch | None) -> None:
    if watch is not None:
        watch.require_same_content()
    try:
        write_fixed(folder, file.fixed, setup.sources, file.text, file.name)
    except FullDisk as error:
        raise error.but_then(resume_it(folder.parent.parent)) from error
    try:
        if watch is not None:
            watch.require_unchanged()
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _result(setup: Setup, store: Store, winner: Candidate, folder: Path) -> dict[str, Any]:
    plan, facts = setup.plan, read_facts(store)
    if plan.votes and not plan.items("test"):
        verdicts = {precision: judge_by_votes(store, winner) for precision in plan.precisions[:1]}
    else:
        verdicts = {precision: judge(plan, store, winner, precision) for precision in plan.precisions}
    result: dict[str, Any] = {
        "run": str(folder),
        "recipe": setup.recipe.name,
        "seed": setup.recipe.seed,
        "precision": plan.precision,
        "scored_on": facts.scored_on,
    }
    result |= verdicts.pop(plan.precision)
    scores = {
        split: evaluation.score
        for split in ("search", "validation")
        if (evaluation := store.evaluation(winner.id, split, plan.precision)) is not None
    }
    result["winner"] = {**result["winner"], "kind": winner.kind, **_meaning(setup, winner), **scores}
    result["confirmed"] = verdicts
    result["declared"] = is_declared(store, [part["better"] for part in (result, *verdicts.values())])
    result["conclusion"] = conclude(plan, store, winner, declared=result["declared"])
    result["leading_parent"] = facts.leading_parent
    result["taste"] = votes_told(plan, store, winner)
    # what was known before the test: in each precision the winner's scores, and what new items could be expected to give
    result["expected"] = facts.expected
    result["evaluations"] = sum(c.kind == "search" for c, _ in store.scored("search", plan.precision))
    result["seconds"] = facts.active_seconds
    result["tokens_generated"] = store.generated_tokens()
    return result


def _meaning(setup: Setup, winner: Candidate) -> dict[str, Any]:
    """What the winner's genome means: its numbers by name, or its path, hop by hop."""
    routed = path_candidate(setup, winner)
    if routed is None:
        names = stage_of(setup, winner).space.names
        return {"genome": dict(zip(names, winner.genome or (), strict=True))}
    return {"path": _path(routed)}


def _path(candidate: PathCandidate) -> dict[str, Any]:
    pool = candidate.space.pool
    hops = [{"model": pool.labels[hop.source], "layer": hop.layer, "scale": hop.scale} for hop in candidate.path.hops]
    letters = {pool.letter(index): label for index, label in enumerate(pool.labels)}
    return {"models": letters, "text": lay_out(candidate.path, pool), "hops": hops}


def _size(setup: Setup, child: FixedMerge, gguf_bytes: GgufBytes) -> dict[str, Any]:
    """The child's layers, parameters and GGUF sizes, beside what the recipe allows a path's child."""
    searched = plan_stages(setup.recipe)[-1].searched
    bounds = searched if isinstance(searched, Paths) else None
    shapes, layers = fixed_shapes(child, setup.sources), len(fixed_layers(child, setup.sources))
    return {
        "layers": layers,
        "parameters": sum(math.prod(shape) for shape in shapes.values()),
        "max_layers": bounds.max_layers if bounds else None,
        "max_parameters": bounds.max_parameters if bounds else None,
        "gguf_bytes": dict(gguf_bytes(setup.sources[setup.recipe.base], shapes, layers)),
    }
