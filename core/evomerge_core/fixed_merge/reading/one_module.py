"""Merges that name the one module of a language model, as mergekit's own copies of configurations do.

```yaml
modules:
  default:
    slices: [...]       # or models, and parameters; the same at the top of the file means the same
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evomerge_core.files.yaml_file import Location, YamlFile

_PLACE: Location = ("modules", "default")
_KEYS = ("slices", "models", "parameters")


def without_modules(file: YamlFile) -> YamlFile:
    """The file with the keys of its only module at the top; InputError for other modules, and for keys that stand twice."""
    if "modules" not in file.data:
        return file
    modules = file.data["modules"]
    if not isinstance(modules, Mapping) or list(modules) != ["default"] or not isinstance(modules["default"], Mapping):
        remedy = "several modules are unsupported: move the language model's keys to the top"
        raise file.key_error(("modules",), "must hold one module, 'default', with its models or slices", remedy)
    file.require_keys(_PLACE, _KEYS)
    for key in ("slices", "models"):
        if key in file.data:
            raise file.key_error(("modules",), f"can't stand beside '{key}'", "keep one")
    own, shared = modules["default"], file.data.get("parameters")
    if own.get("parameters") and shared:
        raise file.key_error((*_PLACE, "parameters"), "can't stand beside the parameters at the top", "move them there")
    data = {key: value for key, value in file.data.items() if key != "modules"}
    data |= {key: value for key, value in own.items() if value is not None}
    lines = {place[2:] if place[:2] == _PLACE else place: line for place, line in file.lines.items()}
    return replace(file, data=data, lines={**lines, (): file.lines[()]})
