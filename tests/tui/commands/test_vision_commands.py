"""Vision-language models from the command line: what is done, and what is refused in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from evomerge_quant.resident.vision.standing_text import standing_texts
from evomerge_tui.cli.main import main
from evomerge_tui.processes.planner.own_file import suggest_task
from support.seeing_oracle import Transformers
from support.seeing_runs import SIZES, write_pictures, write_seeing_recipe
from support.source_models import change_config
from support.vision_models import IMAGE, IMAGE_ROW, write_seeing_model, write_text_model, write_vision_model

RECIPE = """
evomerge: 1
name: eyes
base: ./{base}
sources:
  - {{name: A, model: ./{first}}}
  - {{name: B, model: ./{second}}}
tasks:
  - {{name: sums, file: sums.jsonl, scorer: exact, prompt: "{{question}}", gold: "{{answer}}"}}
splits: {{search: 2, validation: 2, test: 2}}
budget: {{evaluations: 10}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_vision_model(folder / "eyes", "smolvlm")
    write_vision_model(folder / "unread", "llava")
    change_config(folder / "unread", vision_config={"model_type": "pixtral"})
    write_text_model(folder / "text", "smolvlm")
    write_text_model(folder / "second", "smolvlm", seed=3)
    write_text_model(folder / "other", "llava-next")
    lines = [json.dumps({"question": f"w{row} w{row + 1}", "answer": f"w{row}"}) for row in range(12)]
    (folder / "sums.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def recipe(models: Path, **named: str) -> Path:
    path = models / "recipe.yaml"
    path.write_text(RECIPE.format(**named), encoding="utf-8")
    return path


def test_inspect_tells_what_sees_and_what_fits(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(models / "eyes"), str(models / "text"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mergeable"]
    assert told["models"][0]["vision"]["family"] == "SmolVLM"
    assert told["models"][1]["vision"] is None
    assert main(["inspect", str(models / "eyes"), str(models / "other")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "eyes: family SmolVLM" in shown
    assert "model_type is 'mistral', but 'llama'" in shown


REFUSED = {
    "a run can't score LLaVA yet, which reads pictures (each row": {"base": "unread", "first": "text", "second": "second"},
    "is a text model, but the source eyes reads pictures": {"base": "text", "first": "eyes", "second": "second"},
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_run_is_refused_in_one_line(why: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(recipe(models, **REFUSED[why])), "--out", str(models / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert why in said
    assert not (models / "run").exists()


def test_an_export_that_has_no_converter_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(write_vision_model(tmp_path / "llava", "llava"))]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert "makes no mmproj file of LLaVA's eyes; " in said
    assert "--mmproj FILE" in said


def test_the_preflight_says_so_before(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["preflight", str(recipe(models, base="unread", first="text", second="second")), "--json"])
    told = capsys.readouterr().out
    assert "a run can't score LLaVA yet" in told


def test_the_preflight_counts_what_pictures_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four sizes of pictures: 20 features where one is cut into four tiles and seen whole, of 32 numbers in 4 bytes."""
    path = write_seeing_recipe(tmp_path, "smolvlm")
    assert main(["preflight", str(path), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    (pictures,) = (check["text"] for check in checks if check["subject"] == "Pictures")
    assert pictures == "cards: 10 different ones, all of them can be read"
    (length,) = (check["text"] for check in checks if check["subject"] == "Length")
    processor = Transformers(tmp_path / "base", "smolvlm")
    ids = [processor.inputs(f"w5 {IMAGE} w6 w30", [tmp_path / f"{n}.png"])["input_ids"] for n in range(4)]
    assert length.startswith(f"cards: {max(one.shape[1] for one in ids) + 1 + 3} tokens at most")


@pytest.mark.parametrize("trained", [True, False])
def test_the_preflight_says_whose_eyes_are_not_the_base_s(
    trained: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The source's tower is another one, or the base's, stored in bfloat16 under an older version's names."""
    path = write_seeing_recipe(tmp_path, "llava")
    if not trained:
        ours, theirs = (load_file(tmp_path / model / "model.safetensors") for model in ("base", "second"))
        theirs |= {name: one.bfloat16() for name, one in ours.items() if not name.startswith("language_model.")}
        old = {re.sub("^vision_tower.", "vision_tower.vision_model.", name): one for name, one in theirs.items()}
        save_file(old, tmp_path / "second" / "model.safetensors", metadata={"format": "pt"})
    assert main(["preflight", str(path), "--json"]) == 0
    told = [check["text"] for check in json.loads(capsys.readouterr().out)["checks"] if check["subject"] == "Eyes"]
    assert [text.partition(" with which")[0] for text in told] == (
        ["second: tower and projector have other weights than the base's,"] if trained else []
    )


@pytest.mark.parametrize(
    "family", ["smolvlm", "idefics3", "llava", "llava-next", "qwen2-vl", "qwen2.5-vl", "gemma3", "qwen3-vl"]
)
def test_what_stands_for_a_picture_is_known_from_its_size(family: str, tmp_path: Path) -> None:
    folder = write_seeing_model(tmp_path / "eyes", family)
    processor, standing = Transformers(folder, family), standing_texts(folder, IMAGE)
    for number, name in enumerate(write_pictures(tmp_path, 8)):
        size = SIZES[number % len(SIZES)]
        ids = processor.inputs(f"w3 {IMAGE} w4", [tmp_path / name])["input_ids"][0].tolist()
        found = standing(size)
        assert found.features == ids.count(IMAGE_ROW)
        assert processor.tokenizer(f"w3 {found.text} w4")["input_ids"] == ids


@pytest.mark.parametrize(
    ("broken", "said"), [("cut", "a broken picture"), ("gone", "no such picture"), ("text", "not a picture")]
)
def test_a_picture_that_can_not_be_read_is_one_line(
    broken: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = write_seeing_recipe(tmp_path, "llava"), tmp_path / "1.png"
    content = {"cut": picture.read_bytes()[:3000], "gone": None, "text": b"no picture"}[broken]
    picture.unlink()
    if content is not None:
        picture.write_bytes(content)
    for command in (["run", str(path), "--out", str(tmp_path / "run")], ["try", str(path)]):
        assert main(command) == 2
        line = capsys.readouterr().err.strip()
        assert "\n" not in line
        assert "items.jsonl:2: image: 1.png: " in line
        assert said in line
    assert not (tmp_path / "run").exists()
    assert main(["preflight", str(path), "--json"]) == 1
    assert said in capsys.readouterr().out


def test_a_picture_of_a_shape_that_the_base_can_not_see_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_seeing_recipe(tmp_path, "qwen2-vl")
    for number in range(10):
        Image.new("RGB", (1, 300), (number, 0, 0)).save(tmp_path / f"{number}.png")
    said = re.compile(r"items.jsonl:\d+: image: \d.png: the base can't see a picture of 1 x 300 pixels \(absolute aspect ratio")
    assert main(["try", str(path)]) == 2
    line = capsys.readouterr().err.strip()
    assert said.search(line)
    assert "\n" not in line
    assert main(["preflight", str(path), "--json"]) == 1
    (check,) = (check for check in json.loads(capsys.readouterr().out)["checks"] if check["subject"] == "Pictures")
    assert check["state"] == "problem"
    assert said.search(check["text"])


def test_a_first_look_at_the_parents_shows_them_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_seeing_recipe(tmp_path, "smolvlm")
    assert main(["try", str(path), "--items", "2", "--json"]) == 0
    *models, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert [model["label"] for model in models] == ["base", "text", "second"]
    assert all(len(model["answers"]) == 2 and model["failure"] is None for model in models)


@pytest.mark.parametrize("column", ["image", "Picture", "file_name"])
def test_a_file_of_one_s_own_is_asked_with_its_pictures(column: str, tmp_path: Path) -> None:
    names = write_pictures(tmp_path, 3)
    rows = [{"question": f"q{number}", "answer": "7", column: name} for number, name in enumerate(names)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert suggest_task(tmp_path / "own.jsonl")["fields"] == {"question": "question", "answer": "answer", "image": column}
    rows = [{"question": "q", "answer": "7", "image": "a cat"}]
    (tmp_path / "text.jsonl").write_text(json.dumps(rows[0]), encoding="utf-8")
    assert "image" not in suggest_task(tmp_path / "text.jsonl")["fields"]
