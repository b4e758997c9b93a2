"""What a mergekit configuration says of the child as a whole: its numbers, tokenizer, chat template, and the masks' seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypedDict, cast, get_args

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import Location, YamlFile, parse_yaml
from evomerge_core.fixed_merge.reading.named_templates import NAMED_TEMPLATES
from evomerge_core.fixed_merge.reading.typed_values import require_mapping, text_at
from evomerge_core.merging.config import DType

UNION = "union"
_VERSION = 1
_HEADER = re.compile(r"^#\s*evomerge:\s*(?P<data>.*)$")


class DTypes(TypedDict):
    """The two dtypes of a merge, as `MergeConfig` names them."""

    dtype: DType
    out_dtype: DType


def dtypes_in(file: YamlFile) -> DTypes:
    """The result is rounded to `dtype` (float32 without one) and kept as `out_dtype`.

    That is `dtype` where the file has no `out_dtype`, and bfloat16 where it has neither.
    """
    dtype = _dtype(file, "dtype")
    out_dtype = _dtype(file, "out_dtype") or dtype
    return {"dtype": dtype or "float32", "out_dtype": out_dtype or "bfloat16"}


def tokenizer_in(file: YamlFile) -> str:
    """`base`, `union`, or the reference of the model whose tokenizer the child takes, which was once written `model:NAME`."""
    tokenizer = file.data.get("tokenizer")
    if tokenizer is None:
        location: Location = ("tokenizer_source",)
        source = text_at(file, location) or "base"
    else:
        if file.data.get("tokenizer_source") is not None:
            raise file.error(("tokenizer",), "'tokenizer' and 'tokenizer_source' exclude each other", "keep one")
        location = ("tokenizer", "source")
        if isinstance(tokenizer, str):
            raise file.key_error(("tokenizer",), "must be a mapping of keys to values", f"write {{source: {tokenizer}}}")
        require_mapping(file, ("tokenizer",))
        file.require_keys(("tokenizer",), ("source", "tokens", "pad_to_multiple_of"))
        source = text_at(file, location) or UNION
    source = source.removeprefix("model:")
    if not source:
        raise file.key_error(location, "names no model after 'model:'", "use 'base' or a model")
    return source


def chat_template_in(file: YamlFile, models: Sequence[str]) -> str | None:
    """Jinja text, which a name of mergekit's stands for too; `auto` (what most models have), or one of the models."""
    template = text_at(file, ("chat_template",))
    if template is None or "{" in template or template in ("auto", *models):
        return template
    if template not in NAMED_TEMPLATES:
        remedy = f"write the Jinja template itself, 'auto', a model's name, or one of {', '.join(NAMED_TEMPLATES)}"
        raise file.key_error(("chat_template",), f"names '{template}'", remedy)
    return NAMED_TEMPLATES[template]


def seed_in(file: YamlFile) -> int:
    """The seed of random masks, from the comment at the top; 0 without one."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        found = _HEADER.match(line)
        if found:
            return _header_seed(file, number, found["data"])
        if line.strip() and not line.startswith("#"):
            break
    return 0


def seed_comment(seed: int) -> str:
    """The line that `seed_in` reads."""
    return f"# evomerge: {{version: {_VERSION}, seed: {seed}}}"


def _dtype(file: YamlFile, key: str) -> DType | None:
    name = text_at(file, (key,))
    if name is None:
        return None
    name = name.removeprefix("torch.")
    known = get_args(DType)
    if name not in known:
        raise file.error((key,), f"key '{key}' must be one of {', '.join(known)}, not '{name}'")
    return cast(DType, name)


def _header_seed(file: YamlFile, number: int, text: str) -> int:
    problem = f"the comment must be like '{seed_comment(0)}', not '{text}'"
    refusal = InputError(problem, where=f"{file.path}:{number}", remedy="correct or remove it")
    try:
        data = parse_yaml(text, file.path).data
    except InputError as error:
        raise refusal from error
    seed = data.get("seed")
    if data != {"version": _VERSION, "seed": seed} or type(seed) is not int or seed < 0:
        raise refusal
    return seed
