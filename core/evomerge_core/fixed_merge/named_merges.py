"""Several merges in one file, of which later ones merge what earlier ones made: mergekit-multi's format.

```yaml
name: core                      # how other merges name this one's child
merge_method: slerp
...
---
merge_method: task_arithmetic   # the one without a name is the file's result
base_model: core
...
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evomerge_core.files.yaml_file import YamlFile
from evomerge_core.fixed_merge.mergekit import in_plain_words
from evomerge_core.fixed_merge.reading.model_references import reference_places
from evomerge_core.fixed_merge.reading.typed_values import text_at

_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class NamedMerge:
    """One merge of several: its name, None for the last, and its document, models named by text."""

    name: str | None
    file: YamlFile


def order_merges(documents: Sequence[YamlFile]) -> tuple[NamedMerge, ...]:
    """A file's merges, each after those whose children it merges; the one without a name comes last.

    InputError for names that are missing, twice there, used by no merge, or that lead in a circle.
    """
    merges = [_named_merge(document) for document in documents]
    _require_names(merges)
    waiting = {merge.name: merge for merge in merges}
    needed = {merge.name: _named_in(merge.file, waiting) for merge in merges}
    for merge in merges:
        if merge.name is not None and not any(merge.name in names for names in needed.values()):
            raise merge.file.key_error(("name",), f"is {merge.name!r}, which no other merge uses", "remove this merge")
    ordered: list[NamedMerge] = []
    while waiting:
        ready = [merge for name, merge in waiting.items() if not needed[name] & waiting.keys()]
        if not ready:
            first = next(iter(waiting.values()))
            raise first.file.error((), "the merges need each other's children", "let one of them merge models alone")
        ordered += ready
        waiting = {name: merge for name, merge in waiting.items() if merge not in ready}
    return tuple(ordered)


def with_children(file: YamlFile, children: Mapping[str, str]) -> YamlFile:
    """The document with the folders of other merges' children in the place of their names."""
    for place in reference_places(file):
        reference = file.value(place)
        if isinstance(reference, str) and _model_of(reference) in children:
            model = _model_of(reference)
            file = file.with_value(place, children[model] + reference.removeprefix("model:")[len(model) :])
    template = file.value(("chat_template",))
    if isinstance(template, str) and template in children:
        file = file.with_value(("chat_template",), children[template])
    return file


def _named_merge(document: YamlFile) -> NamedMerge:
    name = text_at(document, ("name",))
    if name is not None and _NAME.fullmatch(name) is None:
        raise document.key_error(("name",), f"is {name!r}", "use letters, digits, '_', '-' and '.'")
    return NamedMerge(name, in_plain_words(document))


def _require_names(merges: Sequence[NamedMerge]) -> None:
    names = [merge.name for merge in merges]
    for merge, name in zip(merges, names, strict=True):
        if name is None and names.count(None) > 1:
            raise merge.file.error((), "two merges of the file have no name", "give each but the last key 'name'")
        if names.count(name) > 1:
            raise merge.file.key_error(("name",), f"is {name!r} twice", "give each merge a name of its own")
    if None not in names:
        raise merges[-1].file.key_error(("name",), "leaves no merge for the result", "remove it from the last merge")


def _named_in(file: YamlFile, known: Mapping[str | None, NamedMerge]) -> set[str | None]:
    references = (file.value(place) for place in reference_places(file))
    return {_model_of(one) for one in references if isinstance(one, str) and _model_of(one) in known}


def _model_of(reference: str) -> str:
    """The model's part of a reference, without `model:`, revision and adapter."""
    return re.split(r"[@+]", reference.removeprefix("model:"), maxsplit=1)[0]
