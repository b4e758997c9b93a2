"""What a run began with: a recipe, a source or an item that changed since stops `resume`, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run import reopen as reopen_module
from evomerge_core.run import setup
from evomerge_core.run.reopen import reopen
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import read_facts
from evomerge_tui.processes.job import work
from support.tiny_run import write_recipe


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models, items and a recipe."""
    return write_recipe(tmp_path_factory.mktemp("good")).parent


@pytest.fixture
def place(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "place"))


def begin(place: Path) -> Path:
    return create_run(load_recipe(place / "recipe.yaml"), out=place / "run")


def said(run: Path) -> str:
    """Why the job ended, which it did with status 2."""
    assert work(run) == 2
    store = open_store(run)
    facts = read_facts(store)
    store.close()
    assert facts.state == "failed"
    assert facts.message is not None
    assert "\n" not in facts.message
    return facts.message


def require_goes_on(run: Path) -> None:
    store = open_store(run)
    reopen(run, read_facts(store), asks=True)
    store.close()


def edit_items(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))

    return edit


def other_answers(lines: list[str]) -> list[str]:
    return [json.dumps({**json.loads(line), "answer": "1"}) for line in lines]


ITEM_CHANGES = {
    "other answers": edit_items(other_answers),
    "one other answer": edit_items(lambda lines: [*other_answers(lines[:1]), *lines[1:]]),
    "half removed": edit_items(lambda lines: lines[::2]),
    "one removed": edit_items(lambda lines: lines[:-1]),
    "40 added": edit_items(lambda lines: [*lines, *(json.dumps({"question": f"w1 w{n}", "answer": "5"}) for n in range(40))]),
    "another order": edit_items(lambda lines: lines[::-1]),
}


@pytest.mark.parametrize("change", ITEM_CHANGES)
def test_changed_items_stop_a_resumed_run(place: Path, change: str) -> None:
    run = begin(place)
    ITEM_CHANGES[change](place / "items.jsonl")
    line = said(run)
    assert line == f"{place / 'items.jsonl'}: the items of numbers changed since the run began; restore it, or start a new run"


def test_items_that_change_while_the_run_is_made_are_not_taken_for_those_that_were_drawn(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "require_space", lambda *_: ITEM_CHANGES["another order"](place / "items.jsonl"))
    run = begin(place)
    assert said(run).startswith(f"{place / 'items.jsonl'}: the items of numbers changed since the run began")


def test_items_that_change_while_the_run_is_taken_up_are_noticed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(place)

    def prepare_late(*words: Any) -> Any:
        ITEM_CHANGES["one other answer"](place / "items.jsonl")
        return setup.prepare(*words)

    monkeypatch.setattr(reopen_module, "prepare", prepare_late)
    assert said(run).startswith(f"{place / 'items.jsonl'}: the items of numbers changed since the run began")


@pytest.mark.parametrize("file", ["search", "validation", "test", "exclude"])
def test_every_file_of_items_is_known(place: Path, file: str) -> None:
    lines = (place / "items.jsonl").read_text().splitlines()
    parts = {"search": lines[:20], "validation": lines[20:30], "test": lines[30:55], "exclude": [lines[0], lines[55]]}
    for name, part in parts.items():
        (place / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in part))
    recipe = yaml.safe_load((place / "recipe.yaml").read_text())
    del recipe["tasks"][0]["file"]
    recipe["tasks"][0] |= {"files": {name: f"{name}.jsonl" for name in parts if name != "exclude"}, "exclude": "exclude.jsonl"}
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    run = begin(place)
    edit_items(lambda lines: lines[:-1])(place / f"{file}.jsonl")
    assert said(run).startswith(f"{place / file}.jsonl: the items of numbers changed")


def test_the_same_items_written_otherwise_are_the_same(place: Path) -> None:
    run = begin(place)
    edit_items(lambda lines: [json.dumps(json.loads(line), indent=None, separators=(" ,", ":  ")) for line in lines])(
        place / "items.jsonl"
    )
    require_goes_on(run)


RECIPE_CHANGES = {
    "search: 12": ("search: 11", "'splits.search'", "from 12 to 11"),
    "seed: 3": ("seed: 4", "'seed'", "from 3 to 4"),
    "max_new_tokens: 4": ("max_new_tokens: 5", "'tasks[0].max_new_tokens'", "from 4 to 5"),
    "evaluations: 18": ("evaluations: 36", "'budget.evaluations'", "from 18 to 36"),
    "prompt: '{question}'": ("prompt: '{question} ?'", "'tasks[0].prompt'", 'from "{question}" to "{question} ?"'),
    "tie_break: log_likelihood": ("tie_break: none", "'search.tie_break'", 'from "log_likelihood" to "none"'),
    "seed: 3\n": ("seed: 3\noutput: there\n", "'output'", 'from nothing to "there"'),
}


@pytest.mark.parametrize("old", RECIPE_CHANGES)
def test_an_edited_recipe_stops_a_resumed_run(place: Path, old: str) -> None:
    new, key, change = RECIPE_CHANGES[old]
    run = begin(place)
    text = (run / "recipe.yaml").read_text()
    assert text.count(old) == 1
    (run / "recipe.yaml").write_text(text.replace(old, new))
    line = said(run)
    assert line.startswith(f"{run / 'recipe.yaml'}:")
    assert f": key {key} was changed after the run began, {change}; set it back, or start a new run" in line


def test_a_recipe_may_be_laid_out_anew(place: Path) -> None:
    run = begin(place)
    data = yaml.safe_load((run / "recipe.yaml").read_text())
    (run / "recipe.yaml").write_text(f"# mine\n{json.dumps(data)}\n")
    require_goes_on(run)


def test_a_run_of_an_earlier_version_goes_on(place: Path) -> None:
    run = begin(place)
    store = open_store(run)
    store.set_facts(frozen_recipe=None, item_hashes={})
    store.close()
    ITEM_CHANGES["another order"](place / "items.jsonl")
    require_goes_on(run)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"./base": {"mod', "isn't JSON"),
        ("[]", "doesn't hold the hashes"),
        ("{}", "has no hashes of the source"),
        ("\0\0", "isn't JSON"),
        ('{"./base": 3}', "doesn't hold the hashes"),
        (None, "can't be read"),
    ],
)
def test_a_damaged_list_of_sources_is_named(place: Path, text: str | None, words: str) -> None:
    run = begin(place)
    (run / "sources.json").unlink() if text is None else (run / "sources.json").write_text(text)
    line = said(run)
    assert line.startswith(f"{run / 'sources.json'}: {words}")
    assert line.endswith("restore it from a copy, or start a new run")


def test_a_file_added_to_a_source_stops_a_resumed_run(place: Path) -> None:
    run = begin(place)
    (place / "first" / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    assert said(run).startswith("chat_template.jinja: is new since the run began")
