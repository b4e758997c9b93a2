"""Whatever file of a model names code of its own, it isn't run, and nobody is asked whether it should be."""

from __future__ import annotations

import builtins
import json
import shutil
from pathlib import Path

import pytest

from evomerge_tui.cli.main import main
from support.tiny_run import write_recipe

FILES = (
    *("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"),
    *("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json", "adapter_config.json"),
)
CLASSES = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoTokenizer", "AutoProcessor", "AutoImageProcessor")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("sound")).parent


@pytest.mark.parametrize("words", [("inspect", "base"), ("preflight", "recipe.yaml", "--out", "run"), ("try", "recipe.yaml")])
@pytest.mark.parametrize("file", FILES)
def test_code_is_neither_run_nor_asked_about(
    file: str, words: tuple[str, ...], sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(sound, tmp_path / "place"))
    ran = tmp_path / "ran"
    (place / "base" / "evil.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nclass Evil: pass\n")
    path = place / "base" / file
    settings = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(settings | {"auto_map": dict.fromkeys(CLASSES, "evil.Evil")}))
    asked: list[object] = []
    monkeypatch.setattr(builtins, "input", lambda *question: asked.append(question) or "y")
    monkeypatch.chdir(place)
    assert main([*words, "--json"]) in (0, 1, 2)
    assert not asked
    assert not ran.exists()
