"""Writes recipes.md, the reference of a recipe's keys, from its schema: `python docs/make_recipes.py`.

Texts are the docstrings of the schema's classes and those under their fields; types and defaults are pydantic's.
`tests/test_docs.py` fails when the file is stale.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from evomerge_core.methods.registry import get_method, method_names
from evomerge_core.recipe.schema import Recipe
from evomerge_core.tasks.ready import READY
from evomerge_core.tasks.scorers.registry import get_scorer, scorer_names

# Keys whose values are listed at the end.
_LISTED: Mapping[str, str] = {
    "search_space.method": "one of the [merge methods](#merge-methods)",
    "tasks.scorer": "one of the [scorers](#scorers)",
    "tasks.task": "one of the [ready tasks](#ready-tasks)",
}
# What a key's text says where a missing key means something else than a value.
_WITHOUT = "Without it:"
PAGE = Path(__file__).with_name("recipes.md")
_INTRODUCTION = """\
# Recipes

<!-- made by docs/make_recipes.py from the schema; change the docstrings there -->

A recipe is a YAML file that says what is merged, what is evolved and what counts. `evomerge-tui recipes` lists ready recipes
and writes one to edit; the screens make one in four steps; `evomerge-tui preflight RECIPE` checks one. Relative paths start
from the recipe's folder. Unknown keys are refused, and so is a key that would have no effect.

Words such as *candidate* or *race* are explained in [the glossary](../CONTRIBUTING.md#glossary).
"""
# What a part looks like in a recipe; every example is a value that the part takes.
_EXAMPLES: Mapping[str, str] = {
    "sources": """\
- augmxnt/shisa-gamma-7b-v1
- {model: ./base+./adapters/mathematics, name: mathematics}
""",
    "search_space": """\
method: ties
groups: {bands: 4}
parameters: {weight: {low: 0, high: 1}, density: {}}
""",
    "search_space.groups": "{bands: 4, parts: true}\n",
    "search_space.parameters.NAME": "{low: 0.0, high: 1.5, start: 0.5}\n",
    "paths": "{sources: [weights, shisa-gamma-7b-v1], max_layers: 40}\n",
    "stages": """\
- {search_space: {preset: paper}, budget: {evaluations: 200}}
- {paths: {max_layers: 40}, budget: {evaluations: 400}}
""",
    "tasks": """\
- mgsm-ja
- name: trivia
  file: trivia.jsonl
  fields: {question: question, answer: answer}
  prompt: "{question} Answer in one word."
  scorer: normalized
  weight: 0.5
- name: exam
  file: exam.csv # question, A, B, C, D, answer: MMLU's layout
  fields: {question: question, choices: [A, B, C, D], answer: answer}
  scorer: multiple_choice
  choices: choices
- name: cards # for a vision-language base
  file: cards.jsonl # lines such as {"question": "Which number is on the red card?", "answer": "7", "image": "pictures/1.png"}
  fields: {question: question, answer: answer, image: image}
  prompt: "{image}{question}"
  scorer: final_number
""",
    "taste": """\
prompts: ["Explain rain to a child.", "Write a limerick about tea."]
votes: 60
""",
    "splits": "{search: 48, validation: 64, test: 200}\n",
    "budget": "{evaluations: 200, minutes: 240}\n",
    "search": "{sigma: 0.2, racing: {items: 12}}\n",
    "evaluation": "{precision: int8, confirm: [bf16]}\n",
}


def page() -> str:
    """The whole reference."""
    return "\n".join([_INTRODUCTION, *_sections(), *_catalogues()])


def _sections() -> Iterator[str]:
    schema = Recipe.model_json_schema()
    parts = _parts(Recipe)
    links = {part.__name__: _link(key) for key, part in parts.items()}
    for key, part in parts.items():
        yield _section(key, part, schema, links)


def _parts(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """All parts of a model, each by the shortest key that holds it, parts of parts after their own part."""
    found: dict[type[BaseModel], str] = {model: ""}
    waiting = [model]
    while waiting:
        part = waiting.pop(0)
        for name, field in part.model_fields.items():
            key = f"{found[part]}.{name}".strip(".") + (".NAME" if "Mapping" in str(field.annotation) else "")
            new = [inner for inner in _models(field.annotation) if inner not in found]
            found |= dict.fromkeys(new, key)
            waiting += new
    order = list(model.model_fields)
    return dict(sorted(((key, part) for part, key in found.items()), key=lambda item: _place(item[0], order)))


def _place(key: str, order: Sequence[str]) -> int:
    """Where the key's first name stands."""
    return order.index(key.partition(".")[0]) if key else -1


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation names."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models(inner)]


def _section(path: str, part: type[BaseModel], schema: Mapping[str, Any], links: Mapping[str, str]) -> str:
    own = schema if part is Recipe else schema["$defs"][part.__name__]
    texts, defaults = field_texts(part), _defaults(part)
    lines = [f"## {f'`{path}`' if path else 'A recipe'}", "", inspect.cleandoc(part.__doc__ or ""), ""]
    if path in _EXAMPLES:
        lines += ["```yaml", example(path), "```", ""]
    lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name in part.model_fields:
        value = _LISTED.get(f"{path}.{name}") or _value(own["properties"][name], links)
        default = "" if _WITHOUT in texts[name] else defaults[name]
        lines.append(f"| `{name}` | {value} | {default} | {texts[name]} |".replace("|  |", "| |"))
    return "\n".join([*lines, ""])


def example(path: str) -> str:
    """What a part looks like in a recipe."""
    text, name = _EXAMPLES[path].rstrip(), path.rsplit(".", 1)[-1]
    return f"{name}: {text}" if text.startswith("{") else f"{name}:\n{textwrap.indent(text, '  ')}"


def field_texts(part: type[BaseModel]) -> dict[str, str]:
    """What the docstring under each field says, in one line. ValueError for a field without one."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, str):
            found[field.target.id] = " ".join(said.split())
    missing = [name for name in part.model_fields if name not in found]
    if missing:
        raise ValueError(f"{part.__name__}: no docstring under {', '.join(missing)}")
    return found


def _defaults(part: type[BaseModel]) -> dict[str, str]:
    """Each key's default as YAML; that of a preset where a part takes one; "" where the text says what is meant."""
    try:
        made: Any = part.model_validate({})
    except ValueError:
        made = None
    found = {}
    for name, field in part.model_fields.items():
        value = getattr(made, name) if made is not None else field.default
        if value is PydanticUndefined and field.default_factory is None:
            found[name] = "required"
        else:
            found[name] = "" if value is PydanticUndefined else _as_yaml(value)
    return found


def _as_yaml(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
        return "" if any(isinstance(inner, dict) for inner in value.values()) or len(value) > 3 else f"`{_flow(value)}`"
    if value is None or value == () or value == "":
        return ""
    if isinstance(value, Mapping):
        value = {key: inner.model_dump() if isinstance(inner, BaseModel) else inner for key, inner in value.items()}
    return f"`{_flow(round(value, 3) if isinstance(value, float) else value)}`"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def _value(shape: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """What a JSON schema allows, in words."""
    if "$ref" in shape:
        return links[shape["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in shape:
        kinds = [kind for kind in shape["anyOf"] if kind.get("type") != "null"]
        numbers = {"type": "number"} in kinds
        return " or ".join(_value(kind, links) for kind in kinds if not (numbers and kind == {"type": "integer"}))
    if "enum" in shape or "const" in shape:
        return ", ".join(f"`{value}`" for value in shape.get("enum", [shape.get("const")]))
    kind = shape.get("type")
    if kind == "array":
        return f"list of {_value(shape['items'], links)}"
    if kind == "object":
        return f"names, each with {_value(shape['additionalProperties'], links)}"
    if kind == "boolean":
        return "`true`, `false`"
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(shape)
    return "text"


def _bounds(shape: Mapping[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {shape[key]:g}" for key, word in words.items() if key in shape)


def _link(path: str) -> str:
    anchor = "".join(sign for sign in path.lower() if sign.isalnum() or sign in "_- ")
    return f"[{path}](#{anchor})"


def _catalogues() -> Iterator[str]:
    """What the keys `method`, `scorer` and `task` may name, from their registries."""
    yield "## Merge methods\n\nFor `search_space.method`. A parameter in italics has one value per source.\n"
    yield "| method | parameters | what it computes |\n| --- | --- | --- |"
    for name in method_names():
        method = get_method(name)
        parameters = ", ".join(f"*{value.name}*" if value.per_source else value.name for value in method.parameters.values())
        yield f"| `{name}` | {parameters} | {_first_paragraph(inspect.getmodule(method.function))} |"
    yield "\n## Scorers\n\nFor a task's `scorer`.\n\n| scorer | score |\n| --- | --- |"
    for name in scorer_names():
        yield f"| `{name}` | {_first_paragraph(get_scorer(name).score)} |"
    yield "\n## Ready tasks\n\nFor a task's `task`.\n"
    yield "| task | dataset | licence | scorer | language |\n| --- | --- | --- | --- | --- |"
    for name, task in READY.items():
        dataset = ", ".join(filter(None, (task.dataset, task.config)))
        yield f"| `{name}` | {dataset} | {task.licence} | {task.scorer} | {task.language or 'any'} |"
    yield ""


def _first_paragraph(of: object) -> str:
    """A docstring's first paragraph, in one line."""
    text = (inspect.getdoc(of) or "").split("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
