"""What mergekit 0.1.5 passes over in a configuration: left out with a notice, so that published files merge as they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evomerge_core.files.yaml_file import Location, YamlFile
from evomerge_core.fixed_merge.reading.model_references import reference_places
from evomerge_core.methods.method import registered

_OLD = {"embed_slerp": "is an older mergekit's: embeddings are merged like every other tensor"}


def without_passed_over(file: YamlFile) -> tuple[YamlFile, tuple[str, ...]]:
    """The file without what has no effect in mergekit either, and a line about each such place.

    These are the parameters of a listed base whose method compares the others with it (its task vector is zero), and
    parameters that mergekit no longer has. The file is in plain words already (`mergekit.in_plain_words`).
    """
    notices = []
    for location, why in [*_base_parameters(file), *_old_parameters(file)]:
        notices.append(str(file.key_error(location, f"has no effect and is passed over, as in mergekit: it {why}")))
        holder = file.value(location[:-1])
        file = file.with_value(location[:-1], {key: value for key, value in holder.items() if key != location[-1]})
    return file, tuple(notices)


def _base_parameters(file: YamlFile) -> Iterator[tuple[Location, str]]:
    name = file.value(("merge_method",))
    method = registered.get(name) if isinstance(name, str) else None
    if method is None or not method.takes_base:
        return
    for place in reference_places(file):
        entry = place[:-1]
        base = file.value((*entry[:2], "base_model")) if entry[:1] == ("slices",) else None
        base = base or file.value(("base_model",))
        listed = place[-1] == "model" and base is not None and file.value(place) == base
        if listed and file.value((*entry, "parameters")):
            yield (*entry, "parameters"), f"belongs to the base {base!r}, with which the other models are compared"


def _old_parameters(file: YamlFile) -> Iterator[tuple[Location, str]]:
    parameters = file.value(("parameters",))
    for name in parameters if isinstance(parameters, Mapping) else ():
        if name in _OLD:
            yield ("parameters", name), _OLD[name]
