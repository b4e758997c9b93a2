"""What a run names on the hub, fetched before its job starts: the job reads strangers' files and has no token."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.recipe.validate import to_recipe
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.sources.resolve import download, hub_parts
from evomerge_core.tasks.draw_items import open_items
from evomerge_core.tasks.make_task import make_task


def fetch_hub_files(folder: Path) -> None:
    """Downloads what isn't here any more of the models and datasets that a run's recipe names on the hub.

    Raises `InputError`; what is wrong with the recipe itself is left to the job to say.
    """
    try:
        recipe = to_recipe(read_yaml(folder / RECIPE))
    except InputError:
        return
    for reference in (recipe.base, *(source.model for source in recipe.sources)):
        for repo, revision in hub_parts(reference, folder):
            download(repo, revision, allow_pickle=recipe.allow_pickle)
    for task in recipe.tasks:
        if task.file is None and task.files is None:
            open_items(task, make_task(task), folder).fetch()
