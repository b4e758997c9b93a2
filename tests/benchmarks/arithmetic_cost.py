"""What one arithmetic for every processor costs: the same questions in each arithmetic that a CPU has.

    python tests/benchmarks/arithmetic_cost.py BASE [ADAPTER...] [--items 48] [--precision nf4] [--repeats 3]

"In fixed order" is how runs score; "torch's own" are the same float32 weights with torch's products and attention, whose
order of sums depends on the processor; bfloat16 is the recipe's `arithmetic: bfloat16`. The ways take turns. Prints the
processor, a Markdown table of medians, and how many answers are the same as in fixed order.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from scoring_speed import load_candidate, make_questions
from torch import nn
from transformers import AutoTokenizer

from evomerge_core.processor import processor_name
from evomerge_core.tasks.evaluator import Answer
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.few_bits.linear import FewBitLinear
from evomerge_quant.resident.network.fixed_linear import FixedOrderLinear
from evomerge_recipes.quickstart.arithmetic import task_items


def main() -> None:
    args = _arguments()
    questions = make_questions(task_items(args.items, seed=0), AutoTokenizer.from_pretrained(args.base))
    models = {
        "float32 in fixed order (a run's)": build(args.base, precision=args.precision, device="cpu", batch_size=args.items),
        "float32, torch's own": build(args.base, precision=args.precision, device="cpu", batch_size=args.items),
        "bfloat16": build(args.base, precision=args.precision, device="cpu", arithmetic="bfloat16", batch_size=args.items),
    }
    take_torchs_order(models["float32, torch's own"])
    for model in models.values():
        load_candidate(model, args.base, args.adapters)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    answers: dict[str, list[Answer]] = {}
    for _ in range(args.repeats + 1):  # the first is not counted
        for name, model in models.items():
            started = time.perf_counter()
            answers[name] = model.answer(questions)
            seconds[name].append(time.perf_counter() - started)
    expected = next(iter(answers.values()))
    tokens = sum(answer.tokens for answer in expected)
    print(f"{processor_name()}, {torch.get_num_threads()} threads; {args.precision}, {args.items} items, {tokens} tokens\n")
    print("| arithmetic | seconds | times a run's | same answers |\n| --- | ---: | ---: | ---: |")
    medians = {name: statistics.median(each[1:]) for name, each in seconds.items()}
    for name, median in medians.items():
        same = sum(one.text == other.text for one, other in zip(answers[name], expected, strict=True))
        print(f"| {name} | {median:.2f} | {median / next(iter(medians.values())):.2f} | {same} of {args.items} |")


def take_torchs_order(model: ResidentModel) -> None:
    """Products and attention as torch computes them."""
    for module in model.module.modules():
        if type(module) is FixedOrderLinear:
            module.__class__ = nn.Linear
        elif isinstance(module, FewBitLinear):
            if module.dense is None:
                raise SystemExit("the model is too large to be held unpacked here; take a smaller one")
            module.forward = lambda x, layer=module: nn.functional.linear(x, layer.dense, layer.bias)
    model.module.set_attn_implementation("sdpa")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="the base's folder")
    parser.add_argument("adapters", type=Path, nargs="*", help="LoRA adapters that are added to it")
    parser.add_argument("--items", type=int, default=48)
    parser.add_argument("--precision", choices=["nf4", "int5", "int8", "bf16", "fp32"], default="nf4")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
