"""Commands on models that bring Python along, beside the weights or on the hub: none of it is fetched, none of it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

from support.gguf_models import make_model
from support.loopback_hub import Hub, serve

REMOTE = "attacker/repo--evil.Evil"


def code(ran: Path) -> str:
    """A module that leaves a file behind, with the hub token in it, and serves as tokenizer and as config."""
    return (
        "import os, pathlib\n"
        f"pathlib.Path({str(ran)!r}).write_text(os.environ.get('HF_TOKEN', 'no token'))\n"
        "from transformers import LlamaConfig, PreTrainedTokenizerFast\n"
        "class Evil(PreTrainedTokenizerFast): pass\n"
        "class EvilConfig(LlamaConfig): pass\n"
    )


@dataclass(frozen=True)
class World:
    """A hub that serves the code, the file that the code leaves behind, and a logged-in user who answers yes to everything."""

    hub: Hub
    ran: Path
    place: Path

    def command(self, *words: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        # `evomerge-tui` has the folder of programs on the module path, not the working folder as `python -m` has
        line = [sys.executable, "-P", "-m", "evomerge_tui", *(str(word) for word in words)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        environment |= {
            "HF_ENDPOINT": self.hub.address,
            "HF_HOME": str(self.place / "home"),
            "HF_TOKEN": "hf_secret",
            "NO_PROXY": "127.0.0.1",
        }
        return subprocess.run(line, env=environment | variables, cwd=cwd, input="y\n" * 9, capture_output=True, text=True)

    def require_nothing_ran(self) -> None:
        assert not self.ran.exists(), f"the model's code ran and saw: {self.ran.read_text()}"
        assert self.hub.requests == []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ran = tmp_path / "ran"
    with serve(Hub({"attacker/repo": {"evil.py": code(ran).encode(), "config.json": b"{}"}})) as hub:
        yield World(hub, ran, tmp_path)


def change(folder: Path, file: str, **changes: Any) -> None:
    path = folder / file
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | changes))


def require_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert all(part in line for part in parts), line
    assert "Traceback" not in done.stderr


def write_run(place: Path, base: Path) -> Path:
    """A recipe of a short search around a base."""
    family = "glm4" if "glm4" in (base / "config.json").read_text() else "llama"
    for seed in (1, 2):
        make_model(place / f"source{seed}", family, dtype=torch.bfloat16, seed=seed)
    items = [{"question": f"How much is {i} and {i}?", "answer": str(2 * i)} for i in range(12)]
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    recipe: dict[str, Any] = {
        "evomerge": 1,
        "name": "short",
        "base": str(base),
        "sources": ["./source1", "./source2"],
        "search_space": {"groups": {"bands": 1}},
        "tasks": [
            {"name": "sums", "file": "items.jsonl", "fields": {"question": "question", "answer": "answer"},
             "prompt": "{question}", "scorer": "final_number", "max_new_tokens": 2}
        ],
        "splits": {"search": 4, "validation": 4, "test": 4},
        "budget": {"evaluations": 2},
        "evaluation": {"precision": "bf16", "device": "cpu"},
    }  # fmt: skip
    path = place / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def test_code_in_the_models_folder_is_not_run(world: World, converter: Path) -> None:
    """GLM-4 is a family for which the converter asks transformers to trust the model's code."""
    folder = make_model(world.place / "model", "glm4")
    (folder / "evil.py").write_text(code(world.ran))
    change(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]})
    change(folder, "config.json", auto_map={"AutoConfig": "evil.EvilConfig"})
    done = world.command("export", folder, "--type", "F16", "--converter", converter, "--no-proof")
    world.require_nothing_ran()
    # the tokenizer was read: the converter only knows those of the real models of this family
    require_one_line(done, "way of splitting text")


def test_code_on_the_hub_is_not_fetched(world: World, converter: Path) -> None:
    folder = make_model(world.place / "model", "glm4")
    change(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": [REMOTE, REMOTE]})
    done = world.command("export", folder, "--type", "F16", "--converter", converter, "--no-proof")
    world.require_nothing_ran()
    require_one_line(done, "way of splitting text")


def test_a_runs_winner_brings_no_code_of_its_base(world: World, converter: Path) -> None:
    base = make_model(world.place / "base", "glm4", dtype=torch.bfloat16)
    change(base, "tokenizer_config.json", auto_map={"AutoTokenizer": [REMOTE, REMOTE]})
    ran = world.command("run", write_run(world.place, base), "--out", world.place / "run")
    assert ran.returncode == 0, ran.stderr
    done = world.command("export", world.place / "run", "--type", "F16", "--converter", converter, "--no-proof")
    world.require_nothing_ran()
    require_one_line(done, "way of splitting text")
    assert "auto_map" not in (world.place / "run/winner/model/tokenizer_config.json").read_text()


def test_a_model_that_names_code_but_does_without_is_exported_and_verified(world: World, converter: Path) -> None:
    folder = make_model(world.place / "model")
    (folder / "evil.py").write_text(code(world.ran))
    change(folder, "tokenizer_config.json", add_bos_token=False, auto_map={"AutoTokenizer": [REMOTE, "evil.Evil"]})
    change(folder, "config.json", auto_map={"AutoConfig": "evil.EvilConfig", "AutoModelForCausalLM": "evil.Evil"})
    done = world.command("export", folder, "--type", "F16", "--converter", converter)
    world.require_nothing_ran()
    assert done.returncode == 0, done.stderr
    assert list((folder / "gguf").glob("*-F16.gguf"))


@pytest.mark.parametrize("command", ["export", "run"])
def test_a_tokenizer_that_is_code_is_refused_and_nobody_asked(command: str, world: World, converter: Path) -> None:
    """Without an explicit no, transformers asks whether to run it."""
    base = make_model(world.place / "base", dtype=torch.bfloat16)
    change(base, "tokenizer_config.json", tokenizer_class="Evil", auto_map={"AutoTokenizer": [REMOTE, REMOTE]})
    if command == "export":
        done = world.command("export", base, "--type", "F16", "--converter", converter)
    else:
        done = world.command("run", write_run(world.place, base), "--out", world.place / "run")
    world.require_nothing_ran()
    assert "[y/N]" not in done.stdout + done.stderr
    require_one_line(done, "tokenizer_config.json: auto_map: attacker/repo--evil.Evil", "PreTrainedTokenizerFast")


def test_a_config_that_is_code_is_refused_and_nobody_asked(world: World) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `harness`")
    base = make_model(world.place / "base", dtype=torch.bfloat16)
    change(base, "config.json", model_type="evil", auto_map={"AutoConfig": "attacker/repo--evil.EvilConfig"})
    done = world.command("harness", base, "arc_easy")
    world.require_nothing_ran()
    require_one_line(done, "config.json: auto_map: attacker/repo--evil.EvilConfig")


def test_what_lies_in_the_working_folder_is_not_imported(world: World) -> None:
    """Commands are typed where a model was just downloaded to; the job that a command starts must not look there."""
    base = make_model(world.place / "base", "glm4", dtype=torch.bfloat16)
    recipe = write_run(world.place, base)
    for name in ("torch", "numpy", "safetensors", "evomerge_core", "bitsandbytes", "sitecustomize"):
        (base / f"{name}.py").write_text(code(world.ran))
    done = world.command("run", recipe, "--out", world.place / "run", cwd=base)
    world.require_nothing_ran()
    assert done.returncode == 0, done.stderr


def test_an_adapter_in_the_models_folder_imports_nothing(world: World, converter: Path) -> None:
    """transformers loads adapters that lie beside weights; some releases of peft import what `megatron_core` names."""
    folder = make_model(world.place / "model")
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "target_modules": ["q_proj"]}
    change(folder, "adapter_config.json", **settings, megatron_config={"evil": 1}, megatron_core="evil")
    save_file({"evil": torch.zeros(1)}, folder / "adapter_model.safetensors")
    modules = world.place / "modules"
    modules.mkdir()
    (modules / "evil.py").write_text(code(world.ran))
    words = ["export", folder, "--type", "Q8_0", "--imatrix", "--converter", converter, "--no-proof"]
    done = world.command(*words, PYTHONPATH=str(modules))
    world.require_nothing_ran()
    assert done.returncode == 0, done.stderr


def test_a_kernel_that_a_config_names_is_not_fetched(world: World) -> None:
    base = make_model(world.place / "base", "glm4", dtype=torch.bfloat16)
    change(base, "config.json", attn_implementation="attacker/repo", experts_implementation="attacker/repo")
    done = world.command("run", write_run(world.place, base), "--out", world.place / "run")
    world.require_nothing_ran()
    assert done.returncode == 0, done.stderr


def test_a_harness_task_in_a_file_is_not_read(world: World) -> None:
    """lm-evaluation-harness runs what stands after `!function`."""
    pytest.importorskip("lm_eval", reason="needs the extra `harness`")
    folder = make_model(world.place / "model")
    (folder / "evil.py").write_text(f"{code(world.ran)}\ndef evil(_): return ''\n")
    (folder / "evil.yaml").write_text("task: evil\ndataset_path: json\ndoc_to_text: !function evil.evil\n")
    done = world.command("harness", folder, "evil.yaml", cwd=folder)
    world.require_nothing_ran()
    require_one_line(done, "evil.yaml: a task file can run Python")


def test_a_converter_that_runs_a_models_code_is_stopped_in_one_line(world: World) -> None:
    folder = make_model(world.place / "model")
    (folder / "evil.py").write_text(code(world.ran))
    converter = world.place / "llama.cpp"
    (converter / "gguf-py/gguf").mkdir(parents=True)
    (converter / "gguf-py/gguf/__init__.py").touch()
    (converter / "convert_hf_to_gguf.py").write_text(f"import runpy\nrunpy.run_path({str(folder / 'evil.py')!r})\n")
    done = world.command("export", folder, "--type", "F16", "--converter", converter)
    world.require_nothing_ran()
    require_one_line(done, "converter was stopped", "evil.py: Python that isn't installed is never run")


def test_numbas_settings_in_the_working_folder_are_refused(world: World, tmp_path: Path) -> None:
    """They name a cache folder, whose files numba unpickles before it looks at them."""
    base = make_model(tmp_path / "base")
    (tmp_path / "base" / ".numba_config.yaml").write_text("cache_dir: ./cache\n")
    done = world.command("try", write_run(tmp_path, base), cwd=tmp_path / "base")
    require_one_line(done, ".numba_config.yaml", "remove it")


def test_a_harness_metric_is_neither_fetched_nor_taken_from_the_working_folder(world: World, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `harness`")
    base = make_model(tmp_path / "base")
    (base / "code_eval").mkdir()
    (base / "code_eval" / "code_eval.py").write_text(code(world.ran))
    done = world.command("harness", base, "humaneval", "--limit", "1", cwd=base, HF_ALLOW_CODE_EVAL="1")
    require_one_line(done, "code_eval")
    world.require_nothing_ran()
