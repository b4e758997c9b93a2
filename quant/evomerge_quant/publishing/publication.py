"""What is published: of a run its winner as a model, the winner's GGUF files, recipe and report; or GGUF files alone."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded
from evomerge_core.files.path_text import on_command_line
from evomerge_core.files.yaml_file import dump_yaml, read_yaml
from evomerge_core.fixed_merge.merge_file import MERGEKIT_FILE, PATH_FILE
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.validate import to_recipe
from evomerge_core.run.report.content import Report, read_report
from evomerge_core.run.report.write import render_report
from evomerge_core.run.run_folder.folder import read_store, require_sound_store
from evomerge_core.run.run_folder.names import COPY, RECIPE, RESULT, STORE, WINNER
from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.verdict.winner_files import MODEL, winner_damage
from evomerge_core.run.view.sound_records import sound_records
from evomerge_core.sources.resolve import HUB_ID
from evomerge_core.sources.stored.model_card import front_matter
from evomerge_core.tasks.spec import TaskSpec
from evomerge_core.visible_text import visible_line
from evomerge_quant.gguf.subject.export_paths import winner_exports
from evomerge_quant.llama.mmproj_file import SUSPECT
from evomerge_quant.publishing.card import CardFacts, model_card
from evomerge_quant.publishing.gguf_facts import GgufFacts, read_gguf_facts
from evomerge_quant.publishing.public_names import hide_paths, local_parts, without_folders
from evomerge_quant.publishing.published_file import PublishedFile

CARD = "README.md"
REPORT = "report"
# How the card of a winner lists what it was made of.
_STATED = re.compile(r"^- (.+) \(licence: (.+)\)$", re.MULTILINE)
_UNSTATED = "see its own card"
_MOST_BYTES = 1_000_000  # of a winner's own card
_PATH_KEYS = ("_name_or_path", "name_or_path")


@dataclass(frozen=True)
class Publication:
    """The files of a repository, the card first."""

    repo: str
    files: tuple[PublishedFile, ...]

    @property
    def card(self) -> str:
        content = self.files[0].content
        assert isinstance(content, bytes)
        return content.decode()

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


def make_publication(paths: Sequence[Path], repo: str) -> Publication:
    """What is published of a run's folder, of GGUF files, or of both, in the repository `owner/name`.

    A run's winner is published whole, with all its GGUF files; a file from a run's `winner/gguf` alone still has the run's
    scores in its card. Nothing in the texts names a folder of this machine. InputError where there is nothing to publish: no
    winner yet, a damaged one, a file that failed verification, two runs.
    """
    _require_name(repo)
    runs = [path for path in paths if path.is_dir()]
    for path in runs:
        if not any((path / name).exists() for name in (STORE, COPY)):
            raise InputError(f"is not a run's folder ({STORE} is missing)", where=path, remedy="name a run or GGUF files")
    if len(runs) > 1:
        raise InputError("a repository holds one winner", where=runs[1], remedy="publish each run to a name of its own")
    given = [path for path in paths if not path.is_dir()]
    made_by = runs[0] if runs else _run_of(given)
    found = [*given, *(sorted(winner_exports(runs[0]).glob("*.gguf")) if runs else ())]
    ggufs = [read_gguf_facts(path) for path in dict.fromkeys(path.absolute() for path in found)]
    _require_distinct(ggufs)
    if made_by is None:
        return _of_files(ggufs, repo)
    with sound_records(made_by):
        return _of_run(made_by, ggufs, repo, whole=bool(runs))


def _require_name(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    remedy = "write OWNER/NAME"
    if HUB_ID.fullmatch(repo) is None or "@" in repo:
        raise InputError("is no name on the hub", where=f"--to {repo}", remedy=remedy)
    try:
        validate_repo_id(repo)
    except HFValidationError:
        problem = "is no name on the hub, whose names have no '--' or '..', no '.git' at the end, and at most 96 letters"
        raise InputError(problem, where=f"--to {repo[:200]}", remedy=remedy) from None


def _run_of(ggufs: Sequence[Path]) -> Path | None:
    """The run whose winner all of the files are; None for files of other places."""
    folders = {path.absolute().parent for path in ggufs}
    folder = folders.pop() if len(folders) == 1 else None
    if folder is None or len(folder.parents) < 2:
        return None
    run = folder.parents[1]
    return run if folder == winner_exports(run) and (run / STORE).is_file() else None


def _require_distinct(ggufs: Sequence[GgufFacts]) -> None:
    seen: dict[str, Path] = {}
    for gguf in ggufs:
        if (other := seen.setdefault(gguf.path.name, gguf.path)) != gguf.path:
            raise InputError(f"has the name of {other}", where=gguf.path, remedy="rename one of them")


def _of_files(ggufs: Sequence[GgufFacts], repo: str) -> Publication:
    models = [gguf for gguf in ggufs if not gguf.sees]
    first = (models or list(ggufs))[0]
    facts = CardFacts(
        title=first.title,
        repo=repo,
        licences=_licences(models or ggufs),
        bases=list(dict.fromkeys(base for gguf in models or ggufs for base in gguf.base_models)),
        languages=first.languages,
        ggufs=ggufs,
        sees=len(models) < len(ggufs),
    )
    return Publication(repo, (_card(facts), *_gguf_files(ggufs)))


def _licences(ggufs: Sequence[GgufFacts]) -> dict[str, str | None]:
    """What all of the files state, by the models that they were made of or else by their own name: None where they disagree."""
    any_stated = any(gguf.licence is not None for gguf in ggufs)
    stated: dict[str, str | None] = {}
    for gguf in ggufs:
        for name in gguf.base_models or ((gguf.title,) if any_stated else ()):
            stated[name] = gguf.licence if stated.get(name, gguf.licence) == gguf.licence else None
    return stated


def _of_run(run: Path, ggufs: Sequence[GgufFacts], repo: str, *, whole: bool) -> Publication:
    require_sound_store(run)
    with closing(read_store(run)) as store:
        facts = read_facts(store)
    _require_winner(run, facts, whole=whole)
    file = read_yaml(run / RECIPE)
    recipe, public_recipe = to_recipe(file), dump_yaml(without_folders(file.data))
    merge = next((path for name in (MERGEKIT_FILE, PATH_FILE) if (path := run / WINNER / name).is_file()), None)
    merge_data = None if merge is None else read_yaml(merge).data
    merge_text = None if merge is None else dump_yaml(without_folders(merge_data))
    hidden = {str(run.absolute()), str(run), *local_parts(file.data), *local_parts(merge_data), str(Path.home())}
    report = _public_report(read_report(run), run, public_recipe, hidden)
    if report.result is None:
        raise InputError("is missing", where=run / WINNER / RESULT, remedy=f"{_resume(run)} makes it again")
    licences, languages = _sources(run / WINNER / MODEL, report.result)
    card = _card(
        CardFacts(
            title=recipe.name,
            repo=repo,
            licences=licences,
            bases=list(licences),
            languages=[*languages, *(task.language for task in recipe.tasks if task.language)],
            ggufs=ggufs,
            weights=whole,
            sees=any(gguf.sees for gguf in ggufs) or _sees(run / WINNER / MODEL),
            result=report.result,
            tasks=[_task_line(task, recipe) for task in recipe.tasks],
            recipe=None if merge is None or merge_text is None else (merge.name, merge_text),
        )
    )
    texts = {RECIPE: public_recipe, **({} if merge is None or merge_text is None else {merge.name: merge_text})}
    texts |= {f"{REPORT}/{name}": text for name, text in render_report(report).items()}
    written = [PublishedFile(name, text.encode()) for name, text in texts.items()]
    model = _model_files(run / WINNER / MODEL, facts.winner_files, {CARD, *texts}) if whole else ()
    return Publication(repo, (card, *written, *model, *_gguf_files(ggufs)))


def _require_winner(run: Path, facts: RunFacts, *, whole: bool) -> None:
    if facts.state != "finished":
        raise InputError("has no winner yet", where=run, remedy=f"finish it with {_resume(run)}")
    if whole and (damage := winner_damage(run)) is not None:
        raise InputError(f"the winner isn't whole: {damage}", where=run, remedy=f"{_resume(run)} makes it again")


def _resume(run: Path) -> str:
    return f"`evomerge-tui resume {on_command_line(run)}`"


def _card(facts: CardFacts) -> PublishedFile:
    return PublishedFile(CARD, model_card(facts).encode())


def _gguf_files(ggufs: Sequence[GgufFacts]) -> Iterator[PublishedFile]:
    return (PublishedFile(gguf.path.name, gguf.path) for gguf in ggufs)


def _model_files(folder: Path, known: Collection[str], written: set[str]) -> Iterator[PublishedFile]:
    """The winner's files, without those that are written anew, and without what others laid beside them; runs of earlier
    versions have none that are `known`."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        ours = f"{MODEL}/{name}" in known if known else not path.is_symlink()
        if ours and path.is_file() and name not in written and SUSPECT not in name:
            yield PublishedFile(name, _without_path_keys(path) or path)


def _without_path_keys(path: Path) -> bytes | None:
    """A settings file of transformers without the folder that its writer read the model from; None where it says none."""
    if path.suffix != ".json" or not path.name.endswith("config.json"):
        return None
    try:
        settings = json.loads(read_bounded(path, remedy="remove it"))
    except (ValueError, RecursionError):
        return None
    kept = _without_keys(settings)
    return None if kept == settings else (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()


def _without_keys(settings: Any) -> Any:
    """Settings without the keys of folders, those of a model's parts (`text_config`) too."""
    if isinstance(settings, dict):
        return {key: _without_keys(value) for key, value in settings.items() if key not in _PATH_KEYS}
    return [_without_keys(value) for value in settings] if isinstance(settings, list) else settings


def _sources(model: Path, result: Mapping[str, Any]) -> tuple[dict[str, str | None], list[str]]:
    """The licences that the sources' cards stated when the winner was made, and the languages that its own card says, where a
    person may have set them right."""
    named = front_matter(model / CARD).get("language")
    languages = [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)]
    stated = result.get("licences")
    if not isinstance(stated, Mapping):
        return _licences_by_card(model), languages
    return {visible_line(name, most=200): one if isinstance(one, str) else None for name, one in stated.items()}, languages


def _licences_by_card(model: Path) -> dict[str, str | None]:
    """The licences that the winner's own card lists: the results of earlier versions have none."""
    try:
        text = read_bounded(model / CARD, most=_MOST_BYTES, remedy="remove it").decode(errors="replace")
    except (FileNotFoundError, InputError):
        return {}
    listing = text.partition("## Recipe")[0]
    return {name: None if licence == _UNSTATED else licence for name, licence in _STATED.findall(listing)}


def _sees(model: Path) -> bool:
    return (model / "preprocessor_config.json").is_file() or (model / "processor_config.json").is_file()


def _task_line(task: TaskSpec, recipe: Recipe) -> str:
    from evomerge_core.run.report.words import plain

    files = () if task.files is None else (task.files.test,)
    place = next((Path(name).name for name in (task.file, *files) if name), None) or task.dataset or task.task or ""
    asked = f"{plain(task.name)}: items of {plain(place)}" if place != task.name else plain(task.name)
    scored = f", scored by `{task.scorer}`" if task.scorer else ""
    language = f", answers in {plain(task.language)}" if task.language else ""
    weight = f", weight {task.weight:g}" if len(recipe.tasks) > 1 else ""
    return f"{asked}{scored}{language}{weight}"


def _public_report(report: Report, run: Path, recipe: str, hidden: set[str]) -> Report:
    """The report as others may read it."""
    result = report.result and {key: value for key, value in report.result.items() if key != "files"}
    texts: Mapping[str, Any] = {"run": run.absolute().name}
    return replace(
        report,
        run=run.absolute().name,
        recipe=recipe,
        scored=tuple(
            replace(
                one, failure=one.failure and hide_paths(one.failure, hidden), mark=one.mark and hide_paths(one.mark, hidden)
            )
            for one in report.scored
        ),
        result=result and {**result, **texts},
    )
