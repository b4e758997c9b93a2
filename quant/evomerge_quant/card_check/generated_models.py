"""Random models of a chosen size, written in a moment: a base, and fine-tunes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from evomerge_quant.planning.card_sizes.model_sizes import ModelSize, shapes_of

FINE_TUNES = ("first", "second")
_NUMBERS = 1 << 22
_STEP = 40_009
_DEVIATION, _CHANGE = 0.02, 0.002


def write_models(folder: Path, size: ModelSize) -> tuple[Path, ...]:
    """Writes the base and its fine-tunes in bfloat16, a file for each layer; gives their folders, the base's first."""
    shapes = shapes_of(size)
    numbers = torch.randn(_NUMBERS, generator=torch.Generator().manual_seed(7)) * _DEVIATION
    places = [folder / name for name in ("base", *FINE_TUNES)]
    for seed, place in enumerate(places):
        place.mkdir(parents=True)
        _write_weights(place, shapes, numbers, seed)
        size.config().save_pretrained(place)
        _write_tokenizer(place, size.words)
    return tuple(places)


def _write_weights(place: Path, shapes: Mapping[str, tuple[int, ...]], numbers: Tensor, seed: int) -> None:
    files: dict[str, dict[str, Tensor]] = {}
    index: dict[str, str] = {}
    for number, (name, shape) in enumerate(shapes.items()):
        layer = next((part for part in name.split(".") if part.isdigit()), "rest")
        file = f"model-{layer}.safetensors"
        index[name] = file
        files.setdefault(file, {})[name] = _tensor(numbers, shape, number, seed)
        if len(files) > 2:  # a layer that is complete
            done = next(other for other in files if other not in (file, "model-rest.safetensors"))
            save_file(files.pop(done), place / done, metadata={"format": "pt"})
    for file, tensors in files.items():
        save_file(tensors, place / file, metadata={"format": "pt"})
    text = json.dumps({"metadata": {}, "weight_map": index})
    (place / "model.safetensors.index.json").write_text(text, encoding="utf-8")


def _tensor(numbers: Tensor, shape: tuple[int, ...], number: int, seed: int) -> Tensor:
    """Numbers from one pool, from another place for each tensor: drawn anew they would take minutes."""
    count = torch.Size(shape).numel()
    values = _from_pool(numbers, number * _STEP, count)
    if len(shape) == 1:
        return torch.ones(shape, dtype=torch.bfloat16)
    if seed:
        values = values + _CHANGE / _DEVIATION * _from_pool(numbers, (number + seed * 1009) * _STEP, count)
    return values.to(torch.bfloat16).reshape(shape)


def _from_pool(numbers: Tensor, start: int, count: int) -> Tensor:
    pool = numbers.roll(-(start % _NUMBERS))
    return pool.repeat(-(-count // _NUMBERS))[:count]


def _write_tokenizer(place: Path, words: int) -> None:
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(words)}, unk_token="w2"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(place / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w1", "pad_token": "w1"}
    (place / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def texts(count: int, words: int, most: int) -> Iterator[str]:
    """Prompts of so many words of the vocabulary, all different."""
    for number in range(count):
        yield " ".join(f"w{(37 * number + 11 * place) % (most - 10) + 10}" for place in range(words))
