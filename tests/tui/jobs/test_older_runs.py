"""Runs that the version before made: a finished one and one that was killed in the middle of its search.

The stores in `data` were written by that version (commit 6445d7f), and what it made of the second one itself is in
`data/interrupted/result.json`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from support.command_line import command
from support.screen_tools import make_app, shown, until
from support.tiny_run import scores, write_recipe

DATA = Path(__file__).parents[1] / "data"
RUN = "interrupted"
STORED = 16
SEARCHED = 11


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    """The finished run."""
    return Path(shutil.copytree(DATA / "quickstart", tmp_path / "quickstart"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models and items of the interrupted run, which are the same in every version."""
    return write_recipe(tmp_path_factory.mktemp("models")).parent


@pytest.fixture
def interrupted(models: Path, tmp_path: Path) -> Path:
    """The interrupted run, as if its models had lain here all the time."""
    run = Path(shutil.copytree(DATA / RUN, tmp_path / RUN))
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("PLACE", str(models)))
    # transformers writes its version into the models' files: their digests are not the same everywhere
    sources = {
        str(folder): {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}
        for folder in (models / "base", models / "first", models / "second")
    }
    (run / "sources.json").write_text(json.dumps(sources))
    return run


def as_json(*words: object) -> dict[str, Any]:
    done = command(*words, "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_status_and_report_read_a_finished_run(quickstart: Path, tmp_path: Path) -> None:
    result = json.loads((quickstart / "winner" / "result.json").read_text())
    status = as_json("status", quickstart)
    assert (status["state"], status["evaluations"]) == ("finished", result["evaluations"])
    assert status["winner"]["label"] == result["winner"]["name"]
    assert status["winner"]["test"] == result["winner"]["test"]
    plain = command("status", quickstart, "--plain").stdout
    assert f"The winner is {result['winner']['name']}." in plain
    assert result["verdict"] in plain
    assert as_json("report", quickstart, "--out", tmp_path / "report")["verdict"] == result["verdict"]


@pytest.mark.anyio
async def test_the_dashboard_reads_both(quickstart: Path, interrupted: Path) -> None:
    app = make_app(interrupted.parent)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(quickstart)
        await until(pilot, lambda: "finished" in shown(app) and "the child beats" in shown(app))
        app.pop_screen()
        app.open_run(interrupted)
        await until(pilot, lambda: "interrupted" in shown(app) and "g1.1" in shown(app))


def test_an_interrupted_run_is_read(interrupted: Path) -> None:
    status = as_json("status", interrupted)
    assert (status["state"], status["evaluations"], status["winner"]) == ("interrupted", SEARCHED, None)
    candidate = as_json("candidate", interrupted, status["best"]["label"])
    assert [score["score"] for score in candidate["scores"] if score["task"] is None] == [status["best"]["score"]]
    assert as_json("report", interrupted)["verdict"] is None


def test_an_interrupted_run_is_carried_on_to_the_result_that_its_own_version_found(interrupted: Path) -> None:
    before = scores(interrupted)
    result = as_json("resume", interrupted)
    assert set(before) <= set(scores(interrupted))
    expected = json.loads((interrupted / "result.json").read_text())
    assert result["evaluations"] == expected["evaluations"]
    assert result["winner"]["name"] == expected["winner"]["name"]
    assert result["winner"]["genome"] == pytest.approx(expected["winner"]["genome"])


def test_a_search_that_cant_be_continued_is_refused_in_one_line(interrupted: Path) -> None:
    """As where the run was begun on a processor that adds up in another order: the genomes differ in their last bits."""
    with sqlite3.connect(interrupted / "run.db") as connection:
        (genome,) = connection.execute("SELECT genome FROM candidates WHERE label = 'g2.1'").fetchone()
        first, *others = json.loads(genome)
        connection.execute(
            "UPDATE candidates SET genome = ? WHERE label = 'g2.1'", (json.dumps([first * (1 + 2**-50), *others]),)
        )
    connection.close()
    done = command("resume", interrupted)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: g2.1: the optimiser's genome differs from the stored one; ")
    assert "or start a new run" in line
