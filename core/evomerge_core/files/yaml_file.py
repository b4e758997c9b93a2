"""YAML files whose keys remember their lines, read and written without loss.

Numbers follow YAML 1.2 (`1e-5` is a number), everything else YAML 1.1 as in PyYAML and mergekit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.errors import InputError, known_names
from evomerge_core.files.bounded import read_bounded

Location = tuple[str | int, ...]

# What PyYAML raises for a value that isn't of its tag's kind, or nested too deeply.
UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
# Aliases may point to one node many times; a small file must not unfold into a huge one.
_MAX_VALUES = 100_000
# PyYAML reads about 100,000 bytes a second.
_MOST_BYTES = 1_000_000
_FLOAT = re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$")


@dataclass(frozen=True)
class YamlFile:
    """A file's data with the line (from 1) of every key and list item."""

    path: Path
    text: str
    data: Any
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """The line of a key, or of its nearest parent that the file has."""
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]

    def value(self, location: Location) -> Any:
        """The value at a place; None when the file has no such key."""
        data: Any = self.data
        for part in location:
            found = part in data if isinstance(data, Mapping) else isinstance(data, list) and isinstance(part, int)
            data = data[part] if found else None
        return data

    def with_value(self, location: Location, value: Any) -> YamlFile:
        """The same file with another value at a place that it has."""
        return replace(self, data=_with_value(self.data, location, value))

    def require_keys(self, location: Location, known: Collection[str], refused: Mapping[str, str] | None = None) -> None:
        """InputError when the mapping at a place has a key that isn't known; `refused` says why for some of them."""
        for key in self.value(location):
            place = (*location, key)
            if key not in known and key in (refused or {}):
                raise self.key_error(place, (refused or {})[key])
            if key not in known:
                raise self.error(place, *unknown_key(place, known))

    def error(self, location: Location, problem: str, remedy: str = "") -> InputError:
        """An error at a place of the file."""
        return InputError(" ".join(problem.split()), where=f"{self.path}:{self.line(location)}", remedy=remedy)

    def key_error(self, location: Location, problem: str, remedy: str = "") -> InputError:
        """The same, about the key itself: `key 'a.b' PROBLEM`."""
        return self.error(location, f"key '{key_name(location)}' {problem}", remedy)


def key_name(location: Location) -> str:
    """A location as a reader writes it: `tasks[0].prompt`."""
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def unknown_key(location: Location, known: Iterable[str]) -> tuple[str, str]:
    """What to say about a key that isn't known, and the remedy: `key 'x' is unknown in 'y'`, `did you mean 'z'?`."""
    where = f" in '{key_name(location[:-1])}'" if len(location) > 1 else ""
    return f"key '{location[-1]}' is unknown{where}", known_names(str(location[-1]), known)


def read_yaml(path: Path) -> YamlFile:
    """Reads one YAML document whose top is a mapping; a key given twice is refused."""
    return parse_yaml(read_yaml_text(path), path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """The same for a text; `path` is for messages."""
    first, *others = parse_documents(text, path)
    if others:
        raise others[0].error((), "another YAML document begins here", "put each into a file of its own")
    return first


def read_documents(path: Path) -> tuple[YamlFile, ...]:
    """The YAML documents of a file, which `---` keeps apart, each with the whole file's text and lines."""
    return parse_documents(read_yaml_text(path), path)


def parse_documents(text: str, path: Path) -> tuple[YamlFile, ...]:
    """The same for a text. Empty documents are left out, and one at least is there; InputError as `read_yaml`."""
    try:
        return _parse_documents(text, path)
    except yaml.MarkedYAMLError as error:
        raise InputError(f"not valid YAML: {_error_text(error)}", where=f"{path}:{_error_line(error)}") from error
    except yaml.YAMLError as error:
        raise InputError(f"not valid YAML: {' '.join(str(error).split())}", where=path) from error
    except RecursionError:
        raise InputError("lists and mappings are nested too deeply", where=path, remedy="write the file flatter") from None


def _parse_documents(text: str, path: Path) -> tuple[YamlFile, ...]:
    loader = _Loader(text)
    nodes: list[yaml.Node] = []
    while loader.check_node() and (node := loader.get_node()) is not None:
        nodes.append(node)
    held = [node for node in nodes if node.tag != "tag:yaml.org,2002:null"] or nodes[:1]
    for node in held:
        if not isinstance(node, yaml.MappingNode):
            where = f"{path}:{node.start_mark.line + 1}"
            raise InputError("the file holds no keys", where=where, remedy="it must be a YAML mapping of keys to values")
    if not held:
        raise InputError("the file holds no keys", where=f"{path}:1", remedy="it must be a YAML mapping of keys to values")
    # An error about a whole document is at its first key; about the first one, at the first line, as about a file.
    begins = [1, *(node.start_mark.line + 1 for node in held[1:])]
    return tuple(_Reader(loader, path, text, line).read(node) for node, line in zip(held, begins, strict=True))


def is_unicode(text: str) -> bool:
    """Whether a text can be written at all: an escape can name one half of a surrogate pair, which no encoding has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def dump_yaml(data: Any) -> str:
    """Block-style YAML in the order given; numbers keep every digit, lists of numbers stay on one line."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _with_value(data: Any, location: Location, value: Any) -> Any:
    if not location:
        return value
    changed = _with_value(data[location[0]], location[1:], value)
    if isinstance(data, list):
        return [changed if index == location[0] else item for index, item in enumerate(data)]
    return {**data, location[0]: changed}


class _Loader(yaml.SafeLoader):
    """Stops at what has too many values, before it is read to its end."""

    composed = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.composed += 1
        if self.composed > _MAX_VALUES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"more than {_MAX_VALUES} values", problem_mark=mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def represent_list(self, data: Any) -> yaml.SequenceNode:
        flow = all(isinstance(value, bool | int | float) for value in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)

    def represent_text(self, data: str) -> yaml.ScalarNode:
        # A prompt or template is read as lines, a short stop text as one.
        style = None if "\n" not in data else '"' if len(data) < 40 else "|"
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


for _resolver in (_Loader, _Dumper):
    _resolver.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Dumper.add_representer(list, _Dumper.represent_list)
_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(tuple, _Dumper.represent_list)


class _Reader:
    """Turns one document's nodes into data, noting lines; lives for one call."""

    def __init__(self, loader: _Loader, path: Path, text: str, line: int) -> None:
        self._loader = loader
        self._path = path
        self._text = text
        self._lines: dict[Location, int] = {(): line}
        self._values = 0

    def read(self, top: yaml.Node) -> YamlFile:
        data = self._value(top, (), ())
        return YamlFile(self._path, self._text, data, self._lines)

    def _value(self, node: yaml.Node, location: Location, parents: tuple[yaml.Node, ...]) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES:
            raise self._error(node, f"more than {_MAX_VALUES} values", "write the file without aliases")
        if any(node is parent for parent in parents):
            raise self._error(node, "an alias points to its own parent", "write the values out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location, (*parents, node))
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, location, (*parents, node))
        try:
            value = self._loader.construct_object(node)
            readable = is_unicode(str(value))
        except UNREADABLE as error:
            raise self._error(node, f"can't read the value {node.value!r}", "write it in quotes if it is text") from error
        if not readable:
            raise self._error(node, f"{node.value!r} holds half a character", "write the text as UTF-8, without \\u escapes")
        return value

    def _mapping(self, node: yaml.MappingNode, location: Location, parents: tuple[yaml.Node, ...]) -> dict[str, Any]:
        self._refuse_duplicates(node)
        try:
            self._loader.flatten_mapping(node)
        except yaml.YAMLError as error:
            raise self._error(node, "'<<' must point to a mapping", "write the keys out") from error
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            self._lines[(*location, key)] = key_node.start_mark.line + 1
            data[key] = self._value(value_node, (*location, key), parents)
        return data

    def _sequence(self, node: yaml.SequenceNode, location: Location, parents: tuple[yaml.Node, ...]) -> list[Any]:
        data = []
        for index, item in enumerate(node.value):
            self._lines[(*location, index)] = item.start_mark.line + 1
            data.append(self._value(item, (*location, index), parents))
        return data

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or not is_unicode(key.value):
                raise self._error(key, "a key must be a word, not a list or a mapping")
            line = key.start_mark.line + 1
            if key.value in seen:
                raise self._error(key, f"key '{key.value}' is given twice, first in line {seen[key.value]}", "keep one")
            seen[key.value] = line

    def _error(self, node: yaml.Node, problem: str, remedy: str = "") -> InputError:
        return InputError(problem, where=f"{self._path}:{node.start_mark.line + 1}", remedy=remedy)


def read_yaml_text(path: Path) -> str:
    """The text of a YAML file, whatever it holds; InputError for what can't be read, or is longer than a person can."""
    if str(path) == "-" or path.is_relative_to("/dev") or path.is_relative_to("/proc"):
        remedy = "save it as one: the relative paths in it start from its folder"
        raise InputError("is no file of its own", where=path, remedy=remedy)
    try:
        data = read_bounded(path, most=_MOST_BYTES, remedy="give a YAML file that a person can read")
        # As for texts everywhere, a line may end in any system's way.
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=path, remedy="save the file as UTF-8") from error
    except FileNotFoundError as error:
        raise InputError("no such file", where=path, remedy="check the path") from error


def _error_line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _error_text(error: yaml.MarkedYAMLError) -> str:
    return " ".join((error.problem or error.context or "check the indentation").split())
