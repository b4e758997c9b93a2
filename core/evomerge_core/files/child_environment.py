"""The environment of processes that have no business with the hub's token."""

from __future__ import annotations

import os

# The names under which the hub's library, in its versions, finds a token.
_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_TOKEN", "HF_API_TOKEN"})


def without_token() -> dict[str, str]:
    """This process's environment without the hub's token; the hub's library doesn't look for it in the home folder either."""
    kept = {name: value for name, value in os.environ.items() if name.upper() not in _TOKENS}
    return {**kept, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
