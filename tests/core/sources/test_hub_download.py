from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest

import evomerge_core
from evomerge_core.errors import InputError
from evomerge_core.sources.resolve import locate
from support.hub_server import COMMIT, serve

# Prints one JSON line for each reference: the folders found, or the refusal.
ASK = """
import json, sys
from pathlib import Path
from evomerge_core.errors import InputError
from evomerge_core.sources.resolve import locate
allow_pickle = sys.argv[1] == "pickle"
for reference in sys.argv[2:]:
    try:
        place = locate(reference, relative_to=Path("."), allow_pickle=allow_pickle)
        print(json.dumps({"folders": [str(part) for part in place if part]}))
    except InputError as error:
        print(json.dumps({"error": str(error)}))
"""


def ask(home: Path, endpoint: str, *references: str, pickle: bool = False, **environment: str) -> list[dict[str, object]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    settings = {
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(Path(evomerge_core.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK, "pickle" if pickle else "no", *references],
        env=inherited | settings | environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


MODEL = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "chat_template.jinja": b"{{ messages }}",
    "README.md": b"# A model",
    "pytorch_model.bin": b"a pickle",
    "model.gguf": b"GGUF",
    "consolidated.safetensors": b"the weights again",
    "onnx/model.safetensors": b"the weights once more",
    "script.py": b"print()",
}
ADAPTER = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"factors"}
REPOS = {"owner/model": MODEL, "owner/lora": ADAPTER, "owner/old": {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}}


def contents(folder: object) -> dict[str, bytes]:
    root = Path(str(folder))
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_model_and_an_adapter_come_from_the_hub(tmp_path: Path) -> None:
    wanted = ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md")
    with serve(REPOS) as (endpoint, requests):
        (answer, pinned) = ask(tmp_path, endpoint, "owner/model+owner/lora", "owner/model@v1", HF_TOKEN="hf_secret")
        model, adapter = answer["folders"]  # type: ignore[misc]
        assert contents(model) == {name: MODEL[name] for name in wanted}
        assert contents(adapter) == ADAPTER
        assert Path(str(model)).name == COMMIT
        assert pinned["folders"] == [model]
        assert all(line.endswith("Bearer hf_secret") for line in requests)
        assert "GET /api/models/owner/model/revision/v1 Bearer hf_secret" in requests
    # The server is gone: what was downloaded still serves, and what wasn't is refused.
    again, absent = ask(tmp_path, endpoint, "owner/model", "owner/other", HF_HUB_OFFLINE="1")
    assert again["folders"] == [model]
    assert "unset HF_HUB_OFFLINE" in str(absent["error"])
    (unreachable,) = ask(tmp_path, endpoint, "owner/other")
    assert f"owner/other: no folder here, and the download from {endpoint} failed" in str(unreachable["error"])
    assert "check the network" in str(unreachable["error"])


def test_refusals_say_what_to_do(tmp_path: Path) -> None:
    with serve(REPOS) as (endpoint, _):
        asked = ("owner/absent", "owner/private", "owner/gated", "owner/model@nowhere", "owner/old", "owner/" + "x" * 100)
        answers = [str(answer["error"]) for answer in ask(tmp_path, endpoint, *asked)]
        (old,) = ask(tmp_path, endpoint, "owner/old", pickle=True)
    for reference, answer, said in zip(
        asked,
        answers,
        ("check the name", "hf auth login", "accept its terms", "no such revision", "allow pickles", "no valid hub id"),
        strict=True,
    ):
        assert answer.startswith(f"{reference}: ")
        assert said in answer
        assert "\n" not in answer
    assert set(contents(old["folders"][0])) == {"config.json", "pytorch_model.bin"}  # type: ignore[index]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("IO Error: No space left on device")]
)
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(
        InputError, match=r"owner/model: no space left in .*; free some space, or point HF_HOME to a larger disk"
    ):
        locate("owner/model", relative_to=tmp_path, allow_pickle=False)
