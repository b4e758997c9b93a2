"""A list of runs shows every run: a broken one is a row that says in one line what is wrong, and hides no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.run_folder.known_runs import known_runs, remember, require_list
from evomerge_core.run.view.overview import read_overview
from evomerge_core.run.view.progress import read_progress


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "evomerge-tui" / "runs.json"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    create_folder(tmp_path / "runs" / "broken", "evomerge: 1\nname: broken\n", {})
    return tmp_path / "runs" / "broken"


def write(name: str, text: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(text, encoding="latin-1")

    return spoil


def replace_by_folder(name: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir(parents=True)

    return spoil


def set_fact(**facts: object) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        store = open_store(run)
        store.set_facts(**facts)
        store.close()

    return spoil


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no YAML": (write("recipe.yaml", "a: [1,\nb: }"), "recipe.yaml:2: not valid YAML"),
    "a list": (write("recipe.yaml", "- 1\n"), "recipe.yaml:1: the file holds no keys"),
    "empty": (write("recipe.yaml", ""), "recipe.yaml:1: the file holds no keys"),
    "no name": (write("recipe.yaml", "evomerge: 1\n"), "recipe.yaml:1: key 'name' is missing"),
    "not UTF-8": (write("recipe.yaml", "name: caf\xe9\n"), "recipe.yaml: not UTF-8"),
    "no recipe": (lambda run: (run / "recipe.yaml").unlink(), "recipe.yaml: no such file"),
    "a tag": (write("recipe.yaml", "name: !!timestamp x\n"), "recipe.yaml:1: can't read the value 'x'"),
    "a folder for a recipe": (replace_by_folder("recipe.yaml"), "recipe.yaml: can't be read"),
    "no database": (write("run.db", "this is no database" * 100), "run.db"),
    "an empty store": (write("run.db", ""), "run.db"),
    "a fact of another kind": (set_fact(stages=3), "run.db: holds what no run has written"),
    "a result that is cut": (write("winner/result.json", '{"winner": {"te'), "result.json: isn't JSON any more; "),
    "a result of another kind": (write("winner/result.json", '{"parents": 3}'), "result.json: isn't a run's result; "),
    "a list for a result": (write("winner/result.json", "[]"), "result.json: isn't JSON any more; "),
    "a folder for a result": (replace_by_folder("winner/result.json"), "result.json: can't be read"),
    "a file for the winner": (write("winner", "x"), "result.json: can't be read"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_broken_run_is_a_row_with_its_reason(run: Path, spoiled: str) -> None:
    assert read_overview(run).state == "created"
    spoil, reason = SPOILED[spoiled]
    spoil(run)
    row = read_overview(run)
    assert row.state == "unreadable"
    assert row.message is not None
    assert row.message.startswith(str(run))
    assert reason in row.message
    assert "\n" not in row.message


def test_a_broken_result_is_one_line_for_who_asks(run: Path) -> None:
    set_fact(state="finished")(run)
    write("winner/result.json", "{")(run)
    with pytest.raises(InputError, match=r"result\.json: isn't JSON any more; remove it, then resume the run"):
        read_progress(run)


@pytest.mark.parametrize("text", ["", "{", "{}", "3", "\xff\xfe", "[" * 5000])
def test_a_broken_list_of_runs_hides_no_run_that_lies_here(run: Path, own_state: Path, text: str) -> None:
    remember(run)
    own_state.write_text(text, encoding="latin-1")
    assert known_runs(run.parent) == (run,)
    with pytest.raises(InputError, match=r"runs\.json: isn't a list of runs any more; delete it"):
        require_list()


def test_a_list_may_name_what_was_never_a_path(run: Path, own_state: Path) -> None:
    remember(run)
    own_state.write_text(f'["\\u0000", "", 3, {{}}, "{"x" * 5000}", "{run}"]')
    assert known_runs() == (run,)
