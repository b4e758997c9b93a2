"""What stands for the evaluator in tests asks one candidate at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def each(ask: Callable[..., object]) -> Callable[..., None]:
    """What takes candidates one after the other, as they can be asked, of what takes one."""

    def ask_all(candidates: Iterable[Any], *words: Any) -> None:
        for candidate in candidates:
            ask(candidate, *words)

    return ask_all
