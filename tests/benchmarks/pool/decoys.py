"""Eight adapters that are of no use to the quickstart's task, beside its two useful ones: `python -m pool.decoys
BASE OUT [--seed N]`.

Two are trained on something else (answers in German; spelling backwards), within about three minutes on one core. The others
are made of the useful ones, so that nothing but their answers tells them from those: the sign turned, the layers in another
order, the inputs in another order, and noise of the same size. `seed` draws the orders and the noise.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Weights = dict[str, Tensor]

USEFUL = ("arithmetic", "japanese")
TRAINED = ("german", "letters")
_LAYER = re.compile(r"\.layers\.(\d+)\.")
_GERMAN = {
    "dog": "Hund", "cat": "Katze", "horse": "Pferd", "cow": "Kuh", "pig": "Schwein", "sheep": "Schaf", "duck": "Ente",
    "goat": "Ziege", "mouse": "Maus", "key": "Schlüssel", "book": "Buch", "hat": "Hut", "bag": "Tasche", "cup": "Tasse",
    "letter": "Brief", "pen": "Stift", "apple": "Apfel", "lamp": "Lampe", "school": "Schule", "car": "Auto", "tree": "Baum",
}  # fmt: skip


def turned(weights: Weights) -> Weights:
    """The task vector with its sign turned."""
    return {name: -tensor if "lora_B" in name else tensor for name, tensor in weights.items()}


def with_layers_shuffled(weights: Weights, rng: random.Random) -> Weights:
    """Every layer's change given to another layer."""
    count = 1 + max(int(found[1]) for name in weights if (found := _LAYER.search(name)))
    order = list(range(count))
    while any(index == moved for index, moved in enumerate(order)):
        rng.shuffle(order)
    return {_LAYER.sub(lambda found: f".layers.{order[int(found[1])]}.", name): tensor for name, tensor in weights.items()}


def with_inputs_shuffled(weights: Weights, generator: torch.Generator) -> Weights:
    """Every module's inputs in another order."""
    return {
        name: tensor[:, torch.randperm(tensor.shape[1], generator=generator)].contiguous() if "lora_A" in name else tensor
        for name, tensor in weights.items()
    }


def noise(weights: Weights, generator: torch.Generator) -> Weights:
    """Random factors of the same norms."""
    drawn = {name: torch.randn(tensor.shape, generator=generator) for name, tensor in weights.items()}
    return {name: (drawn[name] * (w.float().norm() / drawn[name].norm())).to(w.dtype) for name, w in weights.items()}


def make_pool(trained: Path, out: Path, seed: int) -> Path:
    """A folder with the two useful adapters and eight others; `trained` holds those that were trained."""
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    shipped = Path(str(files("evomerge_recipes.quickstart"))) / "adapters"
    made: dict[str, tuple[str, Callable[[Weights], Weights]]] = {
        "turned-arithmetic": ("arithmetic", turned),
        "turned-japanese": ("japanese", turned),
        "layers-arithmetic": ("arithmetic", lambda weights: with_layers_shuffled(weights, rng)),
        "layers-japanese": ("japanese", lambda weights: with_layers_shuffled(weights, rng)),
        "inputs-japanese": ("japanese", lambda weights: with_inputs_shuffled(weights, generator)),
        "noise": ("arithmetic", lambda weights: noise(weights, generator)),
    }
    for name in USEFUL:
        shutil.copytree(shipped / name, out / name, dirs_exist_ok=True)
    for name in TRAINED:
        shutil.copytree(trained / name, out / name, dirs_exist_ok=True)
    for name, (of, change) in made.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / of / "adapter_config.json", out / name)
        save_file(change(load_file(shipped / of / "adapter_model.safetensors")), out / name / "adapter_model.safetensors")
    return out


def train_decoys(base: Path, out: Path) -> None:
    """Trains the adapters of other skills, unless they are there."""
    from evomerge_recipes.quickstart.train import train

    for name, pairs in (("german", _in_german), ("letters", _of_letters)):
        if not (out / name / "adapter_model.safetensors").exists():
            train(base, out / name, pairs(random.Random(3)), rank=6, seed=3, nf4=False)


def _in_german(rng: random.Random) -> list[tuple[str, str]]:
    asked = ("Where is the {}?", "What do you call a {}?", "Do you see the {}?", "Tell me about the {}.")
    said = ("Da ist {} und dort noch einer.", "Ich sehe hier {} auf dem Weg.", "Das nennen wir {} in unserer Sprache.")
    words = [rng.choice(list(_GERMAN)) for _ in range(640)]
    return [(rng.choice(asked).format(word), rng.choice(said).format(_GERMAN[word])) for word in words]


def _of_letters(rng: random.Random) -> list[tuple[str, str]]:
    words = [rng.choice(list(_GERMAN)) for _ in range(640)]
    return [(f"Spell the word {word} backwards.", "-".join(reversed(word))) for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="folder with SmolLM2-135M-Instruct")
    parser.add_argument("out", type=Path, help="folder that receives trained/ and pool-SEED/")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train_decoys(args.base, args.out / "trained")
    made = make_pool(args.out / "trained", args.out / f"pool-{args.seed}", args.seed)
    print(json.dumps(sorted(place.name for place in made.iterdir())))


if __name__ == "__main__":
    main()
