"""Which files are changed, and the commands that read them then, by what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fuzz.layouts import LAYOUTS

Words = tuple[str, ...]


class Target(NamedTuple):
    """A file, the commands that read it (OUT is a folder that doesn't exist yet), and how it is changed: see `mutations`."""

    file: str
    commands: Sequence[Words]
    way: str = ""


_MERGES: tuple[Words, ...] = tuple(("merge", name, "OUT") for name in ("merge.yml", "slices.yml", "path.yml"))
_PREFLIGHT: Words = ("preflight", "recipe.yaml", "--out", "OUT")
_TRY: Words = ("try", "recipe.yaml", "--items", "1")
_OF_MODELS: tuple[Words, ...] = (("inspect", "base", "first", "base+adapter"), *_MERGES, _PREFLIGHT, _TRY)
_OF_ADAPTERS: tuple[Words, ...] = (("inspect", "base+adapter"), ("merge", "merge.yml", "OUT"), _PREFLIGHT)


def _of_run(run: str) -> tuple[Words, ...]:
    return (
        *(("status", run), ("status", run, "--plain"), ("candidate", run), ("candidate", run, "arithmetic")),
        ("report", run, "--out", "OUT"),
    )


_OF_RUNS = _of_run("run")
_MODEL_FILES = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("README.md", "config.json", "tokenizer.json", "tokenizer_config.json"),
)


def _recipe(name: str) -> tuple[Words, ...]:
    return (("preflight", name, "--out", "OUT"), ("try", name, "--items", "1"))


_PUBLISH: tuple[Words, ...] = (
    ("publish", "published", "--to", "owner/name", "--dry-run"),
    ("publish", "published/winner/gguf/model-Q8_0.gguf", "--to", "owner/name", "--dry-run"),
)
_COMPARE: tuple[Words, ...] = (("compare", "run", "digested"), ("compare", "digested", "run", "published"))
_EVOLVE: tuple[Words, ...] = (("evolve", "bred", "OUT"),)
_POOL: tuple[Words, ...] = (("pool", "first", "base+adapter", "--base", "base", "--tasks", "pool.yaml", "--out", "OUT"),)
_PICTURED: tuple[Words, ...] = (
    ("preflight", "eyes/recipe.yaml", "--out", "OUT"),
    ("try", "eyes/recipe.yaml", "--items", "2"),
    ("inspect", "eyes/base", "eyes/second"),
)


READERS: Mapping[str, tuple[Target, ...]] = {
    "model": tuple(Target(f"{folder}/{name}", _OF_MODELS) for folder in ("base", "first") for name in _MODEL_FILES),
    "weights": (
        *(Target("base/model.safetensors", _OF_MODELS),) * 3,
        *(Target("first/model.safetensors.index.json", _OF_MODELS),) * 2,
    ),
    "adapter": (
        Target("adapter/adapter_config.json", _OF_ADAPTERS),
        Target("adapter/adapter_model.safetensors", _OF_ADAPTERS),
    ),
    "merge": tuple(
        Target(name, (("merge", name, "OUT"),)) for name in ("merge.yml", "slices.yml", "path.yml", "stages.yml", "merge.yml")
    ),
    "recipe": (Target("recipe.yaml", _recipe("recipe.yaml")),),
    "genome": (Target("genome.yml", (("preflight", "genome.yml", "--out", "OUT"),)),),
    "items": (
        Target("items.jsonl", (_PREFLIGHT, _TRY)),
        Target("items.csv", (_PREFLIGHT, _TRY)),
        Target("items.json", _recipe("other.yaml")),
    ),
    "layouts": (
        *(Target(file, _recipe(f"{Path(file).stem}.yaml")) for file in LAYOUTS),
        *(Target(f"{Path(file).stem}.yaml", _recipe(f"{Path(file).stem}.yaml")) for file in LAYOUTS),
    ),
    "tokens": (Target("tokens.yml", (("merge", "tokens.yml", "OUT"),)),),
    "parquet": (Target("items.parquet", _recipe("parquet.yaml")),),
    "store": (Target("run/run.db", _OF_RUNS), Target("run/run.db", _OF_RUNS, "cells")),
    "digests": tuple(Target("digested/run.db", _of_run("digested"), way) for way in ("digests", "cells")),
    "store-json": (Target("run/run.db", _OF_RUNS, "json"),),
    "result": (Target("run/winner/result.json", _OF_RUNS),),
    "run": tuple(Target(f"run/{name}", _OF_RUNS) for name in ("recipe.yaml", "sources.json", "winner/mergekit_config.yml")),
    "publish": (
        *(
            Target(f"published/{name}", _PUBLISH)
            for name in ("recipe.yaml", "winner/result.json", "winner/mergekit_config.yml")
        ),
        *(Target(f"published/winner/model/{name}", _PUBLISH) for name in ("README.md", "config.json", "tokenizer_config.json")),
        *(Target("published/winner/gguf/model-Q8_0.gguf", _PUBLISH),) * 3,
        Target("published/run.db", _PUBLISH, "json"),
        Target("published/run.db", _PUBLISH, "cells"),
    ),
    "compare": (
        *(Target(f"run/{name}", _COMPARE) for name in ("recipe.yaml", "winner/result.json")),
        *(Target("run/run.db", _COMPARE, way) for way in ("json", "cells")),
    ),
    "vote": (
        Target("asking/recipe.yaml", (("vote", "asking"),)),
        *(Target("asking/run.db", (("vote", "asking"), ("status", "asking")), way) for way in ("json", "cells", "cells", "")),
    ),
    "evolve": (
        *(Target(f"bred/{name}", _EVOLVE) for name in ("recipe.yaml", "sources.json")),
        *(
            Target("bred/run.db", (*_EVOLVE, ("status", "bred"), ("report", "bred", "--out", "OUT")), way)
            for way in ("json", "cells")
        ),
        *(Target(name, _EVOLVE) for name in ("items.jsonl", "adapter/adapter_config.json")),
    ),
    "pool": tuple(
        Target(name, _POOL) for name in ("pool.yaml", "pool.yaml", "adapter/adapter_config.json", "first/config.json")
    ),
    "talk": (
        Target("history.json", (("history", "history.json", "model.gguf"),)),
        Target("votes.jsonl", (("votes", "."),)),
    ),
    "pictures": (
        *(
            Target(f"eyes/base/{name}", _PICTURED)
            for name in ("preprocessor_config.json", "config.json", "tokenizer_config.json")
        ),
        *(Target(f"eyes/{name}", _PICTURED[:2]) for name in ("0.png", "1.png", "2.png", "items.jsonl", "recipe.yaml")),
    ),
    "gguf": (Target("model.gguf", (("chat", "model.gguf", "--prompt", "the cat", "--max-tokens", "2"),)),),
    "settings": (Target("settings.yaml", (("settings", "settings.yaml"),)),),
}
# How often each is drawn in a series of all. GGUFs are for a series of their own: each is read in a fork, which is safe only of
# a process that has computed nothing.
SHARES: Mapping[str, int] = {"model": 4, "weights": 2, "adapter": 2, "merge": 3, "recipe": 3, "gguf": 0}


def commands() -> tuple[Words, ...]:
    """Every command that is tried, once."""
    return tuple(dict.fromkeys(words for targets in READERS.values() for target in targets for words in target.commands))
