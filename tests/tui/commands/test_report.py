"""`report`: what a finished run's report says is what its store and its result say; half-done runs have one too."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from support.command_line import command

Finished = tuple[Path, "subprocess.CompletedProcess[str]"]
SVG = "{http://www.w3.org/2000/svg}"


def test_a_finished_runs_report(finished: Finished, tmp_path: Path) -> None:
    run, _ = finished
    done = command("report", run, "--out", tmp_path / "report", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    result = json.loads((run / "winner" / "result.json").read_text())
    assert said["verdict"] == result["verdict"]
    assert {Path(file).name for file in said["files"]} == {
        "report.md", "report.json", "parents.svg", "fitness.svg", "genomes.svg", "parallel.svg",
    }  # fmt: skip

    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert f"**nf4: {result['verdict']}.**" in text
    assert f"**bf16: {result['confirmed']['bf16']['verdict']}.**" in text
    assert "18 candidates, 0 of them failed" in text


def test_the_costs_are_the_stores(finished: Finished, tmp_path: Path) -> None:
    run, _ = finished
    assert command("report", run, "--out", tmp_path).returncode == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    connection = sqlite3.connect(run / "run.db")
    tokens = dict(connection.execute("SELECT split, sum(tokens) FROM evaluations GROUP BY split").fetchall())
    answers = dict(connection.execute("SELECT split, count(*) FROM item_scores GROUP BY split").fetchall())
    connection.close()
    spent = {spent_on["part"]: spent_on for spent_on in report["spent"]}
    for split in ("validation", "test"):
        assert (spent[split]["tokens"], spent[split]["answers"]) == (tokens[split], answers[split])
    assert spent["references"]["tokens"] + spent["search"]["tokens"] == tokens["search"]


def test_the_plots_show_every_candidate(finished: Finished, tmp_path: Path) -> None:
    run, _ = finished
    assert command("report", run, "--out", tmp_path).returncode == 0
    fitness = ElementTree.parse(tmp_path / "fitness.svg")
    notes = [title.text or "" for title in fitness.iterfind(f".//{SVG}circle/{SVG}title")]
    assert {note.split(":")[0] for note in notes if note.startswith("g")} == {f"g{1 + n // 8}.{1 + n % 8}" for n in range(18)}
    cells = ElementTree.parse(tmp_path / "genomes.svg").findall(f".//{SVG}rect")
    assert len(cells) == 12 * 4


def test_a_run_without_verdict_says_so(finished: Finished, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    shutil.rmtree(run / "winner")
    assert command("report", run).returncode == 0
    assert "None yet" in (run / "report" / "report.md").read_text(encoding="utf-8")
    assert not (run / "report" / "parents.svg").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    refused = command("report", tmp_path)
    assert refused.returncode == 2
    assert "is not a run folder" in refused.stderr
