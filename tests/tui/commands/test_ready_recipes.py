"""The ready-made recipes: they parse, say what they need, and pass preflight on the machines that they are made for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_recipes.catalogue import ready_recipe, ready_recipes
from evomerge_tui.cli.main import main
from support.hub_recipes import ready_hub
from support.loopback_hub import serve

READY = [recipe for recipe in ready_recipes() if not recipe.is_quickstart]
# A machine with a card of the recipe's size and RAM to match; a full disk is put on by nobody, a large one is.
CHECK = """
import json, shutil, sys
from pathlib import Path
from evomerge_core.recipe.load import load_recipe
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.preflight import preflight
usage = shutil.disk_usage(".")
shutil.disk_usage = lambda _: usage._replace(free=400 * 10**9)
for path, memory in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    card = Capacity("cuda", "a card", 8, 32 * 10**9, 30 * 10**9, memory * 10**9, int(0.95e9) * memory, 40)
    laptop = Capacity("cpu", "a laptop", 8, 16 * 10**9, 10 * 10**9)
    report = preflight(load_recipe(Path(path)), capacity=card if memory else laptop, out=Path("run"))
    print(json.dumps({
        "checks": [[c.state, c.subject, c.text] for c in report.checks],
        "download": report.estimate.download if report.estimate else None,
        "numbers": report.estimate.numbers if report.estimate else None,
    }))
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every recipe's preflight, from a hub whose weights nobody downloads."""
    home = tmp_path_factory.mktemp("home")
    with serve(ready_hub()) as hub:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
        words = [word for recipe in READY for word in (str(recipe.path), str(recipe.memory))]
        done = subprocess.run(
            [sys.executable, "-c", CHECK, *words], env=environment, cwd=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        large = [line for line in hub.requests if line.startswith("GET") and line.endswith((".safetensors", ".bin"))]
        assert large == [], "weights were downloaded"
    return {one.name: json.loads(line) for one, line in zip(READY, done.stdout.splitlines(), strict=True)}


@pytest.mark.parametrize("name", [recipe.name for recipe in READY])
def test_preflight_finds_no_problem_on_the_machine_that_a_recipe_is_made_for(name: str, reports: dict[str, Any]) -> None:
    problems = [check for check in reports[name]["checks"] if check[0] == "problem"]
    assert problems == []
    subjects = {check[1] for check in reports[name]["checks"]}
    assert {"Models", "Compatibility", "Tokenizer", "Licences", "Disk", "Search", "Time", "Run folder"} <= subjects


def test_pickles_are_reported_and_counted_but_not_downloaded(reports: dict[str, Any]) -> None:
    paper = reports["paper-ps-7b"]
    told = [text for state, subject, text in paper["checks"] if (state, subject) == ("warning", "Compatibility")]
    assert [text.split(":")[0] for text in told] == ["WizardLMTeam/WizardMath-7B-V1.1", "GAIR/Abel-7B-002"]
    assert paper["download"] == pytest.approx(4 * 14.48e9, rel=0.01)


def test_the_papers_search_has_six_numbers(reports: dict[str, Any]) -> None:
    assert reports["paper-ps-7b"]["numbers"] == 6


@pytest.mark.parametrize("recipe", READY, ids=lambda recipe: recipe.name)
def test_a_recipe_says_what_it_takes_and_what_was_not_confirmed(recipe: Any) -> None:
    head = "\n".join(recipe.notes)
    for word in ("Memory:", "Disk:", "Time:", "Licences:", "Not confirmed:"):
        assert word in head
    assert recipe.title
    assert recipe.summary


def test_the_quickstarts_come_first_and_say_what_they_take() -> None:
    first = ready_recipes()[: len(ready_recipes()) - len(READY)]
    assert [recipe.name for recipe in first] == ["quickstart", "quickstart-dfs", "quickstart-ps-dfs", "quickstart-vlm"]
    assert all(recipe.memory == 0 and any(note.startswith("Licence") for note in recipe.notes) for recipe in first)


def test_there_is_one_for_every_size_of_card() -> None:
    assert {recipe.memory for recipe in READY} == {0, 8, 12, 16, 24}
    assert len(READY) == 10


def test_recipes_lists_them_and_writes_copies_that_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    assert listed[0]["name"] == "quickstart"
    for entry in listed[len(ready_recipes()) - len(READY) :]:
        copy = tmp_path / f"{entry['name']}.yaml"
        assert main(["recipes", entry["name"], str(copy)]) == 0
        assert dump_recipe(load_recipe(copy)) == dump_recipe(load_recipe(Path(entry["file"])))
    capsys.readouterr()
    assert main(["recipes", "paper-ps"]) == 2
    assert "paper-ps-7b" in capsys.readouterr().err


def test_a_copy_is_never_written_over_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("precious")
    assert main(["recipes", "math-japanese-8b", str(mine)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert mine.read_text() == "precious"


def test_a_recipe_without_a_file_name_is_shown_with_its_comments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "math-japanese-8b"]) == 0
    shown = capsys.readouterr().out
    assert shown == ready_recipe("math-japanese-8b").path.read_text(encoding="utf-8")
    assert yaml.safe_load(shown)["base"] == "meta-llama/Llama-3.1-8B-Instruct"
