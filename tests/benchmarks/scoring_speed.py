"""How fast the resident model answers: the quickstart's items, against `generate` and a pass for the correct answer.

    python tests/benchmarks/scoring_speed.py BASE [ADAPTER...] [--items 32] [--precision nf4] [--repeats 3]

The candidate is BASE plus all ADAPTERs' task vectors, weight 1. Both ways greedily answer the same arithmetic word problems
(20 tokens at most) and give the log-probability of the correct answers; transformers' way is one left-padded batch through
`generate`, then one forward pass over prompts and correct answers, on the same weights. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from transformers import AutoTokenizer

from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.sources.source import open_sources
from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_recipes.quickstart.arithmetic import task_items


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    resident = build(arguments.base, precision=arguments.precision, device=arguments.device)
    load_candidate(resident, arguments.base, arguments.adapters)
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    questions = make_questions(task_items(arguments.items, seed=0), tokenizer)
    plain = [Question(q.prompt, max_new_tokens=q.max_new_tokens) for q in questions]

    answers = resident.answer(questions)
    others = generate(resident, questions, tokenizer)
    same = sum(a.text == other.text for a, other in zip(answers, others, strict=True))
    apart = max(abs(a.gold_logprob - other.gold_logprob) for a, other in zip(answers, others, strict=True))
    ways: Mapping[str, Callable[[], object]] = {
        "transformers": lambda: generate(resident, questions, tokenizer),
        "resident, no correct answers": lambda: resident.answer(plain),
        "resident": lambda: resident.answer(questions),
    }
    print(f"{torch.get_num_threads()} threads, {resident.precision}, computed in {resident.compute_dtype}")
    print(
        f"{sum(a.tokens for a in answers)} tokens; {same} of {len(answers)} texts equal, log-probabilities within {apart:.0e}\n"
    )
    print("| way | seconds | items/s |\n| --- | ---: | ---: |")
    for name, way in ways.items():
        seconds = median(way, arguments.repeats)
        print(f"| {name} | {seconds:.2f} | {len(questions) / seconds:.1f} |", flush=True)


def load_candidate(resident: ResidentModel, base: Path, adapters: Sequence[Path]) -> None:
    """The base with the adapters' task vectors added."""
    references = [f"{base.resolve()}+{adapter.resolve()}" for adapter in adapters] or [str(base.resolve())]
    members = tuple(SliceSource(reference, None, {"weight": (Setting((1.0,)),)}) for reference in references)
    config = MergeConfig("task_arithmetic", (Slice(members),), str(base.resolve()))
    sources = open_sources([str(base.resolve()), *references], relative_to=Path.cwd())
    resident.load(MergeEngine(sources).stream(make_plan(config, sources)))


def make_questions(items: Sequence[Mapping[str, str]], tokenizer: AutoTokenizer) -> list[Question]:
    """The items in the model's chat template."""

    def prompt(text: str) -> str:
        messages = [{"role": "user", "content": text}]
        rendered: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return rendered

    return [Question(prompt(item["question"]), item["gold"], max_new_tokens=20) for item in items]


@torch.inference_mode()
def generate(resident: ResidentModel, questions: Sequence[Question], tokenizer: AutoTokenizer) -> list[Answer]:
    """Transformers' answers and log-probabilities of the correct answers with their end tokens."""
    model, limit = resident.module, questions[0].max_new_tokens
    tokenizer.padding_side = "left"
    batch = tokenizer([q.prompt for q in questions], return_tensors="pt", padding=True, add_special_tokens=False)
    batch = batch.to(resident.device)
    out = model.generate(**batch, do_sample=False, max_new_tokens=limit)[:, batch.input_ids.shape[1] :]
    texts = tokenizer.batch_decode(out, skip_special_tokens=True)
    golds = [[*tokenizer(q.gold, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for q in questions]
    prompts = [tokenizer(q.prompt, add_special_tokens=False).input_ids for q in questions]
    width = max(len(p) + len(g) for p, g in zip(prompts, golds, strict=True))
    rows = [[0] * (width - len(p) - len(g)) + p + g for p, g in zip(prompts, golds, strict=True)]
    mask = [[0] * (width - len(p) - len(g)) + [1] * (len(p) + len(g)) for p, g in zip(prompts, golds, strict=True)]
    ids, mask = (torch.tensor(x, device=resident.device) for x in (rows, mask))
    most = max(len(gold) for gold in golds)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(ids, attention_mask=mask, position_ids=positions, logits_to_keep=most + 1).logits[:, :-1].float()
    logprobs = logits.log_softmax(-1).gather(2, ids[:, -most:, None])[..., 0]
    sums = [float(row[-len(gold) :].sum()) for row, gold in zip(logprobs, golds, strict=True)]
    return [Answer(text, gold_logprob=total) for text, total in zip(texts, sums, strict=True)]


def median(work: Callable[[], object], repeats: int) -> float:
    """Seconds of wall time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times the resident model's answers against transformers' generate.")
    parser.add_argument("base", type=Path, help="the base model's folder")
    parser.add_argument("adapters", type=Path, nargs="*", help="PEFT adapter folders whose task vectors are added")
    parser.add_argument("--items", type=int, default=32)
    parser.add_argument("--precision", choices=("nf4", "int5", "int8", "bf16", "fp32"), default="nf4")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
