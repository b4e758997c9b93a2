"""Sound files of every kind that the commands read, small enough to be read a hundred times in a few seconds."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from evomerge_core.run.store.store import Store
from fuzz.layouts import write_layouts
from fuzz.runs import write_runs
from support.seeing_runs import write_seeing_recipe
from support.tiny_gguf import save_folder, write_gguf

_SIZES: dict[str, Any] = {
    "vocab_size": 264,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": None,
}
_TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
_MERGE: dict[str, Any] = {
    "merge_method": "ties",
    "base_model": "base",
    "models": [
        {"model": {"model": {"path": "base"}}},
        {"model": "first", "parameters": {"weight": [0.2, 0.4], "density": 0.5}},
        {"model": "base+adapter", "parameters": {"weight": [{"filter": "mlp", "value": [0.1, 0.9]}, {"value": 0.5}]}},
    ],
    "parameters": {"normalize": True, "int8_mask": 1.0, "lambda": 0.9},
    "dtype": "bfloat16",
    "tokenizer_source": "model:base",
    "chat_template": "chatml",
}
_SLICES: dict[str, Any] = {
    "name": "last",
    "merge_method": "slerp",
    "base_model": "base",
    "slices": [
        {"sources": [{"model": "base", "layer_range": [0, 1]}, {"model": "first", "layer_range": [0, 1]}]},
        {
            "sources": [{"model": "base", "layer_range": [1, 2]}, {"model": "first", "layer_range": [1, 2]}],
            "parameters": {"t": [0.1, 0.3]},
        },
    ],
    "parameters": {"t": [{"filter": "self_attn", "value": [0, 1]}, {"value": 0.5}]},
    "tokenizer": {"source": "base"},
}
_PATH: dict[str, Any] = {
    "evomerge_path": 1,
    "models": {"A": "base", "B": {"merge_method": "linear", "models": [{"model": "first", "parameters": {"weight": 1.0}}]}},
    "path": [{"model": "A", "layers": [0, 2]}, {"model": "B", "layers": [1, 2], "scale": 0.5}],
    "dtype": "float32",
    "seed": 0,
}
_RECIPE: dict[str, Any] = {
    "evomerge": 1,
    "name": "fuzzed",
    "base": "./base",
    "sources": ["./first", {"model": "./base+./adapter", "name": "adapter"}],
    "search_space": {"method": "ties", "groups": {"bands": 2, "parts": True}, "parameters": {"weight": {"low": 0, "high": 1}}},
    "tasks": [
        {
            "name": "sums",
            "file": "items.jsonl",
            "fields": {"question": "question", "answer": "answer"},
            "prompt": "{question} =",
            "chat": False,
            "scorer": "final_number",
            "max_new_tokens": 2,
            "stop": ["\n"],
        },
        {
            "name": "letters",
            "file": "items.csv",
            "scorer": "multiple_choice",
            "choices": ["A", "B", "C"],
            "prompt": "{question}",
            "chat": False,
        },
    ],
    "splits": {"search": 6, "validation": 4, "test": 4, "seed": 1},
    "budget": {"evaluations": 8},
    "search": {"population": 4, "sigma": 0.2},
    "evaluation": {"precision": "fp32", "device": "cpu", "coherence": False},
    "seed": 3,
}
_GENOME: dict[str, Any] = {
    "genome": {
        "models": ["./first", "./base+./adapter"],
        "merge_method": "ties",
        "base_model": "./base",
        "layer_granularity": 1,
        "filters": ["mlp"],
    },
    "tasks": ["gsm8k", {"name": "mgsm_direct_ja", "weight": 1.0}],
    "limit": 3,
}
_SETTINGS: dict[str, Any] = {
    "theme": "light",
    "unicode": True,
    "animations": False,
    "job_priority": "normal",
    "runs_folder": "runs",
    "model_folders": ["models", "~/models"],
    "keys": {"app.quit": "ctrl+x"},
}


def write_seeds(folder: Path) -> None:
    """Writes two models (the second in shards), an adapter, items of three kinds, recipes and merge files into `folder`."""
    _write_model(folder / "base", 0)
    _write_model(folder / "first", 1, max_shard_size="20KB")
    _write_adapter(folder)
    _write_items(folder)
    for name, data in (("merge.yml", _MERGE), ("slices.yml", _SLICES), ("path.yml", _PATH), ("recipe.yaml", _RECIPE)):
        (folder / name).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    (folder / "genome.yml").write_text(yaml.safe_dump(_GENOME, sort_keys=False), encoding="utf-8")
    for name, file in (("other.yaml", "items.json"), ("parquet.yaml", "items.parquet")):
        recipe = {**_RECIPE, "tasks": [{**_RECIPE["tasks"][0], "file": file}]}
        (folder / name).write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    (folder / "settings.yaml").write_text(yaml.safe_dump(_SETTINGS, sort_keys=False), encoding="utf-8")
    _write_run(folder)
    _write_digested(folder)
    write_gguf(save_folder(folder / "gguf"), folder / "model.gguf")
    write_layouts(folder, _RECIPE)
    write_runs(folder, _RECIPE)
    write_seeing_recipe(folder / "eyes", "smolvlm", evaluation=_RECIPE["evaluation"])
    stages = [{**_MERGE, "name": "early"}, {**_SLICES, "name": None, "base_model": "early"}]
    stages[1]["slices"] = json.loads(json.dumps(_SLICES["slices"]).replace('"base"', '"early"'))
    text = "---\n".join(yaml.safe_dump({k: v for k, v in one.items() if v is not None}, sort_keys=False) for one in stages)
    (folder / "stages.yml").write_text(text, encoding="utf-8")


def _write_run(folder: Path) -> None:
    """A finished run of an earlier version, its recipe about the models here."""
    shutil.copytree(Path(__file__).parents[1] / "tui" / "data" / "quickstart", folder / "run")
    path = folder / "run" / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    models = {"arithmetic": str(folder / "first"), "japanese": f"{folder / 'base'}+{folder / 'adapter'}"}
    recipe["base"], recipe["sources"] = str(folder / "base"), [{"model": model, "name": name} for name, model in models.items()]
    # As many groups as the run's genomes have numbers for each source: these models have fewer layers than its bands.
    recipe["search_space"]["groups"] = {"bands": 2, "filters": ["mlp"]}
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")


def _write_digested(folder: Path) -> None:
    """The same run as this version would have written it: with digests of its tables."""
    run = folder / "digested"
    shutil.copytree(folder / "run", run, ignore=shutil.ignore_patterns("run.db"))
    with closing(Store(run / "run.db", create=True)) as store:
        connection = store._connection
        connection.execute("ATTACH ? AS older", (str(folder / "run" / "run.db"),))
        for (table,) in connection.execute("SELECT name FROM older.sqlite_schema WHERE type = 'table'").fetchall():
            columns = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA older.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM older.{table}")
        connection.execute("DETACH older")
        # a file that needs no other beside it
        connection.execute("PRAGMA journal_mode = DELETE")


def _write_model(folder: Path, seed: int, **saving: Any) -> None:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**_SIZES)).to(torch.bfloat16)
    model.save_pretrained(folder, **saving)
    _write_tokenizer(folder)


def _write_tokenizer(folder: Path) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: row for row, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ("<s>", "</s>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": {"content": "</s>", "special": True},
        "model_max_length": 128,
        "chat_template": [{"name": "default", "template": _TEMPLATE}],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "</s>"}), encoding="utf-8")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: [en]\nbase_model: owner/x\n---\n", encoding="utf-8")


def _write_adapter(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(2)
    model = LlamaForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    settings = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=["q_proj", "down_proj"],
        init_lora_weights=False,
        rank_pattern={"down_proj": 2},
        modules_to_save=["lm_head"],
    )
    get_peft_model(model, settings).save_pretrained(folder / "adapter")


def _write_items(folder: Path) -> None:
    items = [{"question": f"{n} + {n + 1}", "answer": str(2 * n + 1), "level": n} for n in range(40)]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    (folder / "items.json").write_text(json.dumps(items, indent=1), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(items), folder / "items.parquet")
    rows = [f'"Which, {n}?",{n},{n + 1},{n + 2},{"ABC"[n % 3]}' for n in range(40)]
    (folder / "items.csv").write_text("\n".join(["question,A,B,C,answer", *rows]) + "\n", encoding="utf-8")
