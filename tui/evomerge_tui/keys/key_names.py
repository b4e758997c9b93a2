"""Keys as a person reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evomerge_tui.keys.actions import ACTIONS

_ACTION = re.compile("|".join(re.escape(f"{{{action.id}}}") for action in ACTIONS))
_NAMES = {
    "question_mark": "?", "comma": ",", "exclamation_mark": "!", "slash": "/", "plus": "+", "minus": "-", "escape": "esc",
    "right_square_bracket": "]", "left_square_bracket": "[", "delete": "del", "pageup": "page up", "pagedown": "page down",
}  # fmt: skip


def key_name(key: str) -> str:
    """`^p` for ctrl+p, `?` for question_mark."""
    return _NAMES.get(key, key.replace("ctrl+", "^"))


def key_names(keys: str) -> str:
    """Several keys, given with commas between them."""
    return " ".join(key_name(key) for key in keys.split(","))


def with_keys(text: str, keys: Mapping[str, str]) -> str:
    """A text with the key that each action has where its id stands in braces, as in `press {goal.add}`: that of the settings'
    `keys` or its own, the first where it has several."""
    own = {f"{{{action.id}}}": keys.get(action.id, action.key) for action in ACTIONS}
    return _ACTION.sub(lambda found: key_name(own[found.group()].split(",")[0].strip()), text)
