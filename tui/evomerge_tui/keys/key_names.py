"""Keys as a person reads them."""

from __future__ import annotations

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
