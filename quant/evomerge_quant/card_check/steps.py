"""What is tried on a card, one thing in each function."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import TensorMerge, make_plan
from evomerge_core.methods.method import Parameter
from evomerge_core.methods.registry import get_method
from evomerge_core.sources.source import Source
from evomerge_core.tasks.evaluator import CandidateError, Question
from evomerge_quant.card_check.generated_models import texts
from evomerge_quant.card_check.results import CardResult, result
from evomerge_quant.gguf.proof.comparison import Stretch
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.proof.reference import Reference
from evomerge_quant.resident import memory
from evomerge_quant.resident.answering.room import answering_bytes
from evomerge_quant.resident.answering.row_lengths import RowLengths
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.skeleton import FEW_BITS, Precision

CARD, CPU = torch.device("cuda"), torch.device("cpu")
# Those of a search; the others are for merges by hand.
METHODS = ("linear", "task_arithmetic", "ties", "dare_ties", "breadcrumbs", "slerp")
# Tokens of a question and of its correct answer.
_PROMPT, _GOLD = 24, 6
# Products in bfloat16 differ in their last bits, and an answer's log-likelihood with them.
_NATS_A_TOKEN, _ALIKE = 0.05, 0.95
_PRODUCT_ERROR = 0.02
# How far what is allocated may lie from the plan, beside what cuBLAS takes of torch once a process, for any product.
_OFF_PLAN = 0.1
_WORKSPACES = 70_000_000


@dataclass(frozen=True)
class Bench:
    """The generated models: their folders, the base's first, and opened by reference."""

    folders: tuple[Path, ...]
    sources: Mapping[str, Source]
    words: int

    def questions(self, count: int, new_tokens: int) -> list[Question]:
        """Questions with a correct answer, a token a word."""
        prompts, gold = texts(count, _PROMPT, self.words), texts(count, _GOLD, self.words)
        return [Question(prompt, answer, (), new_tokens) for prompt, answer in zip(prompts, gold, strict=True)]


def merge_plan(bench: Bench, method: str, value: float = 0.5) -> tuple[TensorMerge, ...]:
    """A merge of the fine-tunes, every number (weights, densities, places between two models) this value."""
    known = get_method(method)
    base, *tuned = bench.sources
    merged = tuned[: known.max_sources or len(tuned)]
    per_source = {p.name: _setting(p, value) for p in known.parameters.values() if p.per_source}
    single = {p.name: _setting(p, value) for p in known.parameters.values() if not p.per_source}
    members = tuple(SliceSource(reference, None, per_source) for reference in merged)
    return make_plan(MergeConfig(method, (Slice(members),), base if known.takes_base else None, single), bench.sources)


def kernels() -> Iterator[CardResult]:
    """A layer in every precision of few bits: the card's codes and products beside the CPU's."""
    torch.manual_seed(3)
    weight, x = torch.randn(512, 1024).to(torch.bfloat16), torch.randn(16, 1024)
    for precision, kind in FEW_BITS.items():
        layers = [kind(torch.nn.Linear(1024, 512, bias=False), torch.float32) for _ in range(2)]
        for layer, device in zip(layers, (CPU, CARD), strict=True):
            layer.place(device, unpacked=False)
            layer.take(weight)
        codes = [layer.weight.data.cpu().reshape(-1) for layer in layers]
        same = float((codes[0] == codes[1]).float().mean())
        with torch.inference_mode():
            expected, found = layers[0](x), layers[1](x.to(CARD)).cpu()
        error = float((found - expected).abs().max() / expected.abs().max())
        text = f"{same:.2%} of the codes are the CPU's, products differ by {error:.1e} of the largest"
        yield result(f"kernels, {precision}", same > 1 - 1e-4 and error < _PRODUCT_ERROR, text, same_codes=same, error=error)


def parity(bench: Bench, precision: Precision) -> Iterator[CardResult]:
    """A merge scored on the card and on the CPU: log-likelihoods of the correct answers, and the answers."""
    plan, questions = merge_plan(bench, "task_arithmetic"), bench.questions(8, 8)
    answers = []
    for device in (CPU, CARD):
        model = build(bench.folders[0], precision=precision, device=_name(device), arithmetic="bfloat16", batch_size=8)
        model.load(MergeEngine(bench.sources, reuses_memory=True).stream(plan))
        answers.append(model.answer(questions))
        del model
    pairs = list(zip(*answers, strict=True))
    apart = sum(abs(a.gold_logprob - b.gold_logprob) / max(1, a.gold_tokens) for a, b in pairs) / len(pairs)
    text = f"log-likelihoods are {apart:.4f} nats a token apart in the mean"
    yield result(f"parity with the CPU, {precision}", apart < _NATS_A_TOKEN, text, nats_a_token=apart)


def candidates(bench: Bench, precision: Precision) -> Iterator[CardResult]:
    """Seconds from a genome to a model that can be scored: of a method's first candidate, and of one with other numbers."""
    model = build(bench.folders[0], precision=precision, device="cuda")
    for method in METHODS:
        engine = MergeEngine(bench.sources, reuses_memory=True)
        first, second = (_timed_load(model, engine, merge_plan(bench, method, value)) for value in (0.5, 0.4))
        text = f"{second:.2f} s a candidate, the first {first:.2f} s"
        yield result(f"merge and load, {method}", True, text, seconds=second, first_seconds=first)


def speed(bench: Bench, precision: Precision, rows: int, new_tokens: int) -> Iterator[CardResult]:
    """Tokens a second of a running batch, beside transformers' `generate` with the same weights."""
    model = _loaded(bench, precision)
    model.batch_size = rows
    questions = bench.questions(rows, new_tokens)
    model.answer(questions[:2])
    started = time.perf_counter()
    written = sum(answer.tokens for answer in model.answer(questions))
    torch.cuda.synchronize()
    ours = written / (time.perf_counter() - started)
    theirs = _generated_a_second(model, questions, new_tokens)
    text = f"{ours:,.0f} tokens a second, {rows} rows; transformers' generate {theirs:,.0f}"
    if model.refused_recording:
        text += f"; its steps can't be recorded as CUDA graphs ({model.refused_recording})"
    yield result(f"answers, {precision}", True, text, tokens_a_second=ours, generate_tokens_a_second=theirs)


def peak_memory(bench: Bench, precision: Precision, rows: int, new_tokens: int) -> Iterator[CardResult]:
    """What torch allocates at most while a candidate is taken and answers, beside the plan."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    model = _loaded(bench, precision)
    held = torch.cuda.memory_allocated() - before
    taken = torch.cuda.max_memory_allocated() - before
    torch.cuda.reset_peak_memory_stats()
    questions = bench.questions(rows, new_tokens)
    model.batch_size = rows
    model.answer(questions)
    answering = torch.cuda.max_memory_allocated() - before
    config, dtype = model.module.config, model.compute_dtype
    planned = memory.resident_bytes(config, precision, dtype)
    most = planned + max(memory.taking_bytes(config, precision, dtype), _answering_bytes(model, rows, new_tokens))
    good = (
        abs(held - planned) <= _OFF_PLAN * planned + 1_000_000 and max(taken, answering) <= (1 + _OFF_PLAN) * most + _WORKSPACES
    )
    text = (
        f"{held / 1e9:.2f} GB held (planned {planned / 1e9:.2f}), {taken / 1e9:.2f} GB while taking a candidate,"
        f" {answering / 1e9:.2f} GB while answering (planned at most {most / 1e9:.2f})"
    )
    yield result(f"memory, {precision}", good, text, held=held, planned=planned, taking=taken, answering=answering, most=most)


def out_of_memory(bench: Bench, precision: Precision) -> Iterator[CardResult]:
    """The card is filled up on purpose, but for half of what answering takes: answers come in smaller batches or not at all,
    and as before once there is room."""
    rows, new_tokens = 32, 8
    model, questions = _loaded(bench, precision), bench.questions(rows, new_tokens)
    model.batch_size = rows
    expected = model.answer(questions)
    left = _answering_bytes(model, rows, new_tokens) // 2
    filler = torch.empty(max(0, memory.available_bytes(CARD) - left), dtype=torch.uint8, device=CARD)
    try:
        model.answer(questions)
        during = f"{model.batch_size} rows at a time"
    except CandidateError as error:
        during = str(error)
    del filler
    model.load(MergeEngine(bench.sources, reuses_memory=True).stream(merge_plan(bench, "linear")))
    model.batch_size = len(questions)
    same = sum(a.text == b.text for a, b in zip(model.answer(questions), expected, strict=True)) / len(questions)
    text = f"with {left / 1e6:.1f} MB free: {during}; afterwards {same:.0%} of the answers as before"
    yield result(f"out of memory, {precision}", same >= _ALIKE, text, same_answers=same)


def export_reference(bench: Bench) -> Iterator[CardResult]:
    """The model that an export is compared with: where it was put, and whether its logits are numbers."""
    items = [ProofItem(question) for question in bench.questions(3, 4)]
    reference = Reference(bench.folders[0], items)
    stretches = [Stretch((*row.prompt, *row.gold), 1) for row in reference.rows]
    found = torch.cat([logits.cpu() for logits in reference.logits(stretches)])
    where, precision = reference.device.type, reference.precision
    del reference
    finite = bool(found.isfinite().all())
    yield result("export's reference", finite, f"{precision} on {where}, logits are {'' if finite else 'not '}numbers")


def _loaded(bench: Bench, precision: Precision) -> ResidentModel:
    model = build(bench.folders[0], precision=precision, device="cuda")
    model.load(MergeEngine(bench.sources, reuses_memory=True).stream(merge_plan(bench, "linear")))
    return model


def _answering_bytes(model: ResidentModel, rows: int, new_tokens: int) -> int:
    """What the plan says that answering so many questions at once takes."""
    lengths = RowLengths(read=_PROMPT + _GOLD, whole=_PROMPT + new_tokens, judged=_GOLD + 1)
    sizes = memory.pass_sizes(model.module.config, model.precision, model.compute_dtype, "cuda")
    return answering_bytes(sizes, lengths, rows, rows)


def _timed_load(model: ResidentModel, engine: MergeEngine, plan: Sequence[TensorMerge]) -> float:
    started = time.perf_counter()
    model.load(engine.stream(plan))
    torch.cuda.synchronize()
    return time.perf_counter() - started


@torch.inference_mode()
def _generated_a_second(model: ResidentModel, questions: Sequence[Question], new_tokens: int) -> float:
    ids = torch.tensor([[int(word[1:]) for word in question.prompt.split()] for question in questions], device=CARD)
    settings: dict[str, Any] = {"do_sample": False, "max_new_tokens": new_tokens, "pad_token_id": 1}
    model.module.generate(ids[:2], attention_mask=torch.ones_like(ids[:2]), **settings)
    started = time.perf_counter()
    out = model.module.generate(ids, attention_mask=torch.ones_like(ids), **settings)
    torch.cuda.synchronize()
    return float((out.shape[1] - ids.shape[1]) * len(ids) / (time.perf_counter() - started))


def _setting(parameter: Parameter, value: float) -> tuple[Setting, ...]:
    chosen = value if parameter.default is None or parameter.name == "density" else parameter.default
    return (Setting((chosen,)),)


def _name(device: torch.device) -> Any:
    return device.type
