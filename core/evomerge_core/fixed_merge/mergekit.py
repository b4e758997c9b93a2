"""mergekit's `mergekit_config.yml`, read and written (its format as of mergekit 0.1.5).

What isn't supported is refused with its line, and what mergekit passes over is told (`notices_in`), never ignored. The seed of
random masks, which mergekit has no key for, stands in a comment at the top: `# evomerge: {version: 1, seed: 0}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import Location, YamlFile, dump_yaml
from evomerge_core.fixed_merge.reading.child_settings import chat_template_in, dtypes_in, seed_comment, seed_in, tokenizer_in
from evomerge_core.fixed_merge.reading.model_references import with_text_references
from evomerge_core.fixed_merge.reading.one_module import without_modules
from evomerge_core.fixed_merge.reading.parameters import read_parameters, write_parameters
from evomerge_core.fixed_merge.reading.passed_over import without_passed_over
from evomerge_core.fixed_merge.reading.token_rows import padding_in, token_rows_in, written_token_row
from evomerge_core.fixed_merge.reading.typed_values import list_at, require_mapping, text_at
from evomerge_core.merging.config import MergeConfig, Parameters, Slice, SliceSource
from evomerge_core.methods.method import Method
from evomerge_core.methods.registry import get_method

_TOP_KEYS = (
    "name",
    "merge_method",
    "base_model",
    "models",
    "slices",
    "parameters",
    "dtype",
    "out_dtype",
    "tokenizer_source",
    "tokenizer",
    "chat_template",
)
_REFUSED = {
    "evomerge": "makes this a recipe, not a mergekit configuration; run it with 'evomerge-tui run'",
    "genome": "makes this a mergekit-evolve file, not a merge; run it with 'evomerge-tui run'",
    "merge_method": "has no effect in a slice; the whole merge has one method, at the top: split the merge in two",
    "residual_weight": "isn't supported; remove it",
    "layer_range": "has no effect under 'models'; use 'slices'",
    "lora": "has no effect here, in mergekit neither; write MODEL+ADAPTER",
}


def merge_in(file: YamlFile) -> MergeConfig:
    """The merge that a mergekit configuration means; models stay as written. InputError in one line when it's not right."""
    file, _ = without_passed_over(in_plain_words(file))
    file.require_keys((), _TOP_KEYS, _REFUSED)
    method = _method(file)
    base = text_at(file, ("base_model",))
    slices = _slices(file, method, base)
    models = [*([base] if base is not None else []), *(source.model for part in slices for source in part.sources)]
    return MergeConfig(
        method=method.name,
        slices=slices,
        base=base,
        parameters=read_parameters(file, ("parameters",), method, of_source=False),
        tokenizer=tokenizer_in(file),
        tokenizer_named=any(file.data.get(key) is not None for key in ("tokenizer_source", "tokenizer")),
        chat_template=chat_template_in(file, models),
        seed=seed_in(file),
        tokens=token_rows_in(file, models),
        pad_to_multiple_of=padding_in(file),
        **dtypes_in(file),
    )


def notices_in(file: YamlFile) -> tuple[str, ...]:
    """A line about each thing in a file that `merge_in` takes that the merge passes over."""
    return without_passed_over(in_plain_words(file))[1]


def in_plain_words(file: YamlFile) -> YamlFile:
    """The file with every model named by text and its models or slices at the top."""
    return with_text_references(without_modules(file))


def write_mergekit(config: MergeConfig) -> str:
    """YAML that mergekit accepts and that `merge_in` reads back to an equal configuration.

    ValueError when mergekit has no way to say it: a slice with a method of its own, slices without layers.
    """
    data = written_models(config)
    data["dtype"] = config.dtype
    data["out_dtype"] = config.out_dtype
    data.update(_written_tokenizer(config))
    if config.chat_template is not None:
        data["chat_template"] = config.chat_template
    return f"{seed_comment(config.seed)}\n{dump_yaml(data)}"


def written_models(config: MergeConfig) -> dict[str, Any]:
    """What is merged and how, as YAML data in mergekit's words. ValueError as `write_mergekit`."""
    data: dict[str, Any] = {"merge_method": config.method}
    if config.base is not None:
        data["base_model"] = config.base
    data.update(_written_slices(config))
    if config.parameters:
        data["parameters"] = write_parameters(config.parameters)
    return data


def _written_tokenizer(config: MergeConfig) -> dict[str, Any]:
    if not config.tokens and config.pad_to_multiple_of is None:
        return {"tokenizer_source": config.tokenizer}
    tokenizer: dict[str, Any] = {"source": config.tokenizer}
    if config.tokens:
        tokenizer["tokens"] = {token: written_token_row(row) for token, row in config.tokens.items()}
    if config.pad_to_multiple_of is not None:
        tokenizer["pad_to_multiple_of"] = config.pad_to_multiple_of
    return {"tokenizer": tokenizer}


def _method(file: YamlFile) -> Method:
    name = text_at(file, ("merge_method",))
    if name is None:
        raise file.error((), "key 'merge_method' is missing", "say how to merge, for example task_arithmetic")
    try:
        return get_method(name)
    except InputError as error:
        raise file.error(("merge_method",), error.fault, error.remedy) from error


def _slices(file: YamlFile, method: Method, base: str | None) -> tuple[Slice, ...]:
    if ("models" in file.data) == ("slices" in file.data):
        problem, remedy = ("exclude each other", "keep one") if "models" in file.data else ("are both missing", "add one")
        raise file.error(("slices",), f"keys 'models' and 'slices' {problem}", remedy)
    if "models" in file.data:
        return (_whole_models(file, method, base),)
    count = len(list_at(file, ("slices",)))
    return tuple(_slice(file, ("slices", index), method, base) for index in range(count))


def _whole_models(file: YamlFile, method: Method, base: str | None) -> Slice:
    place: Location = ("models",)
    sources = [_source(file, (*place, index), method, ("model", "parameters")) for index in range(len(list_at(file, place)))]
    if base is not None and not method.takes_base and all(source.model != base for source in sources):
        # As in mergekit: a method that compares with no base merges it like the others.
        sources.append(SliceSource(base))
    found = Slice(tuple(sources))
    _check_sources(file, place, method, base, found)
    return found


def _slice(file: YamlFile, location: Location, method: Method, base: str | None) -> Slice:
    require_mapping(file, location)
    file.require_keys(location, ("sources", "base_model", "parameters"), _REFUSED)
    place = (*location, "sources")
    keys = ("model", "layer_range", "parameters")
    sources = tuple(_source(file, (*place, index), method, keys) for index in range(len(list_at(file, place))))
    own_base = text_at(file, (*location, "base_model"))
    found = Slice(sources, read_parameters(file, (*location, "parameters"), method, of_source=False), base=own_base)
    _check_layers(file, place, sources)
    slice_base = own_base or base
    if method.takes_base and slice_base is not None and all(source.model != slice_base for source in sources):
        raise file.error(place, f"the base '{slice_base}' is missing among the sources", "list it with its layer_range")
    _check_sources(file, place, method, slice_base, found)
    return found


def _source(file: YamlFile, location: Location, method: Method, keys: tuple[str, ...]) -> SliceSource:
    require_mapping(file, location)
    file.require_keys(location, keys, _REFUSED)
    model = text_at(file, (*location, "model"))
    if model is None:
        raise file.key_error(location, "lacks 'model': a folder or owner/name, with +adapter if any")
    layers = _layers(file, (*location, "layer_range")) if "layer_range" in keys else None
    return SliceSource(model, layers, read_parameters(file, (*location, "parameters"), method, of_source=True))


def _layers(file: YamlFile, location: Location) -> tuple[int, int]:
    data = file.value(location)
    if not isinstance(data, list) or [type(layer) for layer in data] != [int, int] or not 0 <= data[0] < data[1]:
        raise file.key_error(location, "must be two layers, [first, one after the last], such as [0, 8]")
    return data[0], data[1]


def _check_layers(file: YamlFile, location: Location, sources: tuple[SliceSource, ...]) -> None:
    counts = [source.layers[1] - source.layers[0] for source in sources if source.layers]
    for index, count in enumerate(counts):
        if count != counts[0]:
            place = (*location, index, "layer_range")
            raise file.key_error(place, f"has {count} layers, the first source {counts[0]}", "make them equal")


def _check_sources(file: YamlFile, location: Location, method: Method, base: str | None, found: Slice) -> None:
    models = [source.model for source in found.sources]
    others = 0
    for index, source in enumerate(found.sources):
        place = (*location, index)
        if source.model in models[:index]:
            raise file.error(place, f"the model '{source.model}' is listed twice", "keep one")
        if not (method.takes_base and source.model == base):
            others += 1
            _check_required(file, place, method, source, found.parameters)
    try:
        method.require_sources(others, base is not None)
    except InputError as error:
        raise file.error(location, error.fault, error.remedy) from error


def _check_required(file: YamlFile, location: Location, method: Method, source: SliceSource, of_slice: Parameters) -> None:
    stated = file.value(("parameters",))
    top = stated if isinstance(stated, Mapping) else {}
    for parameter in method.parameters.values():
        if parameter.required and not any(parameter.name in place for place in (source.parameters, of_slice, top)):
            problem = f"{method.name} needs the parameter '{parameter.name}' for the model '{source.model}'"
            raise file.error(location, problem, "add it")


def _written_slices(config: MergeConfig) -> dict[str, Any]:
    if any(part.method is not None for part in config.slices):
        raise ValueError("mergekit has no slices with a method of their own")
    layers = [source.layers for part in config.slices for source in part.sources]
    if None not in layers:
        return {"slices": [_written_slice(part) for part in config.slices]}
    only = config.slices[0]
    if len(config.slices) > 1 or any(layers) or only.parameters or only.base is not None:
        raise ValueError("mergekit's slices need the layers of every source")
    return {"models": [_written_source(source) for source in only.sources]}


def _written_slice(part: Slice) -> dict[str, Any]:
    data: dict[str, Any] = {"sources": [_written_source(source) for source in part.sources]}
    if part.base is not None:
        data["base_model"] = part.base
    if part.parameters:
        data["parameters"] = write_parameters(part.parameters)
    return data


def _written_source(source: SliceSource) -> dict[str, Any]:
    data: dict[str, Any] = {"model": source.model}
    if source.layers is not None:
        data["layer_range"] = list(source.layers)
    if source.parameters:
        data["parameters"] = write_parameters(source.parameters)
    return data
