"""A finished run notices what its winner has lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.verdict.winner_files import known_files, winner_damage

FILES = {
    "result.json": "{}",
    "mergekit_config.yml": "merge_method: linear\n",
    "model/config.json": '{"model_type": "llama"}',
    "model/model.safetensors": "weights" * 100,
    "model/README.md": "# A card\n",
}


def finished(folder: Path, *, known: bool) -> Path:
    run = folder / "run"
    create_folder(run, "evomerge: 1\n", {})
    for name, text in FILES.items():
        path = run / "winner" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    store = open_store(run)
    write_facts(store, state="finished", winner_files=known_files(run / "winner", "mergekit_config.yml") if known else {})
    store.close()
    return run


def spoil(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize("name", [name for name in FILES if name != "model/README.md"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:1]), "has another size than was written"),
        (spoil, "isn't what was written"),
    ],
)
def test_every_file_counts(tmp_path: Path, name: str, damage: Callable[[Path], None], said: str) -> None:
    run = finished(tmp_path, known=True)
    assert winner_damage(run) is None
    damage(run / "winner" / name)
    assert winner_damage(run) == f"{run / 'winner' / name} {said}"


def test_people_may_write_into_the_card(tmp_path: Path) -> None:
    run = finished(tmp_path, known=True)
    (run / "winner" / "model" / "README.md").write_text("# Mine\n")
    (run / "winner" / "notes.txt").write_text("mine too\n")
    assert winner_damage(run) is None


def test_a_run_of_an_earlier_version_has_to_have_its_files(tmp_path: Path) -> None:
    run = finished(tmp_path, known=False)
    assert winner_damage(run) is None
    (run / "winner" / "result.json").unlink()
    assert winner_damage(run) == f"{run / 'winner' / 'result.json'} is missing"


def test_a_run_that_is_not_finished_has_lost_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    create_folder(run, "evomerge: 1\n", {})
    assert winner_damage(run) is None
