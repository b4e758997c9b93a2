"""A JSON object from a user's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError, MissingFile
from evomerge_core.files.bounded import read_bounded, require_few_values


def read_json(path: Path) -> dict[str, Any]:
    """The object that the file holds; raises InputError when it can't be read, parsed, or is no object."""
    try:
        data = read_bounded(path, remedy="download or copy it again")
        require_few_values(path, data, remedy="download or copy it again")
        value = json.loads(data.decode("utf-8"))
    except FileNotFoundError:
        raise MissingFile("no such file", where=path, remedy="download or copy the model again") from None
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=path, remedy="download or copy it again") from None
    except RecursionError:
        raise InputError("lists and objects are nested too deeply", where=path, remedy="download or copy it again") from None
    if not isinstance(value, dict):
        raise InputError("isn't a JSON object", where=path, remedy="download or copy it again")
    return value
