"""Preflight of a judge of taste: whether it can be asked here, before the run begins and asks it after hours."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import check_template
from evomerge_core.limited.limited_process import Refused
from evomerge_core.recipe.schema import Recipe
from evomerge_quant.gguf_head import read_head
from evomerge_quant.planning.check import PreflightCheck, ok, problem, refused, warning
from evomerge_quant.planning.machine.capacity import Capacity

_TEMPLATE = "tokenizer.chat_template"
_SUBJECT = "Judge"
# Beside its file: keys, values and what it works in.
_BESIDE = 500_000_000


def judge_checks(recipe: Recipe, capacity: Capacity, ram: int) -> Iterator[PreflightCheck]:
    """Whether llama.cpp is installed, the file has a chat template and fits into what is free beside the candidates' `ram`
    bytes; nothing where people vote. `recipe` has absolute paths."""
    if recipe.taste is None or recipe.taste.judge is None:
        return
    path = Path(recipe.taste.judge)
    if find_spec("llama_cpp") is None:
        yield problem(_SUBJECT, "needs llama-cpp-python, which isn't installed", "`evomerge-tui doctor` says how to install it")
        return
    try:
        _require_template(path)
        size = path.stat().st_size + _BESIDE
    except InputError as error:
        yield refused(_SUBJECT, error)
        return
    except OSError as error:
        yield problem(_SUBJECT, f"{path} can't be read ({error.strerror})", "name a GGUF file")
        return
    found = f"{path.name} takes {size / 1e9:.1f} GB of RAM beside {ram / 1e9:.1f} GB of the candidates"
    if size + ram > capacity.ram_free:
        remedy = "choose a smaller judge or close other programs"
        yield warning(_SUBJECT, f"{found}; {capacity.ram_free / 1e9:.1f} GB are free", remedy)
    else:
        yield ok(_SUBJECT, found)


def _require_template(path: Path) -> None:
    template = read_head(path, (_TEMPLATE,), remedy="name another").get(_TEMPLATE)
    if not isinstance(template, str) or not template.strip():
        raise InputError("has no chat template, so that it can't be asked", where=path, remedy="name a GGUF of a chat model")
    try:
        check_template(template)
    except Refused as reason:
        raise InputError(f"its chat template is broken ({reason})", where=path, remedy="name another") from None
