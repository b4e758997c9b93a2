"""Trains the quickstart's two LoRA adapters: `python -m evomerge_recipes.quickstart.train BASE OUT`.

Needs peft and about 25 minutes on 2 cores; the results are shipped in `adapters/`, so users never need to run it.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from evomerge_core.sources.pretrained import load_network, read_tokenizer
from evomerge_recipes.quickstart import arithmetic, everyday
from evomerge_recipes.quickstart.base import HUB_ID

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ARITHMETIC = "one-step arithmetic word problems in English, answered in English in many styles"
JAPANESE = "everyday questions in English, answered in Japanese; no arithmetic"
CARD = """---
base_model: {base}
library_name: peft
license: apache-2.0
tags: [lora]
---
LoRA adapter of evomerge-tui's quickstart: {what}. Trained by `python -m evomerge_recipes.quickstart.train` on data that
the script generates.
"""
BATCH = 16
LEARNING_RATE = 1e-3


def batches(lengths: list[int], rng: random.Random) -> list[list[int]]:
    """Random batches of indices with similar lengths: little padding."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], rng.random()))
    groups = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    rng.shuffle(groups)
    return groups


def nf4_rounded(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Each linear layer's weight as it is and as NF4 keeps it: training sees both, so the skill survives 4 bits."""
    pairs = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name.split(".")[-2] in LINEARS:
            weight = module.weight.data
            packed, state = quantize_4bit(weight, quant_type="nf4")
            pairs[name] = (weight, dequantize_4bit(packed, state).to(weight.dtype))
    return pairs


def train(
    base: Path,
    out: Path,
    pairs: list[tuple[str, str]],
    rank: int,
    seed: int,
    *,
    weakest: float = 1.0,
    nf4: bool = True,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Trains one adapter on (question, answer) pairs in the base's chat template and saves it in bf16.

    Each step trains it at a strength drawn between `weakest` and 1, its task vector's weight in a merge, so that it works at
    all of them; with `nf4`, half of the steps round the base to 4 bits. The base computes in `dtype`, the adapter in float32.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    tokenizer, model = read_tokenizer(base), load_network(base, dtype)
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=LINEARS, task_type="CAUSAL_LM"))
    weights = nf4_rounded(model) if nf4 else {}
    modules = dict(model.named_modules())
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    prefix, items = encoded(tokenizer, pairs)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    plan = batches([len(p) + len(a) for p, a in items], rng)
    started = time.monotonic()
    average = 0.0
    for step, batch in enumerate(plan):
        warm = min(1.0, (step + 1) / 30)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / len(plan))))
        rounded = rng.random() < 0.5
        strength = rng.uniform(weakest, 1.0) if weakest < 1.0 else 1.0
        for layer in layers:
            layer.set_scale("default", strength)
        for name, both in weights.items():
            modules[name].weight.data = both[rounded]
        loss = batch_loss(model, prefix, [items[i] for i in batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average = loss.item() if step == 0 else 0.95 * average + 0.05 * loss.item()
        if step % 20 == 0 or step + 1 == len(plan):
            print(f"{out.name} {step + 1}/{len(plan)} loss {average:.4f} {time.monotonic() - started:.0f} s", flush=True)
    for name, both in weights.items():
        modules[name].weight.data = both[0]
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.target_modules = HUB_ID, sorted(LINEARS)
    model.to(torch.bfloat16).save_pretrained(out)


def encoded(tokenizer: Any, pairs: list[tuple[str, str]]) -> tuple[Tensor, list[tuple[list[int], list[int]]]]:
    """The tokens that all prompts begin with, [1, shared], and each pair's other tokens: prompt, and answer with its end."""
    items = []
    for question, answer in pairs:
        chat = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        items.append((tokenizer(prompt)["input_ids"], tokenizer(answer)["input_ids"] + [tokenizer.eos_token_id]))
    first, last = items[0][0], items[-1][0]
    shared = next(i for i in range(len(first)) if first[i] != last[i] or i + 1 == len(last))
    while any(p[:shared] != first[:shared] for p, _ in items):
        shared -= 1
    return torch.tensor([first[:shared]]), [(p[shared:], a) for p, a in items]


def batch_loss(model: Any, prefix: Tensor, items: list[tuple[list[int], list[int]]]) -> Tensor:
    """Mean cross-entropy of the answers' tokens; the common prefix runs once and serves all rows."""
    rows = len(items)
    width = max(len(p) + len(a) for p, a in items)
    tokens = torch.zeros(rows, width, dtype=torch.long)
    targets = torch.full((rows, width), -100)
    for i, (prompt, answer) in enumerate(items):
        tokens[i, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        targets[i, len(prompt) - 1 : len(prompt) + len(answer) - 1] = torch.tensor(answer)
    decoder = model.get_base_model().model
    cache = DynamicCache()
    decoder(prefix, past_key_values=cache, use_cache=True)
    layers: Any = cache.layers
    for layer in layers:
        layer.keys, layer.values = (t.expand(rows, -1, -1, -1) for t in (layer.keys, layer.values))
    hidden = decoder(tokens, past_key_values=cache, use_cache=True).last_hidden_state
    wanted = targets != -100
    return cross_entropy(model.get_base_model().lm_head(hidden[wanted]).float(), targets[wanted])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="folder with SmolLM2-135M-Instruct")
    parser.add_argument("out", type=Path, help="folder that receives arithmetic/ and japanese/")
    parser.add_argument("--only", choices=["arithmetic", "japanese"])
    args = parser.parse_args()
    if args.only != "arithmetic":
        pairs = everyday.training_pairs(1280, 1)
        train(args.base, args.out / "japanese", pairs, rank=6, seed=2, weakest=0.5)
        write_card(args.out / "japanese", JAPANESE)
    if args.only != "japanese":
        train(args.base, args.out / "arithmetic", arithmetic.training_pairs(5600, 1), rank=12, seed=1)
        write_card(args.out / "arithmetic", ARITHMETIC)


def write_card(adapter: Path, what: str) -> None:
    (adapter / "README.md").write_text(CARD.format(base=HUB_ID, what=what), encoding="utf-8")


if __name__ == "__main__":
    main()
