"""Keys that two actions would have at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from evomerge_tui.keys.actions import ACTIONS, Action, actions_of

# What is there together besides the whole app's and every page's actions: a screen, its present step, what has the focus.
_TOGETHER: tuple[tuple[str, ...], ...] = (
    ("home", "table"),
    ("dashboard", "table", "plot"),
    ("candidate", "table"),
    ("archive", "table"),
    ("comparison", "table", "plot"),
    ("mattered", "table", "plot"),
    ("new_run", "models", "table"),
    ("new_run", "goal", "table"),
    ("new_run", "search"),
    ("new_run", "review"),
    ("export", "table"),
    ("settings", "table"),
    ("doctor", "table"),
)


def clash(keys: Mapping[str, str]) -> tuple[Action, Action, str] | None:
    """The first two actions that have a key in common where both are there, and the key; the one that `keys` changes comes
    first. `keys` maps ids to keys, with commas between several. What shares a key by default does so on purpose, as esc does.
    """
    for first, second in _pairs():
        if first.id in keys or second.id in keys:
            shared = _keys(first, keys) & _keys(second, keys) - (_keys(first, {}) & _keys(second, {}))
            if shared:
                pair = (first, second) if first.id in keys else (second, first)
                return (*pair, min(shared))
    return None


def _pairs() -> Iterator[tuple[Action, Action]]:
    scopes = {action.scope for action in ACTIONS} - {"app", "page"}
    alone = {(scope,) for scope in scopes if not any(scope in group for group in _TOGETHER)}
    for group in (*_TOGETHER, *sorted(alone)):
        yield from combinations(actions_of("app", "page", *group), 2)


def _keys(action: Action, keys: Mapping[str, str]) -> set[str]:
    return {key.strip() for key in keys.get(action.id, action.key).split(",") if key.strip()}
