"""How fast a card decodes: steps replayed as CUDA graphs, the same steps without, the CPU's running batch, and `generate`.

    python tests/benchmarks/decoding_on_a_card.py [--size 1.5b] [--rows 64] [--tokens 128] [--precisions nf4 bf16]

On a generated model; rows have prompts of 24 words and no end, so that all write as many tokens. Prints a Markdown table of
tokens a second (median of `--repeats`), and how many texts are those of the running batch: sums in bfloat16 depend on a
batch's shape, so close calls may fall otherwise.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from evomerge_core.merging.engine import MergeEngine
from evomerge_core.sources.source import open_sources
from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_quant.card_check.generated_models import write_models
from evomerge_quant.card_check.steps import Bench, merge_plan
from evomerge_quant.planning.card_sizes.model_sizes import MODEL_SIZES
from evomerge_quant.resident.answering import answering
from evomerge_quant.resident.answering.decoding import replay
from evomerge_quant.resident.answering.decoding.running import RunningBatch
from evomerge_quant.resident.model import ResidentModel, build


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    size = MODEL_SIZES[arguments.size]
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {arguments.size}, {arguments.rows} rows\n")
    print("| precision | way | tokens/s | texts as the running batch's |\n| --- | --- | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folders = write_models(Path(place), size)
        sources = open_sources([str(one) for one in folders], relative_to=Path(place))
        bench = Bench(folders, sources, size.words)
        for precision in arguments.precisions:
            model = build(folders[0], precision=precision, device="cuda", batch_size=arguments.rows)
            model.load(MergeEngine(sources).stream(merge_plan(bench, "linear")))
            questions = [
                Question(question.prompt, max_new_tokens=arguments.tokens)
                for question in bench.questions(arguments.rows, arguments.tokens)
            ]
            _rows(precision, model, questions, arguments.repeats)


def _rows(precision: str, model: ResidentModel, questions: list[Question], repeats: int) -> None:
    expected: list[Answer] = []
    for name, way in _ways(model, questions).items():
        found, seconds = _measured(way, repeats)
        expected = expected or found
        speed = sum(answer.tokens for answer in found or expected) / seconds
        same = sum(a.text == b.text for a, b in zip(found, expected, strict=True)) if found else None
        print(f"| {precision} | {name} | {speed:,.0f} | {'' if same is None else f'{same} of {len(expected)}'} |", flush=True)


def _ways(model: ResidentModel, questions: list[Question]) -> dict[str, Callable[[], list[Answer]]]:
    def running() -> list[Answer]:
        def make(reader: Any, _: Any, vocabulary: Any, seats: int) -> RunningBatch:
            return RunningBatch(reader, vocabulary, seats)

        with mock.patch.object(answering, "_make_batch", make):
            return model.answer(questions)

    def without_graphs() -> list[Answer]:
        with mock.patch.object(replay.Replay, "_record", return_value=None):
            return model.answer(questions)

    def generated() -> list[Answer]:
        ids = torch.tensor([[int(word[1:]) for word in question.prompt.split()] for question in questions], device="cuda")
        most = questions[0].max_new_tokens
        model.module.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=most, max_new_tokens=most, pad_token_id=1
        )
        return []

    return {
        "running batch": running,
        "seats": without_graphs,
        "seats, graphs": lambda: model.answer(questions),
        "transformers' generate": generated,
    }


def _measured(way: Callable[[], list[Answer]], repeats: int) -> tuple[list[Answer], float]:
    """The answers, and seconds; `generate` gives none."""
    way()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        answers = way()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return answers, statistics.median(seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(MODEL_SIZES), default="1.5b")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--precisions", nargs="+", default=["nf4", "bf16"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
