"""How mergekit's files name a model: as text, `MODEL@REVISION+ADAPTER`, or as a mapping of these parts.

```yaml
base_model: {model: {path: owner/name, revision: v2}, lora: {path: owner/adapter}}   # owner/name@v2+owner/adapter
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evomerge_core.files.yaml_file import Location, YamlFile
from evomerge_core.fixed_merge.reading.token_rows import token_model_places
from evomerge_core.fixed_merge.reading.typed_values import text_at
from evomerge_core.sources.resolve import HUB_ID

_REFUSED = {"override_architecture": "isn't supported; remove it: a model's architecture is that of its config.json"}
_FORM = "must be text, MODEL or MODEL+ADAPTER, or a mapping like {model: {path: MODEL, revision: v2}, lora: {path: ADAPTER}}"


def with_text_references(file: YamlFile) -> YamlFile:
    """The file with every model named by text; InputError for a mapping that doesn't name one."""
    for location in reference_places(file):
        if isinstance(file.value(location), Mapping):
            file = file.with_value(location, _reference(file, location))
    for entry in [place[:-1] for place in reference_places(file) if place[-1] == "model"]:
        if isinstance(file.value(entry), Mapping) and "revision" in file.value(entry):
            file = _with_own_revision(file, entry)
    return file


def reference_places(file: YamlFile) -> Iterator[Location]:
    """Every place of a merge's file where a model is named, or would be if the file were right."""
    yield from (("base_model",), ("tokenizer_source",), ("tokenizer", "source"))
    yield from token_model_places(file)
    yield from ((*entry, "model") for entry in _entries(file, ("models",)))
    for part in _entries(file, ("slices",)):
        yield (*part, "base_model")
        yield from ((*entry, "model") for entry in _entries(file, (*part, "sources")))


def _entries(file: YamlFile, location: Location) -> Iterator[Location]:
    listed = file.value(location)
    yield from ((*location, index) for index in range(len(listed) if isinstance(listed, list) else 0))


def _with_own_revision(file: YamlFile, entry: Location) -> YamlFile:
    """The revision beside a model, which published files have and mergekit doesn't read, is the model's."""
    place = (*entry, "revision")
    model, revision = text_at(file, (*entry, "model")), text_at(file, place)
    if model is not None and revision is not None:
        path, plus, adapter = model.partition("+")
        _require_hub_id(file, place, path, revision)
        file = file.with_value((*entry, "model"), f"{path}@{revision}{plus}{adapter}")
    return file.with_value(entry, {key: value for key, value in file.value(entry).items() if key != "revision"})


def _require_hub_id(file: YamlFile, location: Location, path: str, revision: str) -> None:
    if "@" in path or HUB_ID.fullmatch(f"{path}@{revision}") is None:
        raise file.key_error(location, f"is for models of the hub (owner/name), not for {path!r}", "remove it")


def _reference(file: YamlFile, location: Location) -> str:
    # A model's path alone, {path: ..., revision: ...}, can mean nothing else.
    if "path" in file.value(location):
        return _path(file, location)
    file = file.with_value(location, _given(file.value(location)))
    file.require_keys(location, ("model", "lora"), _REFUSED)
    if "model" not in file.value(location):
        raise file.key_error(location, _FORM)
    parts = [_path(file, (*location, key)) for key in ("model", "lora") if key in file.value(location)]
    return "+".join(parts)


def _path(file: YamlFile, location: Location) -> str:
    value = file.value(location)
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, Mapping) or "path" not in value:
        raise file.key_error(location, _FORM)
    file = file.with_value(location, _given(value))
    file.require_keys(location, ("path", "revision"))
    path, revision = text_at(file, (*location, "path")), text_at(file, (*location, "revision"))
    if path is None:
        raise file.key_error(location, _FORM)
    if revision is None:
        return path
    _require_hub_id(file, (*location, "revision"), path, revision)
    return f"{path}@{revision}"


def _given(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys that mergekit writes as null where there is nothing to say."""
    return {key: one for key, one in value.items() if one is not None}
