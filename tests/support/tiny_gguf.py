"""A tiny random Qwen2 with a byte-level tokenizer and a chat template, as a model folder and as a GGUF of the same weights.

The GGUF is written with gguf's own writer; Qwen2's tensors need no reordering, so the folder's are put in as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM

LAYERS = 2
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_CORPUS = ("the cat sat on the mat and the dog ran", "one two three four 12 345 6789", "größe naïve café 東京 の 猫 🙂👩‍🔬")


def save_folder(
    folder: Path, seed: int = 0, *, template: str | None = TEMPLATE, merges: int = 40, endless: bool = False, **changes: Any
) -> Path:
    """The model folder, bf16; weights by `seed`, tokenizer by `merges`; an `endless` one never ends an answer by itself."""
    tokenizer = _tokenizer(merges)
    sizes: dict[str, Any] = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.25,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": [2, 0],  # llama.cpp takes <|endoftext|> for an end by its name
        "pad_token_id": 0,
    }
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(Qwen2Config(**(sizes | changes)))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.25)
    if endless:
        head = model.get_output_embeddings().weight.data
        head.mul_(10)
        head[: len(SPECIAL)] = 0  # among 150 logits of deviation 20, one of 0 is never drawn
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
    if template is not None:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def write_gguf(
    folder: Path,
    path: Path,
    *,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    noise: float = 0.0,
    tokenizer_folder: Path | None = None,
    end: int = 2,
    **metadata: Any,
) -> Path:
    """The folder as a GGUF. `noise` perturbs every matrix by that share of its spread; matrices become `kind`."""
    writer = gguf.GGUFWriter(path, "qwen2")
    _write_sizes(writer, json.loads((folder / "config.json").read_text()))
    _write_tokenizer(writer, tokenizer_folder or folder, end)
    for key, value in metadata.items():
        writer.add_float32(key.replace("__", "."), value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, LAYERS)
    for name, array in _tensors(folder, noise):
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert stored is not None
        matrix = array.ndim > 1
        data = gguf.quants.quantize(array, kind) if matrix and kind != gguf.GGMLQuantizationType.F32 else array
        writer.add_tensor(stored, data, raw_dtype=kind if matrix else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokenizer(merges: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=len(SPECIAL) + len(alphabet) + merges,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return tokenizer


def _tensors(folder: Path, noise: float) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(0)
    for name, tensor in load_file(folder / "model.safetensors").items():
        array = tensor.float().numpy()
        if noise and array.ndim > 1:
            array = array + noise * array.std() * random.standard_normal(array.shape, dtype=np.float32)
        yield name, array


def _write_sizes(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])


def _write_tokenizer(writer: gguf.GGUFWriter, folder: Path, end: int) -> None:
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokens: Sequence[str] = sorted(model["vocab"], key=model["vocab"].__getitem__)
    types = [gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    if "chat_template" in settings:
        writer.add_chat_template(settings["chat_template"])
