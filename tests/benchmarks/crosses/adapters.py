"""Adapters as folders: trained once for all crosses that share them, or drawn."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from crosses.cross import RandomLike, Trained

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def make_adapter(adapter: Trained | RandomLike, base: Path, place: Path) -> Path:
    """The adapter's folder in `place`; made, whole or not at all, unless it is there."""
    folder = place / adapter.name
    if folder.exists():
        return folder
    unfinished = place / f"{adapter.name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    if isinstance(adapter, RandomLike):
        write_random(adapter, Path(str(files("evomerge_recipes.quickstart"))) / "adapters" / adapter.adapter, unfinished)
    else:
        # peft, which only training needs, takes seconds to load
        from evomerge_recipes.quickstart.train import train

        train(base, unfinished, adapter.pairs(), adapter.rank, adapter.seed, nf4=False, dtype=torch.bfloat16)
    return unfinished.rename(folder)


def write_random(adapter: RandomLike, like: Path, out: Path) -> None:
    """An adapter with the shapes of the one in `like`: normal numbers, each product B A of a module scaled to its norm."""
    known, draws = load_file(like / WEIGHTS), torch.Generator().manual_seed(adapter.seed)
    tensors: dict[str, Tensor] = {}
    for name in sorted(name for name in known if ".lora_A." in name):
        other = name.replace(".lora_A.", ".lora_B.")
        a, b = (torch.randn(known[key].shape, generator=draws) for key in (name, other))
        length = product_norm(known[name], known[other]) / product_norm(a, b)
        tensors[name], tensors[other] = a.bfloat16(), (length * b).bfloat16()
    out.mkdir(parents=True)
    save_file(tensors, out / WEIGHTS)
    config = json.loads((like / CONFIG).read_text(encoding="utf-8"))
    (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def product_norm(a: Tensor, b: Tensor) -> Tensor:
    """The Frobenius norm of b @ a, by the trace of (b'b)(aa'): nothing as large as the module is made."""
    a, b = a.float(), b.float()
    return ((b.T @ b) * (a @ a.T)).sum().sqrt()
