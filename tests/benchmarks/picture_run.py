"""Makes a finished quickstart the run that snapshots and pictures show: `python tests/benchmarks/picture_run.py RUN`.

Replaces `tests/tui/data/quickstart`: the run without models, with its items beside it and no path of this machine. Then
`tests/tui/data/chat.json` wants the winner's own answers, and the snapshots are taken anew.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.names import RECIPE, RESULT, SOURCES, STORE, WINNER
from evomerge_core.run.setup import prepare
from evomerge_core.tasks.items.split import SPLITS
from evomerge_recipes.quickstart.base import HUB_ID

DATA = Path(__file__).parents[1] / "tui" / "data" / "quickstart"
CONFIG = "mergekit_config.yml"


def main() -> None:
    run = Path(sys.argv[1]).absolute()
    setup = prepare(load_recipe(run / RECIPE), run)
    places = {str(setup.base_folder): HUB_ID, str(run): "quickstart"}
    for reference in setup.parents.values():
        adapter = Path(reference.partition("+")[2])
        places = {str(adapter): f"./adapters/{adapter.name}"} | places
    shutil.rmtree(DATA, ignore_errors=True)
    (DATA / WINNER).mkdir(parents=True)
    for split in SPLITS:
        lines = [json.dumps(dict(question.item.fields), ensure_ascii=False) + "\n" for question in setup.plan.asked[split]]
        (DATA / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    (DATA / SOURCES).write_text("{}\n", encoding="utf-8")
    files = "  files:\n" + "".join(f"    {split}: {split}.jsonl\n" for split in SPLITS)
    places = {f"  file: {setup.recipe.tasks[0].file}\n": files} | places
    for name in (RECIPE, f"{WINNER}/{RESULT}", f"{WINNER}/{CONFIG}"):
        (DATA / name).write_text(replaced((run / name).read_text(encoding="utf-8"), places), encoding="utf-8")
    copy_store(run / STORE, DATA / STORE, places)


def replaced(text: str, places: dict[str, str]) -> str:
    """The text without this machine's paths."""
    for path, name in places.items():
        text = text.replace(path, name)
    return text


def copy_store(source: Path, target: Path, places: dict[str, str]) -> None:
    """The store in one file, without its journal."""
    with closing(sqlite3.connect(source)) as store:
        store.execute("VACUUM INTO ?", (str(target),))
    with closing(sqlite3.connect(target)) as store:
        for table, column in (("facts", "value"), ("events", "data")):
            for path, name in places.items():
                store.execute(f"UPDATE {table} SET {column} = REPLACE({column}, ?, ?)", (path, name))
        store.commit()


if __name__ == "__main__":
    main()
