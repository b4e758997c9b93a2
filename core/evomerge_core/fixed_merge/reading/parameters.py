"""The `parameters` blocks of a mergekit configuration: numbers, gradients, and lists of them by tensor name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import Location, YamlFile
from evomerge_core.merging.config import Parameters, Scalar, Setting
from evomerge_core.methods.method import Method, Parameter


def read_parameters(file: YamlFile, location: Location, method: Method, *, of_source: bool) -> Parameters:
    """The parameters at a place; a source can only have those that the method takes per source."""
    data = file.value(location)
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise file.key_error(location, "must be a mapping of parameters to values")
    settings = {}
    for name in data:
        place = (*location, name)
        if name == "int8_mask":
            # It only saves memory in mergekit, which takes it anywhere; the result is the same.
            _require_flag(file, place)
            continue
        parameter = _parameter(file, place, method)
        if of_source and not parameter.per_source:
            raise file.error(place, f"{name} is the same for all models", "move it to the parameters at the top of the file")
        settings[name] = _settings(file, place, method, parameter)
    return settings


def write_parameters(parameters: Parameters) -> dict[str, Any]:
    """The same as YAML data."""
    return {name: _written(settings) for name, settings in parameters.items()}


def _parameter(file: YamlFile, location: Location, method: Method) -> Parameter:
    try:
        return method.parameter(str(location[-1]))
    except InputError as error:
        raise file.error(location, error.fault, f"{error.remedy}; remove it if it is not needed") from error


def _require_flag(file: YamlFile, location: Location) -> None:
    if not isinstance(_flag(file.value(location)), bool):
        raise file.key_error(location, "must be true or false")


def _flag(value: object) -> object:
    """Published files also write 1.0 and 0 for true and false, which mergekit takes as such."""
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value


def _settings(file: YamlFile, location: Location, method: Method, parameter: Parameter) -> tuple[Setting, ...]:
    data = file.value(location)
    if isinstance(data, Mapping):
        return (_conditional(file, location, method, parameter),)
    if not isinstance(data, list) or not any(isinstance(entry, Mapping) for entry in data):
        return (Setting(_values(file, location, method, parameter)),)
    settings: list[Setting] = []
    for index in range(len(data)):
        place = (*location, index)
        if settings and settings[-1].filter is None:
            raise file.key_error(place, "is never reached, as the entry before it is for all tensors", "reorder")
        settings.append(_conditional(file, place, method, parameter))
    return tuple(settings)


def _conditional(file: YamlFile, location: Location, method: Method, parameter: Parameter) -> Setting:
    data = file.value(location)
    if not isinstance(data, Mapping) or "value" not in data:
        raise file.key_error(location, "must hold 'value', and 'filter' unless it is for all tensors")
    file.require_keys(location, ("filter", "value"))
    text = data.get("filter")
    if text is not None and (not isinstance(text, str) or not text):
        raise file.error((*location, "filter"), "filter must be a part of tensors' names (in quotes)", "leave it out for all")
    return Setting(_values(file, (*location, "value"), method, parameter), None if text == "*" else text)


def _values(file: YamlFile, location: Location, method: Method, parameter: Parameter) -> tuple[Scalar, ...]:
    data = file.value(location)
    if not isinstance(data, list):
        return (_checked(file, location, data, method, parameter),)
    if parameter.kind is not float or not data:
        what = "an empty list" if not data else "a list"
        raise file.key_error(location, f"is {what}", "give one value")
    return tuple(_checked(file, (*location, index), value, method, parameter) for index, value in enumerate(data))


def _checked(file: YamlFile, location: Location, value: object, method: Method, parameter: Parameter) -> Scalar:
    try:
        return parameter.checked(_flag(value) if parameter.kind is bool else value, method.name)
    except InputError as error:
        raise file.error(location, error.fault, error.remedy) from error


def _written(settings: tuple[Setting, ...]) -> Any:
    if len(settings) == 1 and settings[0].filter is None:
        return _written_values(settings[0])
    return [
        {"value": _written_values(setting)}
        if setting.filter is None
        else {"filter": setting.filter, "value": _written_values(setting)}
        for setting in settings
    ]


def _written_values(setting: Setting) -> Any:
    return setting.values[0] if len(setting.values) == 1 else list(setting.values)
