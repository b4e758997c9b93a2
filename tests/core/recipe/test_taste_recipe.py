"""Taste in a recipe: prompts from a file of anybody's, a judge's file, and nothing without effect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.recipe.taste import Taste, with_prompts

RECIPE: dict[str, Any] = {
    "evomerge": 1,
    "name": "liked",
    "base": "./base",
    "sources": ["./first", "./second"],
    "taste": {"prompts": ["Explain rain to a child."]},
    "budget": {"evaluations": 10},
}


def prompts_in(folder: Path, content: bytes) -> tuple[str, ...]:
    (folder / "prompts.txt").write_bytes(content)
    return with_prompts(Taste(file="prompts.txt"), folder).prompts


@pytest.mark.parametrize(
    ("content", "prompts"),
    [
        (b"one\ntwo\n", ("one", "two")),
        (b"\xef\xbb\xbfone\r\n\r\n  two  \rthree", ("one", "two", "three")),
        (b"one\ntwo\none\n", ("one", "two")),
        ("eins\u2028zwei\x85drei\x0bvier\nfünf".encode(), ("eins\u2028zwei\x85drei\x0bvier", "fünf")),
        (b"\x1b[31mred\x1b[0m {first} <|im_end|>", ("\x1b[31mred\x1b[0m {first} <|im_end|>",)),
    ],
)
def test_each_line_of_a_file_is_a_prompt(tmp_path: Path, content: bytes, prompts: tuple[str, ...]) -> None:
    assert prompts_in(tmp_path, content) == prompts


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no prompts"),
        (b" \n\t\n", "has no prompts"),
        (b"one\0two", "isn't text"),
        (b"\xff\xfeo\x00", "isn't text in UTF-8"),
        (b"".join(b"%d\n" % number for number in range(100_000)), "has 100,000 prompts, where at most 200 are taken"),
        (b"x" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_file_that_holds_no_prompts_is_refused_in_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        prompts_in(tmp_path, content)
    assert problem in str(refused.value)
    assert "prompts.txt" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_judge_is_a_gguf_file(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("GG")
    (tmp_path / "folder.gguf").mkdir()
    (tmp_path / "judge.gguf").write_bytes(b"GGUF")
    taste = Taste(prompts=("one",), judge="judge.gguf")
    assert with_prompts(taste, tmp_path).judge == str(tmp_path / "judge.gguf")
    for name in ("text.gguf", "folder.gguf", "nothing.gguf"):
        with pytest.raises(InputError, match=name):
            with_prompts(taste.model_copy(update={"judge": name}), tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_in_a_judges_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "judge.gguf")
    with pytest.raises(InputError, match="is no ordinary file"):
        with_prompts(Taste(prompts=("one",), judge="judge.gguf"), tmp_path)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"evaluation": {"precision": "fp32", "confirm": ["nf4"]}}, "evaluation.confirm"),
        ({"evaluation": {"precision": "nf4", "agreement": False}}, "evaluation.agreement"),
        ({"splits": {"search": 8}}, "splits"),
        ({"search": {"racing": True}}, "search.racing"),
    ],
)
def test_what_has_no_effect_beside_taste_is_refused(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**RECIPE, **changes}, sort_keys=False))
    with pytest.raises(InputError, match=rf"{key}.* has no effect"):
        load_recipe(file)
