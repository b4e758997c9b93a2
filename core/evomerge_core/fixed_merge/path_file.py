"""A path through the layers of models, as a small YAML file that makes its child again, byte for byte.

```yaml
evomerge_path: 1
models:
  A: owner/model                    # a model as it is, or a merge in mergekit's words:
  B: {merge_method: task_arithmetic, base_model: ..., models: [...]}
path:
  - {model: A, layers: [0, 4]}      # [first, one after the last], as in mergekit
  - {model: B, layers: [3, 4], scale: 0.9}
dtype: float32
out_dtype: bfloat16
seed: 0
tokenizer_source: owner/model       # left out: that of the path's first model
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from evomerge_core.files.yaml_file import Location, YamlFile, dump_yaml
from evomerge_core.fixed_merge.mergekit import merge_in, written_models
from evomerge_core.merging.config import DType, MergeConfig, Slice, SliceSource
from evomerge_core.paths.path import Hop, Path
from evomerge_core.paths.path_merge import PathMerge

VERSION = 1
MARK = "evomerge_path"
_KEYS = (MARK, "models", "path", "dtype", "out_dtype", "seed", "tokenizer_source", "chat_template")
# The deepest models have a few hundred.
_MOST_LAYERS = 10_000
_OF_THE_PATH = ("dtype", "out_dtype", "tokenizer_source", "tokenizer", "chat_template")


def path_in(file: YamlFile) -> PathMerge:
    """The path that a file describes; InputError in one line when it's not right."""
    if file.data[MARK] != VERSION:
        raise file.key_error((MARK,), f"must be {VERSION}, not {file.data[MARK]!r}")
    file.require_keys((), _KEYS)
    models = file.value(("models",))
    if not isinstance(models, Mapping) or not models:
        raise file.key_error(("models",), "must map a letter to each model")
    dtype, out_dtype = _dtype(file, "dtype", "float32"), _dtype(file, "out_dtype", "bfloat16")
    seed = _whole(file, ("seed",), file.data.get("seed", 0))
    members = {name: replace(_member(file, name), seed=seed, dtype=dtype, out_dtype=out_dtype) for name in models}
    return PathMerge(
        members=tuple(members.values()),
        path=Path(tuple(_hops(file, list(members)))),
        seed=seed,
        tokenizer=_text(file, "tokenizer_source"),
        chat_template=_text(file, "chat_template"),
    )


def write_path_file(child: PathMerge) -> str:
    """YAML that `path_in` reads back to an equal child; ValueError for a member that mergekit has no words for."""
    letters = [chr(ord("A") + index) if index < 26 else f"M{index}" for index in range(len(child.members))]
    first = child.members[0]
    data: dict[str, Any] = {
        MARK: VERSION,
        "models": {letter: _written_member(config) for letter, config in zip(letters, child.members, strict=True)},
        "path": [_written_hops(letters, hops) for hops in straight_runs(child.path)],
        "dtype": first.dtype,
        "out_dtype": first.out_dtype,
        "seed": child.seed,
    }
    for key, value in (("tokenizer_source", child.tokenizer), ("chat_template", child.chat_template)):
        if value is not None:
            data[key] = value
    return dump_yaml(data)


def straight_runs(path: Path) -> list[list[Hop]]:
    """The hops in runs through consecutive layers of one member; a scaled hop is a run of its own."""
    runs: list[list[Hop]] = []
    for hop in path.hops:
        last = runs[-1][-1] if runs else None
        follows = last is not None and (last.source, last.layer + 1) == (hop.source, hop.layer)
        if follows and last is not None and last.scale == hop.scale == 1.0:
            runs[-1].append(hop)
        else:
            runs.append([hop])
    return runs


def one_model(config: MergeConfig) -> str | None:
    """The reference of a member that is one model as it is; None for a merge."""
    if config.method != "passthrough" or len(config.slices) != 1 or config.parameters or config.slices[0].parameters:
        return None
    sources = config.slices[0].sources
    plain = len(sources) == 1 and sources[0].layers is None and not sources[0].parameters
    return sources[0].model if plain else None


def _written_member(config: MergeConfig) -> Any:
    reference = one_model(config)
    return written_models(config) if reference is None else reference


def _written_hops(letters: list[str], hops: list[Hop]) -> dict[str, Any]:
    written: dict[str, Any] = {"model": letters[hops[0].source], "layers": [hops[0].layer, hops[-1].layer + 1]}
    return written if hops[0].scale == 1.0 else {**written, "scale": hops[0].scale}


def _member(file: YamlFile, name: str) -> MergeConfig:
    place: Location = ("models", name)
    value = file.value(place)
    if isinstance(value, str) and value:
        return MergeConfig("passthrough", (Slice((SliceSource(value),)),))
    if not isinstance(value, Mapping):
        raise file.key_error(place, "must be a model's folder or hub id, or a merge in mergekit's words")
    for key in _OF_THE_PATH:
        if key in value:
            raise file.key_error((*place, key), "has no effect on one model of a path", "give it at the top of the file")
    lines = {location[2:]: line for location, line in file.lines.items() if location[:2] == place}
    return merge_in(YamlFile(file.path, "", value, lines))


def _hops(file: YamlFile, names: list[str]) -> Iterator[Hop]:
    entries = file.value(("path",))
    if not isinstance(entries, list) or not entries:
        raise file.key_error(("path",), "must be a list of {model: A, layers: [first, one after the last]}")
    for index, entry in enumerate(entries):
        place: Location = ("path", index)
        if not isinstance(entry, Mapping):
            raise file.key_error(place, "must be like {model: A, layers: [0, 4]}")
        file.require_keys(place, ("model", "layers", "scale"))
        if entry.get("model") not in names:
            raise file.key_error((*place, "model"), f"must be one of {', '.join(names)}, not {entry.get('model')!r}")
        first, end = _layers(file, (*place, "layers"))
        scale = _scale(file, (*place, "scale"), end - first)
        if end - first > _MOST_LAYERS or index >= _MOST_LAYERS:
            raise file.key_error((*place, "layers"), f"makes a path of more than {_MOST_LAYERS:,} layers", "give fewer")
        yield from (Hop(names.index(entry["model"]), layer, scale) for layer in range(first, end))


def _layers(file: YamlFile, location: Location) -> tuple[int, int]:
    data = file.value(location)
    if not isinstance(data, list) or [type(layer) for layer in data] != [int, int] or not 0 <= data[0] < data[1]:
        raise file.key_error(location, "must be two layers, [first, one after the last], such as [0, 8]")
    return data[0], data[1]


def _scale(file: YamlFile, location: Location, layers: int) -> float:
    value = file.value(location)
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise file.key_error(location, f"must be a number above 0, not {value!r}")
    if layers > 1:
        raise file.key_error(location, "is for one layer", "give each scaled layer an entry of its own")
    return float(value)


def _dtype(file: YamlFile, key: str, default: DType) -> DType:
    name = file.data.get(key, default)
    if name not in get_args(DType):
        raise file.key_error((key,), f"must be one of {', '.join(get_args(DType))}, not {name!r}")
    return cast(DType, name)


def _whole(file: YamlFile, location: Location, value: object) -> int:
    if type(value) is not int or value < 0:
        raise file.key_error(location, f"must be a whole number from 0, not {value!r}")
    return value


def _text(file: YamlFile, key: str) -> str | None:
    value = file.data.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise file.key_error((key,), "must be text")
    return value
