"""Items scored per second, ours against lm-evaluation-harness's own HF backend: same model, same items, same answers, one run.

    python tests/benchmarks/scoring_throughput.py MODEL [--items 96] [--batch-sizes 1 8 16 32 64] [--repeats 3]

MODEL is a folder with a chat template; both compute in float32 on the CPU (or on CUDA where there is one), greedily, at most 20
new tokens an answer. The other backend is timed at its default batch size, 1, and at each of those given. Ours is timed
through the same interface, and as a run scores: there the correct answers are read with the prompts, which gives their
log-likelihoods too and decides tokens that agree with them. Needs the extra `harness`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer

from evomerge_core.sources.source import open_sources
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.harness import ResidentHarness
from evomerge_quant.resident.model import build
from evomerge_recipes.quickstart.arithmetic import task_items

MOST = 20


def main() -> None:
    args = _arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer: Any = AutoTokenizer.from_pretrained(args.model)
    items = task_items(args.items, seed=0)
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": item["question"]}], tokenize=False, add_generation_prompt=True
        )
        for item in items
    ]
    settings = {"until": [], "do_sample": False, "max_gen_toks": MOST}
    requests = [Instance("generate_until", {}, (prompt, settings), n) for n, prompt in enumerate(prompts)]
    model = build(args.model, precision="fp32", device=device)
    source = open_sources([str(args.model.resolve())], relative_to=Path.cwd())[str(args.model.resolve())]
    model.load((name, source.read(name)) for name in source.names)
    ours = ResidentHarness(model, args.model)
    questions = [Question(prompt, item["gold"], max_new_tokens=MOST) for prompt, item in zip(prompts, items, strict=True)]

    expected = ours.generate_until(requests)
    rows: list[tuple[str, float, int]] = []
    for size in dict.fromkeys([1, *args.batch_sizes]):
        theirs = HFLM(pretrained=str(args.model), dtype="float32", device=device, batch_size=size)
        answer = partial(theirs.generate_until, requests, disable_tqdm=True)
        same = agreeing(answer(), expected)
        rows.append((f"lm-evaluation-harness, HF, batch {size}", timed(answer, 1 if size == 1 else args.repeats), same))
        del theirs, answer
    rows.append(("resident, same interface", timed(lambda: ours.generate_until(requests), args.repeats), args.items))
    rows.append(("resident, as a run scores", timed(lambda: model.answer(questions), args.repeats), args.items))
    own = [answer.text for answer in model.answer(questions)]
    rows[-1] = (*rows[-1][:2], agreeing(own, expected))
    table(rows, args.items)


def agreeing(said: list[str], expected: list[str]) -> int:
    """How many answers are the same, but for white space at the ends."""
    return sum(one.strip() == other.strip() for one, other in zip(said, expected, strict=True))


def timed(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of wall time."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def table(rows: list[tuple[str, float, int]], items: int) -> None:
    """Items a second, and ours as a multiple of the other backend's default and best."""
    others = [items / seconds for name, seconds, _ in rows if "HF" in name]
    print(f"{torch.get_num_threads()} threads, {items} items\n")
    print("| way | items/s | times its default | times its best | same answers |\n| --- | ---: | ---: | ---: | ---: |")
    for name, seconds, same in rows:
        speed = items / seconds
        print(f"| {name} | {speed:.1f} | {speed / others[0]:.1f} | {speed / max(others):.2f} | {same} of {items} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model's folder")
    parser.add_argument("--items", type=int, default=96)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
