"""Everything that the ready recipes name, on a loopback hub: models without weights, data sets with made-up items."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from support.hub_models import hub_model, hub_seeing_model
from support.loopback_hub import File, Hub


def ready_hub() -> Hub:
    """The hub of all ready recipes."""
    return Hub(
        models={
            "Qwen/Qwen2.5-0.5B-Instruct": hub_model("qwen2.5-0.5b"),
            "Qwen/Qwen2.5-Coder-0.5B-Instruct": hub_model("qwen2.5-0.5b"),
            "Qwen/Qwen2.5-1.5B-Instruct": hub_model("qwen2.5-1.5b"),
            "Qwen/Qwen2.5-Coder-1.5B-Instruct": hub_model("qwen2.5-1.5b"),
            "SakanaAI/TinySwallow-1.5B-Instruct": hub_model("qwen2.5-1.5b"),
            "Qwen/Qwen2.5-3B-Instruct": hub_model("qwen2.5-3b", licence="qwen-research"),
            "Qwen/Qwen2.5-Coder-3B-Instruct": hub_model("qwen2.5-3b", licence="qwen-research"),
            "mistralai/Mistral-7B-v0.1": hub_model("mistral-7b", chat=False),
            "augmxnt/shisa-gamma-7b-v1": hub_model("mistral-7b"),
            "WizardLMTeam/WizardMath-7B-V1.1": hub_model("mistral-7b", licence=None, pickled=True),
            "GAIR/Abel-7B-002": hub_model("mistral-7b", licence=None, pickled=True),
            "SanjiWatsuki/Kunoichi-7B": hub_model("mistral-7b", licence="cc-by-nc-4.0"),
            "meta-llama/Llama-3.1-8B-Instruct": hub_model("llama-3.1-8b", licence="llama3.1"),
            "tokyotech-llm/Llama-3.1-Swallow-8B-Instruct-v0.3": hub_model("llama-3.1-8b", licence="llama3.1"),
            "nvidia/OpenMath2-Llama3.1-8B": hub_model("llama-3.1-8b", licence="llama3.1"),
            "llava-hf/llava-v1.6-mistral-7b-hf": hub_seeing_model("llava-1.6-mistral-7b"),
            "Qwen/Qwen2-VL-2B-Instruct": hub_seeing_model("qwen2-vl-2b"),
            "Qwen/Qwen3-4B-Instruct-2507": hub_model("qwen3-4b"),
            "Qwen/Qwen3-4B-Thinking-2507": hub_model("qwen3-4b"),
        },
        datasets={
            "juletxara/mgsm": {f"{code}/test.jsonl": lines(_numbers(code, 250)) for code in ("ja", "de")},
            "openai/gsm8k": {"main/test.jsonl": lines(_worked(1319))},
            "cruxeval-org/cruxeval": {"data/test.jsonl": lines(_code(800))},
            "SakanaAI/JA-VG-VQA-500": {"data/test-00000-of-00001.parquet": _pictured(500)},
            "SakanaAI/gsm8k-ja-test_250-1319": {"data/test.jsonl": lines(_numbers("ja", 1069))},
        },
    )


def lines(items: Iterable[dict[str, object]]) -> File:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


def _pictured(count: int) -> File:
    """Rows as JA-VG-VQA-500 has them, of pictures that are no larger than they must be."""
    rows = [
        {
            "image": {"bytes": _picture(i), "path": None},
            "qas": [{"question": f"w{i % 400} w{i // 400}?", "answer": f"答えは{i}です。"}],
        }
        for i in range(count)
    ]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def _picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (number % 256, number // 256, 0)).save(file, "PNG")
    return file.getvalue()


def _numbers(code: str, count: int) -> list[dict[str, object]]:
    return [{"question": f"{code} {i} + 1?", "answer_number": i + 1} for i in range(count)]


def _worked(count: int) -> list[dict[str, object]]:
    return [{"question": f"{i} + 1?", "answer": f"It is <<{i}+1={i + 1}>>{i + 1}.\n#### {i + 1}"} for i in range(count)]


def _code(count: int) -> list[dict[str, object]]:
    return [
        {"code": f"def f(x): return x + {i}", "input": "1", "output": str(i + 1), "id": f"sample_{i}"} for i in range(count)
    ]
