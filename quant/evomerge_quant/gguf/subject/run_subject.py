"""A candidate of a run as what is exported: merged again in bf16 from its sources, never taken from 4 bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from evomerge_core.errors import InputError, unknown_name
from evomerge_core.fixed_merge.fixed_merge import FixedMerge, fixed_layers, fixed_references, fixed_shapes, write_fixed
from evomerge_core.fixed_merge.merge_file import FixedFile, write_fixed_file
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.model_folder.card import public_name, stated_licences
from evomerge_core.run.candidate.candidate_merge import child_of
from evomerge_core.run.reopen import reopen
from evomerge_core.run.run_folder.folder import read_store, require_sound_store
from evomerge_core.run.run_folder.names import WINNER
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.verdict.winner_files import MODEL
from evomerge_core.sources.source import Source
from evomerge_quant.gguf.subject.export_paths import candidate_exports, winner_exports
from evomerge_quant.gguf.subject.naming import name_model
from evomerge_quant.gguf.subject.subject import Subject, eyes_of, is_phi3, shapes_of, vocabulary_bytes


def subject_of_run(run: Path, label: str | None) -> Subject:
    """The winner of a run, or its candidate of that label; errors as `find_subject`."""
    require_sound_store(run)
    candidate, is_winner = _candidate(run, label)
    store = read_store(run)
    try:
        setup = reopen(run, read_facts(store))
    finally:
        store.close()
    return subject_of_candidate(setup, run, candidate, is_winner=is_winner)


def subject_of_candidate(setup: Setup, run: Path, candidate: Candidate, *, is_winner: bool = False) -> Subject:
    """A candidate of an open run: merged again in bf16 from its sources; the winner's own folder where it is that merge."""
    file = write_fixed_file(_child(setup, run, candidate))
    child = file.fixed
    base = setup.sources[setup.recipe.base]
    shapes = shapes_of(base, fixed_shapes(child, setup.sources), layers=len(fixed_layers(child, setup.sources)))
    made = setup.recipe.name if is_winner else f"{setup.recipe.name}-{candidate.label}"
    ready = run / WINNER / MODEL if is_winner else None
    return Subject(
        label=f"{setup.recipe.name}: {candidate.label}{', the winner' if is_winner else ''}",
        name=name_model(public_name(base.folder), shapes.parameters, made=made, phi3=is_phi3(setup.sources[setup.tokenizer])),
        shapes=shapes,
        kind="BF16",
        vocabulary_bytes=vocabulary_bytes(setup.sources[setup.tokenizer]),
        home=winner_exports(run) if is_winner else candidate_exports(run, candidate.label),
        folder=ready if ready is not None and _is_merge(ready, file) else None,
        merge=partial(write_fixed, fixed=child, sources=setup.sources, recipe=file.text, recipe_file=file.name),
        description=_description(child, file.text),
        warnings=_licence_warnings([setup.sources[reference] for reference in fixed_references(child)]),
        setup=setup,
        eyes=eyes_of(base),
    )


def _candidate(run: Path, label: str | None) -> tuple[Candidate, bool]:
    store = read_store(run)
    try:
        winner = read_facts(store).winner
        if label is None:
            if winner is None:
                raise InputError(f"{run}: the run has no winner yet; finish it, or name a candidate with --candidate LABEL")
            return store.candidate(winner), True
        named = {candidate.label: candidate for candidate in store.candidates()}
    finally:
        store.close()
    if label not in named:
        raise unknown_name("candidate", label, named, where="--candidate")
    return named[label], named[label].id == winner


def _child(setup: Setup, run: Path, candidate: Candidate) -> FixedMerge:
    store = read_store(run)
    try:
        return child_of(setup, store, candidate)
    finally:
        store.close()


def _is_merge(folder: Path, file: FixedFile) -> bool:
    """Whether a model folder is complete and was merged by exactly this recipe; the sources are known to be unchanged."""
    path = folder / file.name
    return path.is_file() and path.read_text(encoding="utf-8") == file.text


def _description(child: FixedMerge, text: str) -> str:
    """The recipe without the folders of the models."""
    for reference in sorted(fixed_references(child), key=len, reverse=True):
        parts = [public_name(Path(part)) if Path(part).is_absolute() else part for part in reference.split("+")]
        text = text.replace(reference, "+".join(parts))
    how = f"the method {child.method}" if isinstance(child, MergeConfig) else "a path through layers"
    return f"Merged with evomerge-tui by {how}. Recipe:\n{text}"


def _licence_warnings(sources: Sequence[Source]) -> tuple[str, ...]:
    stated = stated_licences(sources)
    known = {licence for licence in stated.values() if licence is not None}
    listing = ", ".join(f"{part}: {licence or 'unknown'}" for part, licence in stated.items())
    if len(known) > 1:
        return (f"the sources' licences disagree, so none is written into the file ({listing})",)
    if None in stated.values():
        return (f"not every source states a licence, so none is written into the file ({listing})",)
    return ()
