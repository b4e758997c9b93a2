"""The environment of processes that have no business with the hub's token."""

from __future__ import annotations

import os
import re

# What a token of the hub is called, by the hub's library in its versions and by others: HF_TOKEN, HUGGINGFACEHUB_API_TOKEN.
_TOKEN = re.compile(r"(HF|HUGGING_?FACE(_?HUB)?)_(.*_)?(TOKEN|KEY)S?", re.IGNORECASE)


def without_token() -> dict[str, str]:
    """This process's environment without the hub's token; the hub's library doesn't look for it in the home folder either."""
    kept = {name: value for name, value in os.environ.items() if _TOKEN.fullmatch(name) is None}
    return {**kept, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
