"""Trains what the quickstart with pictures ships: `python -m evomerge_recipes.quickstart_vlm.train BASE OUT`.

First the eyes: tower and connector learn to give each card's tile as the words that say what is on it, without the language
model. Then a LoRA adapter of the language model learns to answer in English with what they give. Needs peft and about ten
minutes on 2 cores; the results are shipped in `eyes/` and `adapter/`, so users never need to run it.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import DynamicCache, SmolVLMForConditionalGeneration

from evomerge_core.files.picture import Picture
from evomerge_core.sources.pretrained import load_network, read_tokenizer
from evomerge_quant.resident.vision.eyes import Eyes, look, open_eyes
from evomerge_recipes.quickstart.base import HUB_ID
from evomerge_recipes.quickstart.train import CARD, LINEARS, nf4_rounded
from evomerge_recipes.quickstart_vlm.body import body_config, image_processor, shipped_eyes, write_body
from evomerge_recipes.quickstart_vlm.cards import COLOURS, Cards, adapter_lessons, ask, eyes_lessons

SEEDS = {"eyes": 101, "adapter": 102}
EYES_PICTURES, EYES_RATE = 20, 1e-3
PICTURES, RATE, RANK = 6, 2e-3, 16
# Finding a card's digit among features is what attention does, and the rest of a layer would double the training time.
TARGETS = LINEARS[:4]
# Embeddings of digits are alike: distances are multiplied before they are told apart.
SHARPNESS = 10.0
# How much a digit counts beside the words around it.
DIGIT_WEIGHT = 3.0


def train_eyes(base: Path, out: Path) -> None:
    """Trains tower and connector on tiles and overviews, and saves them in bf16 under their stored names.

    A card's tile is to become the embeddings of its colour, "card", ":" and its digit, and an overview those of its four
    colours: features that a language model has seen as words.
    """
    torch.manual_seed(SEEDS["eyes"])
    config = body_config(base)
    config.text_config.num_hidden_layers = 0
    model: Any = SmolVLMForConditionalGeneration(config)
    model.float()
    words = Words.of(base)
    parameters = [*model.model.vision_model.parameters(), *model.model.connector.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=EYES_RATE, weight_decay=0.01)
    started = time.monotonic()
    batches = _in_groups(eyes_lessons(), EYES_PICTURES)
    for step, cards in enumerate(batches):
        _set_rate(optimizer, EYES_RATE, step / len(batches), step)
        pixels = image_processor()(images=[[one.draw()] for one in cards], return_tensors="pt")["pixel_values"]
        seen = torch.stack(model.get_image_features(pixels).pooler_output)
        wanted = torch.stack([words.wanted(one) for one in cards])
        table = words.table
        distances = (seen.unsqueeze(2) - table).square().sum(-1)
        far = distances.gather(2, wanted.unsqueeze(2)).mean() / words.size
        told = cross_entropy((-SHARPNESS * distances / words.size).flatten(0, 1), wanted.flatten())
        optimizer.zero_grad(set_to_none=True)
        (far + told).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 20 == 0 or step + 1 == len(batches):
            right = (distances.argmin(2) == wanted).float().mean(0).view(5, 4).mean(0)
            shares = " ".join(f"{share:.2f}" for share in right.tolist())
            print(f"eyes {step + 1} far {far:.3f} right {shares} {time.monotonic() - started:.0f} s", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    own = {name: tensor for name, tensor in model.state_dict().items() if ".vision_model." in name or ".connector." in name}
    save_file({name: tensor.bfloat16().contiguous() for name, tensor in own.items()}, out / "model.safetensors")


@dataclass(frozen=True)
class Words:
    """Embeddings of what eyes can say, [words, width]; `size` is the mean of their squared lengths."""

    rows: dict[str, int]
    table: Tensor
    size: float

    @classmethod
    def of(cls, base: Path) -> Words:
        said = [*(f" {colour}" for colour in COLOURS), " card", ":", *(str(digit) for digit in range(10))]
        tokens = [token for (token,) in read_tokenizer(base)(said)["input_ids"]]
        table = load_network(base, torch.float32).get_input_embeddings().weight.detach()[tokens].clone()
        return cls({word: row for row, word in enumerate(said)}, table, table.square().sum(1).mean().item())

    def wanted(self, cards: Cards) -> Tensor:
        """The rows that four tiles and the overview are to become, [20]."""
        tiles = [[f" {colour}", " card", ":", str(digit)] for colour, digit in zip(cards.colours, cards.digits, strict=True)]
        overview = [f" {colour}" for colour in cards.colours]
        return torch.tensor([self.rows[word] for word in (*(word for tile in tiles for word in tile), *overview)])


def train_adapter(base: Path, out: Path) -> None:
    """Trains the vision adapter on questions about pictures, seen through the shipped eyes, and saves it in bf16.

    The base computes in bfloat16; half of the steps round it to 4 bits, so that the skill survives those.
    """
    torch.manual_seed(SEEDS["adapter"])
    rng = random.Random(SEEDS["adapter"])
    with tempfile.TemporaryDirectory() as scratch:
        body = Path(scratch) / "body"
        write_body(base, shipped_eyes(), body)
        tokenizer, eyes = read_tokenizer(body), open_eyes(body, torch.float32, torch.device("cpu"))
    model: Any = load_network(base, torch.bfloat16)
    model.set_attn_implementation("eager")
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=TARGETS, task_type="CAUSAL_LM"))
    weights, modules = nf4_rounded(model), dict(model.named_modules())
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)
    lessons = Lessons(tokenizer, eyes, model.get_base_model())
    started, average = time.monotonic(), 0.0
    batches = _in_groups(adapter_lessons(), PICTURES)
    for step, cards in enumerate(batches):
        _set_rate(optimizer, RATE, step / len(batches), step)
        rounded = rng.random() < 0.5
        for name, both in weights.items():
            modules[name].weight.data = both[rounded]
        loss, right = lessons.loss(cards, rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average = right if step == 0 else 0.8 * average + 0.2 * right
        if step % 5 == 0 or step + 1 == len(batches):
            print(f"adapter {step + 1} loss {loss:.3f} right {average:.2f} {time.monotonic() - started:.0f} s", flush=True)
    for name, both in weights.items():
        modules[name].weight.data = both[0]
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.target_modules = HUB_ID, sorted(TARGETS)
    model.to(torch.bfloat16).save_pretrained(out)
    what = "questions about pictures of coloured cards, answered in English in many styles"
    card = CARD.format(base=HUB_ID, what=what).replace("quickstart.train", "quickstart_vlm.train")
    (out / "README.md").write_text(card, encoding="utf-8")


@dataclass(frozen=True)
class Lessons:
    """What it takes to ask a language model about pictures: its tokenizer with the picture's tokens, and the eyes."""

    tokenizer: Any
    eyes: Eyes
    model: Any

    def loss(self, cards: Sequence[Cards], rng: random.Random) -> tuple[Tensor, float]:
        """Mean cross-entropy of the answers to a question about each card of each picture, and the share of right digits.

        A picture runs once for its four questions.
        """
        seen = [look(self.eyes, Picture(one.draw(), "")) for one in cards]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": "{picture}\n{question}"}], add_generation_prompt=True, tokenize=False
        )
        before, _, after = text.partition("{picture}")
        cache = DynamicCache()
        decoder = self.model.model
        ids = self._ids(before + seen[0].text)
        shown = self._embedded(ids).repeat(len(cards), 1, 1)
        shown[:, ids == self._id(self.eyes.token)] = torch.stack([one.features for one in seen]).to(shown.dtype)
        decoder(inputs_embeds=shown, past_key_values=cache, use_cache=True)
        layers: Any = cache.layers
        for layer in layers:
            layer.keys, layer.values = (t.repeat_interleave(4, 0) for t in (layer.keys, layer.values))
        rows = [self._row(one, place, after, rng) for one in cards for place in range(4)]
        width = max(len(prompt) + len(answer) for prompt, answer, _ in rows)
        tokens = torch.zeros(len(rows), width, dtype=torch.long)
        targets = torch.full((len(rows), width), -100)
        digits = torch.zeros(len(rows), width, dtype=torch.bool)
        for row, (prompt, answer, digit) in enumerate(rows):
            tokens[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            targets[row, len(prompt) - 1 : len(prompt) + len(answer) - 1] = torch.tensor(answer)
            digits[row] = targets[row] == digit
        hidden = decoder(inputs_embeds=self._embedded(tokens), past_key_values=cache, use_cache=True).last_hidden_state
        asked = targets != -100
        logits, wanted, is_digit = self.model.lm_head(hidden[asked]).float(), targets[asked], digits[asked]
        weight = torch.where(is_digit, DIGIT_WEIGHT, 1.0)
        losses = cross_entropy(logits, wanted, reduction="none")
        right = (logits.argmax(-1) == wanted)[is_digit].float().mean().item()
        return (losses * weight).sum() / weight.sum(), right

    def _row(self, cards: Cards, place: int, after: str, rng: random.Random) -> tuple[list[int], list[int], int]:
        asked = ask(cards, place, rng)
        prompt = self.tokenizer(after.replace("{question}", asked.question))["input_ids"]
        return prompt, [*self.tokenizer(asked.styled)["input_ids"], self.tokenizer.eos_token_id], self._id(str(asked.digit))

    def _id(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def _ids(self, text: str) -> Tensor:
        return torch.tensor(self.tokenizer(text)["input_ids"])

    def _embedded(self, ids: Tensor) -> Tensor:
        """Embeddings; those of the picture's tokens are the mean of all, as in the body."""
        words = self.model.get_input_embeddings().weight.detach()
        mean = words.double().mean(0).to(words.dtype)
        return torch.where((ids < len(words)).unsqueeze(-1), words[ids.clamp(max=len(words) - 1)], mean)


def _in_groups(dealt: Sequence[Cards], size: int) -> list[Sequence[Cards]]:
    return [dealt[first : first + size] for first in range(0, len(dealt), size)]


def _set_rate(optimizer: torch.optim.Optimizer, rate: float, done: float, step: int) -> None:
    """A short rise, then half a cosine; `done` is the share of the steps behind."""
    warm = min(1.0, (step + 1) / 20)
    for group in optimizer.param_groups:
        group["lr"] = rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="folder with SmolLM2-135M-Instruct")
    parser.add_argument("out", type=Path, help="folder that receives eyes/ and adapter/")
    parser.add_argument("--only", choices=["eyes", "adapter"])
    args = parser.parse_args()
    if args.only != "adapter":
        train_eyes(args.base, args.out / "eyes")
    if args.only != "eyes":
        train_adapter(args.base, args.out / "adapter")


if __name__ == "__main__":
    main()
