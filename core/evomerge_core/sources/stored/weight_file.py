"""One file of weights: safetensors mapped into memory, or a pickle where that is allowed."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from evomerge_core.errors import InputError, MissingFile

DTYPES: Mapping[str, torch.dtype] = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
# A hundred thousand tensors, which the largest mixtures of experts have, take 11 MB.
_LONGEST_HEADER = 16_000_000
_LONGEST_NAME = 500
BUFFER_DTYPES: Mapping[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I32": torch.int32,
    "I64": torch.int64,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


@dataclass(frozen=True)
class TensorFacts:
    """A stored tensor's shape and dtype; the dtype is spelled as in safetensors (`BF16`, `F32`)."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class WeightFile:
    """An open file of tensors. `read` maps a tensor and copies nothing; the tensor must not be written to."""

    path: Path
    facts: Mapping[str, TensorFacts]
    read: Callable[[str], Tensor]


def open_weights(path: Path, *, allow_pickle: bool) -> WeightFile:
    """Opens a `.safetensors` file, or a pickle where that is allowed.

    Raises InputError for a file that is missing, damaged or cut short, and for a pickle that isn't allowed.
    """
    if path.suffix == ".safetensors":
        return _open_safetensors(path)
    if not allow_pickle:
        raise InputError(
            "a pickle can run code when it is opened",
            where=path,
            remedy="convert the model to safetensors, or allow pickles explicitly",
        )
    return _open_pickle(path)


def with_name(file: WeightFile, stored: str, name: str) -> WeightFile:
    """The same file with the tensor `stored` under another name; the file itself where it doesn't hold it."""
    if stored not in file.facts:
        return file
    facts = {name if key == stored else key: value for key, value in file.facts.items()}
    return replace(file, facts=facts, read=lambda key: file.read(stored if key == name else key))


def with_names(file: WeightFile, stored: Mapping[str, str]) -> WeightFile:
    """A part of the file under other names: `stored` maps each new name to the tensor's own."""
    facts = {name: file.facts[own] for name, own in stored.items()}
    return WeightFile(file.path, facts, lambda name: file.read(stored[name]))


def _open_safetensors(path: Path) -> WeightFile:
    try:
        _refuse_huge_header(path)
        handle: Any = safe_open(path, framework="pt")
        names = handle.offset_keys()
        _refuse_long_name(path, names)
        facts = {name: _facts(handle.get_slice(name)) for name in names}
    except FileNotFoundError:
        raise MissingFile("no such file", where=path, remedy="download or copy the model again") from None
    except SafetensorError as error:
        raise InputError(_damage(path, error), where=path, remedy="download or copy it again") from None
    except OSError as error:
        raise InputError(f"can't be read ({error})", where=path, remedy="check the file's permissions") from None
    return WeightFile(path, facts, handle.get_tensor)


def _refuse_huge_header(path: Path) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    # A length beyond the file is a damage, about which the library knows more.
    if _LONGEST_HEADER < length <= path.stat().st_size:
        problem = f"its header has {length // 1_000_000:,} MB, which is more than any model's list of tensors"
        raise InputError(problem, where=path, remedy="download or copy it again")


def _refuse_long_name(path: Path, names: Iterable[str]) -> None:
    long = next((name for name in names if len(name) > _LONGEST_NAME), None)
    if long is not None:
        problem = f"a tensor's name has {len(long):,} characters, where {_LONGEST_NAME} are read ({long[:40]!r}...)"
        raise InputError(problem, where=path, remedy="save the model again with transformers")


def _facts(view: Any) -> TensorFacts:
    return TensorFacts(tuple(view.get_shape()), view.get_dtype())


def _damage(path: Path, error: SafetensorError) -> str:
    cut = _first_cut_tensor(path)
    if cut is not None:
        return f"the file is cut short, at tensor {cut}"
    return f"not a complete safetensors file ({error})"


def _first_cut_tensor(path: Path) -> str | None:
    """The first tensor whose bytes the file no longer holds; None when the header itself can't be read."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size - 8 - length
            if size < 0:
                return None
            header = json.loads(file.read(length))
            ends = sorted((facts["data_offsets"][1], name) for name, facts in header.items() if name != "__metadata__")
            return next((name for end, name in ends if end > size), None)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None


def _open_pickle(path: Path) -> WeightFile:
    try:
        # Files older than torch 1.6 aren't zip archives and can't be mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError:
        raise MissingFile("no such file", where=path, remedy="download or copy the model again") from None
    except pickle.UnpicklingError:
        raise InputError(
            "holds more than tensors", where=path, remedy="convert the model to safetensors where you trust it"
        ) from None
    except (RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise InputError(f"not a complete checkpoint ({reason})", where=path, remedy="download or copy it again") from None
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise InputError("holds more than named tensors", where=path, remedy="convert the model to safetensors")
    spelling = {dtype: name for name, dtype in {**DTYPES, **BUFFER_DTYPES}.items()}
    facts = {
        name: TensorFacts(tuple(tensor.shape), spelling.get(tensor.dtype, str(tensor.dtype))) for name, tensor in state.items()
    }
    return WeightFile(path, facts, lambda name: state[name].detach().contiguous())
