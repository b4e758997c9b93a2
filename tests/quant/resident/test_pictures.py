"""What a model sees and says of pictures is what transformers makes of them, family by family."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture, read_picture, upright_size
from evomerge_core.sources.source import open_source
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.vision.eyes import Eyes, look, open_eyes
from evomerge_quant.resident.vision.kept_features import see_all
from evomerge_quant.resident.vision.seen import Seen
from support.seeing_oracle import Transformers
from support.vision_models import IMAGE, write_seeing_model

SIZES = ((16, 16), (64, 64), (50, 23), (12, 40))
READ = ("smolvlm", "idefics3", "llava", "llava-next", "qwen2-vl", "qwen2.5-vl", "gemma3", "qwen3-vl")
Folders = Callable[[str], Path]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = write_seeing_model(tmp_path_factory.mktemp("eyes") / family, family)
        return made[family]

    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(2)
    paths = [folder / f"{width}x{height}.png" for width, height in SIZES]
    for path, (width, height) in zip(paths, SIZES, strict=True):
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return paths


def eyes_of(folder: Path) -> Eyes:
    return open_eyes(folder, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("family", READ)
def test_features_are_those_of_transformers(family: str, folders: Folders, pictures: list[Path]) -> None:
    oracle, eyes = Transformers(folders(family), family), eyes_of(folders(family))
    assert len(eyes.module.get_decoder().layers) == 0
    for path in pictures:
        seen = look(eyes, read_picture(path))
        close = 1e-6 if family in ("smolvlm", "idefics3", "llava", "llava-next") else 1e-5
        torch.testing.assert_close(seen.features, oracle.features(path), atol=close, rtol=1e-5)
        ids = oracle.inputs(f"w3 {IMAGE} w4", [path])["input_ids"][0].tolist()
        assert oracle.tokenizer(f"w3 {seen.text} w4")["input_ids"] == ids


def resident(folder: Path, seen: dict[str, Seen], **options: Any) -> ResidentModel:
    model = build(folder, precision="fp32", device="cpu", **options)
    source = open_source(str(folder), relative_to=Path())
    model.load((name, source.read(name)) for name in source.names)
    model.see(seen)
    return model


@pytest.mark.parametrize("family", READ)
def test_answers_and_likelihoods_are_those_of_transformers(family: str, folders: Folders, pictures: list[Path]) -> None:
    oracle = Transformers(folders(family), family)
    eyes, read = eyes_of(folders(family)), [read_picture(path) for path in pictures]
    seen = {picture.sha256: look(eyes, picture) for picture in read}
    model = resident(folders(family), seen)
    shown: list[list[int]] = [[0], [1], [1], [2], [3], [0, 2], []]
    asked, texts = [], []
    for number, which in enumerate(shown):
        text = f"w5 w6 {{}} w{7 + number} {{}} w9".format(*([IMAGE] * len(which) + [""] * (2 - len(which))))
        prompt = text
        for index in which:
            prompt = prompt.replace(IMAGE, f"<{index}>", 1)
        for index in which:
            prompt = prompt.replace(f"<{index}>", seen[read[index].sha256].text)
        texts.append(text)
        hashes = tuple(read[index].sha256 for index in which)
        asked.append(Question(prompt, gold=f"w{20 + number} w30", max_new_tokens=6, pictures=hashes))
    answers = model.answer(asked)
    for number, (answer, which) in enumerate(zip(answers, shown, strict=True)):
        paths = [pictures[index] for index in which]
        assert answer.gold_logprob == pytest.approx(oracle.logprob(texts[number], paths, [20 + number, 30, 2]), abs=2e-3)
        own = oracle.answer(texts[number], paths, 6)
        ended = own[: own.index(2)] if 2 in own else own
        assert answer.text.split() == oracle.tokenizer.decode(ended, skip_special_tokens=True).split()


def test_two_pictures_in_one_place_are_two_beginnings(folders: Folders, pictures: list[Path]) -> None:
    """Prompts of the same tokens: only the pictures differ, and so must the answers' likelihoods."""
    eyes, read = eyes_of(folders("llava")), [read_picture(path) for path in pictures[:2]]
    seen = {picture.sha256: look(eyes, picture) for picture in read}
    model = resident(folders("llava"), seen)
    asked = [Question(f"w4 {seen[one.sha256].text} w8", gold="w9", max_new_tokens=0, pictures=(one.sha256,)) for one in read]
    first, second = (answer.gold_logprob for answer in model.answer(asked))
    assert asked[0].prompt == asked[1].prompt
    assert abs(first - second) > 1e-4
    assert [model.answer([question])[0].gold_logprob for question in asked] == [first, second]


def test_a_path_reads_pictures_too(folders: Folders, pictures: list[Path]) -> None:
    eyes, picture = eyes_of(folders("smolvlm")), read_picture(pictures[2])
    seen = {picture.sha256: look(eyes, picture)}
    model = resident(folders("smolvlm"), seen)
    question = Question(f"w4 {seen[picture.sha256].text} w8", gold="w9", max_new_tokens=0, pictures=(picture.sha256,))
    straight = model.answer([question])[0].gold_logprob
    model.follow([(0, 1.0), (1, 1.0)])
    assert model.answer([question])[0].gold_logprob == pytest.approx(straight, abs=1e-6)
    model.follow([(0, 1.0), (1, 1.0), (0, 1.0)])
    assert model.answer([question])[0].gold_logprob != pytest.approx(straight, abs=1e-3)


def test_a_picture_goes_through_the_tower_once(folders: Folders, pictures: list[Path], tmp_path: Path) -> None:
    opened: list[Eyes] = []

    def open_them() -> Eyes:
        opened.append(eyes_of(folders("idefics3")))
        return opened[-1]

    read = [read_picture(path) for path in (*pictures, pictures[0])]
    first = see_all(read, tmp_path / "kept", open_them)
    second = see_all(read, tmp_path / "kept", open_them)
    assert len(opened) == 1
    assert first.keys() == second.keys() == {picture.sha256 for picture in read}
    for name, seen in first.items():
        assert torch.equal(seen.features, second[name].features)
        assert seen.text == second[name].text
    # features are read from their files as they are used
    first = {name: Seen(seen.features.clone(), seen.text) for name, seen in first.items()}
    (tmp_path / "kept" / f"{read[1].sha256}.safetensors").write_bytes(b"cut short")
    third = see_all(read, tmp_path / "kept", open_them)
    assert len(opened) == 2
    assert torch.equal(third[read[1].sha256].features, first[read[1].sha256].features)
    changed = bytearray((tmp_path / "kept" / f"{read[2].sha256}.safetensors").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "kept" / f"{read[2].sha256}.safetensors").write_bytes(changed)
    fourth = see_all(read, tmp_path / "kept", open_them)
    assert torch.equal(fourth[read[2].sha256].features, first[read[2].sha256].features)


def test_a_family_that_is_not_known_is_refused(folders: Folders, tmp_path: Path) -> None:
    config = json.loads((folders("llava") / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "llava_onevision"}), encoding="utf-8")
    for use in (partial(build, precision="fp32", device="cpu"), eyes_of):
        with pytest.raises(InputError, match="how it reads pictures isn't known here") as refused:
            use(tmp_path)
        assert "llava_onevision is not yet scored" in str(refused.value)
        assert "\n" not in str(refused.value)


def test_features_do_not_depend_on_the_number_of_threads(folders: Folders, pictures: list[Path]) -> None:
    found = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            seen = [look(eyes_of(folders(family)), read_picture(pictures[1])) for family in ("llava", "qwen2.5-vl")]
        finally:
            torch.set_num_threads(before)
        found.append([one.features.numpy().tobytes() for one in seen])
    assert found[0] == found[1]


def test_a_processor_that_cuts_a_picture_into_several_is_refused(folders: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "cutting"
    shutil.copytree(folders("gemma3"), folder)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "do_pan_and_scan": True}), encoding="utf-8")
    with pytest.raises(InputError, match=r"preprocessor_config.json: do_pan_and_scan cuts pictures into several, which isn't"):
        eyes_of(folder)


def test_a_llava_whose_tower_writes_rows_is_refused(folders: Folders, tmp_path: Path) -> None:
    config = json.loads((folders("llava") / "config.json").read_text(encoding="utf-8"))
    config["vision_config"] = {"model_type": "pixtral"}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="LLaVA is not yet scored: each row of a picture ends"):
        build(tmp_path, precision="fp32", device="cpu")


@pytest.mark.parametrize("shown", [(), ("unknown",), ("known", "known")])
def test_pictures_that_do_not_fit_the_prompt_are_an_error(
    shown: tuple[str, ...], folders: Folders, pictures: list[Path]
) -> None:
    eyes, picture = eyes_of(folders("llava")), read_picture(pictures[0])
    seen = look(eyes, picture)
    model = resident(folders("llava"), {"known": seen})
    with pytest.raises(ValueError, match=r"image tokens|hasn't been seen"):
        model.answer([Question(f"w4 {seen.text} w5", pictures=shown)])


def same(one: Picture, other: Any) -> bool:
    return bool((np.asarray(one.image) == np.asarray(other)).all())


def test_a_picture_is_read_upright_and_in_three_colours(tmp_path: Path) -> None:
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    pixels.save(tmp_path / "turned.png", exif=turned)
    assert same(read_picture(tmp_path / "turned.png"), pixels.transpose(Image.Transpose.ROTATE_270))
    pixels.convert("L").save(tmp_path / "grey.bmp")
    assert same(read_picture(tmp_path / "grey.bmp"), pixels.convert("L").convert("RGB"))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_every_way_to_hold_a_camera_is_turned_upright(ending: str, tmp_path: Path) -> None:
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    for way in range(10):  # 1 to 8 mean something
        held = Image.Exif()
        held[0x0112] = way
        pixels.save(tmp_path / f"held.{ending}", exif=held)
        upright = ImageOps.exif_transpose(Image.open(tmp_path / f"held.{ending}"))
        assert same(read_picture(tmp_path / f"held.{ending}"), upright)
        assert upright_size((tmp_path / f"held.{ending}").read_bytes(), "held") == upright.size


@pytest.mark.parametrize("exif", [b"Exif\0\0no TIFF", b"Exif\0\0MM\0*\0\0\0", b"\0" * 40])
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_whole_picture_with_broken_exif_is_read_as_it_lies(ending: str, exif: bytes, tmp_path: Path) -> None:
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    pixels.save(tmp_path / f"a.{ending}", exif=exif)
    assert same(read_picture(tmp_path / f"a.{ending}"), Image.open(tmp_path / f"a.{ending}").convert("RGB"))
    assert upright_size((tmp_path / f"a.{ending}").read_bytes(), "a") == (6, 4)


def test_a_grey_picture_of_sixteen_bits_keeps_its_shades(tmp_path: Path) -> None:
    shades = np.arange(0, 2**16, 97, dtype=np.uint16).reshape(26, 26)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    assert same(read_picture(tmp_path / "deep.png"), Image.fromarray((shades >> 8).astype(np.uint8)).convert("RGB"))


def test_a_picture_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "vector.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", encoding="utf-8")
    known = "not a picture that can be read"
    faults = {"cut": "a broken picture", "text": known, "empty": known, "vector": known, "missing": "no such picture"}
    for name, fault in faults.items():
        path = next(iter(tmp_path.glob(f"{name}.*")), tmp_path / f"{name}.png")
        with pytest.raises(InputError) as refused:
            read_picture(path)
        assert str(refused.value).startswith(f"{path}: {fault}")
        assert "\n" not in str(refused.value)
    for limit, size in (("MOST_PIXELS", "40 x 40 pixels"), ("MOST_BYTES", "MiB")):
        with monkeypatch.context() as lowered:
            lowered.setattr(f"evomerge_core.files.picture.{limit}", 100)
            with pytest.raises(InputError, match=f"too large a picture: .*{size}"):
                read_picture(whole)
