"""Which type each tensor gets in a GGUF, and how large the file becomes.

llama.cpp mixes: tensors that matter more get more bits, and rows that a type's blocks don't divide get a larger type. The rules
are those of llama_tensor_get_type_impl and tensor_type_fallback (llama.cpp src/llama-quant.cpp), by the tensors' Hugging Face
names; what they give is a prediction, the file is llama.cpp's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES

from evomerge_quant.gguf.quantize.file_types import FileType

_KINDS = {
    "embedding": re.compile(r"(embed_tokens|wte|embed_in|word_embeddings|tok_embeddings)\.weight$"),
    "output": re.compile(r"(^|\.)(lm_head|embed_out|output)\.weight$"),
    "qkv": re.compile(r"(qkv_proj|query_key_value|c_attn|Wqkv)\.weight$"),
    "v": re.compile(r"(v_proj|kv_b_proj|attention\.wv)\.weight$"),
    "k": re.compile(r"(k_proj|attention\.wk)\.weight$"),
    "q": re.compile(r"(q_proj|attention\.wq)\.weight$"),
    "attention output": re.compile(r"(o_proj|out_proj|attn\.c_proj|attention\.dense|attention\.wo)\.weight$"),
    "down": re.compile(r"(down_proj|mlp\.c_proj|dense_4h_to_h|fc2|\.w2)(\.weight)?$"),
    "gate": re.compile(r"(\.gate_proj|\.w1)(\.weight)?$"),
    "up": re.compile(r"(up_proj|c_fc|dense_h_to_4h|fc1|\.w3)(\.weight)?$"),
}
_ROUTER = re.compile(r"(mlp|block_sparse_moe|feed_forward)\.(gate|router)\.weight$")
_LAYER = re.compile(r"\.(\d+)\.")
_FALLBACK = {
    "Q2_K": "Q4_0", "Q3_K": "Q4_0", "TQ1_0": "Q4_0", "TQ2_0": "Q4_0", "Q2_0": "Q4_0",
    "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0",
}  # fmt: skip
_BLOCKS: dict[str, tuple[int, int]] = {kind.name: size for kind, size in GGML_QUANT_SIZES.items()} | {"Q2_0": (64, 18)}
_VERY_LOW = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M")
_LOWEST = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS")
_MIDDLE_K = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS")


@dataclass(frozen=True)
class Shapes:
    """A model's tensors by Hugging Face name, and what of its settings the mixture looks at.

    `grouped` is query heads for each key-value head. A tied model has no head among its tensors.
    """

    tensors: Mapping[str, tuple[int, ...]]
    layers: int
    grouped: int
    experts: int = 0

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape in self.tensors.values())


@dataclass(frozen=True)
class Prediction:
    """A file's tensors: bytes, and how many of them got a larger type because their rows don't fit the type's blocks."""

    bytes: int
    bits_per_weight: float
    larger: int


def predict(shapes: Shapes, wanted: FileType, *, imatrix: bool) -> Prediction:
    """The size of all tensors in a type; the tokenizer and other metadata come on top."""
    total, larger = 0, 0
    tied = not any(_KINDS["output"].search(name) for name in shapes.tensors)
    for name, shape in shapes.tensors.items():
        target = _target(name, shape, shapes, wanted, tied, imatrix)
        stored = _fitting(target, shape[-1]) if shape else target
        larger += stored != target
        total += _bytes(stored, shape)
    return Prediction(total, 8 * total / max(1, shapes.parameters), larger)


def float_bytes(shapes: Shapes, kind: str) -> int:
    """The size of all tensors as F32, F16 or BF16; norms and biases are F32 always."""
    return sum(_bytes(_float(shape, name, kind), shape) for name, shape in shapes.tensors.items())


def _target(name: str, shape: tuple[int, ...], shapes: Shapes, wanted: FileType, tied: bool, imatrix: bool) -> str:
    if wanted.is_float:
        return _float(shape, name, wanted.tensors)
    if _float(shape, name, "") == "F32" or _ROUTER.search(name):
        return "F32"
    kind = next((kind for kind, pattern in _KINDS.items() if pattern.search(name)), "other")
    layer = _LAYER.search(name)
    return _mixed(kind, int(layer[1]) if layer else 0, shape[-1], shapes, wanted, tied, imatrix)


def _float(shape: tuple[int, ...], name: str, kind: str) -> str:
    return "F32" if len(shape) < 2 or not name.endswith("weight") or name.endswith("norm.weight") else kind


def _mixed(kind: str, layer: int, width: int, shapes: Shapes, wanted: FileType, tied: bool, imatrix: bool) -> str:
    if kind == "output" or (tied and kind == "embedding"):
        return _of_output(wanted, width)
    if wanted.name == "MXFP4_MOE":
        return "MXFP4" if shapes.experts > 1 and kind in ("down", "gate", "up") else "Q8_0"
    if kind == "embedding":
        return _of_embedding(wanted)
    if wanted.name in _VERY_LOW:
        return _of_very_low(kind, layer, shapes, wanted)
    if kind in ("v", "qkv"):
        return _of_value(layer, shapes, wanted, imatrix)
    if kind == "down":
        return _of_down(layer, shapes, wanted, imatrix)
    return _of_others(kind, layer, shapes, wanted)


def _of_output(wanted: FileType, width: int) -> str:
    if wanted.name == "MXFP4_MOE" or wanted.tensors == "Q8_0" or width % _BLOCKS[wanted.tensors][0]:
        return "Q8_0"
    return "Q5_K" if wanted.name in (*_VERY_LOW, "IQ3_XXS") else "Q6_K"


def _of_embedding(wanted: FileType) -> str:
    if wanted.name in _LOWEST:
        return "Q2_K"
    if wanted.name in ("IQ2_S", "IQ2_M", "IQ3_XXS"):
        return "IQ3_S"
    return "Q4_K" if wanted.name in ("TQ1_0", "TQ2_0", "Q2_0") else wanted.tensors


def _of_very_low(kind: str, layer: int, shapes: Shapes, wanted: FileType) -> str:
    better = "IQ3_S" if wanted.name in ("IQ2_S", "IQ2_M") else "Q2_K"
    if kind in ("v", "qkv"):
        return "Q4_K" if shapes.grouped >= 4 or shapes.experts >= 4 else better
    if kind == "k" and shapes.experts == 8:
        return "Q4_K"
    if kind == "down" and layer < shapes.layers // 8:
        return better
    if kind != "attention output":
        return wanted.tensors
    if shapes.experts == 8:
        return "Q5_K"
    return {"IQ1_S": "IQ2_XXS", "IQ1_M": "IQ2_XXS", "IQ2_S": "IQ3_S", "IQ2_M": "IQ3_S"}.get(wanted.name, wanted.tensors)


def _of_value(layer: int, shapes: Shapes, wanted: FileType, imatrix: bool) -> str:
    many = shapes.grouped >= 4
    by_name = {
        "Q2_K": "Q4_K" if many else "Q3_K",
        "Q2_K_S": "Q4_K" if many else "Q2_K",
        "IQ3_XXS": "Q4_K" if many else "IQ3_XXS" if imatrix else "IQ3_S",
        "IQ3_XS": "Q4_K" if many else "IQ3_S",
        "IQ3_S": "Q4_K" if many else "IQ3_S",
        "IQ3_M": "Q4_K",
        "Q3_K_M": "Q5_K" if layer < 2 else "Q4_K",
        "Q3_K_L": "Q5_K",
        "IQ4_NL": "Q5_K" if many else "IQ4_NL",
        "IQ4_XS": "Q5_K" if many else "IQ4_XS",
        "Q4_K_M": "Q6_K" if _more_bits(layer, shapes.layers) else "Q4_K",
        "Q5_K_M": "Q6_K" if _more_bits(layer, shapes.layers) else "Q5_K",
        "Q4_K_S": "Q5_K" if layer < 4 else "Q4_K",
    }
    return "Q8_0" if shapes.experts == 8 else by_name.get(wanted.name, wanted.tensors)


def _of_down(layer: int, shapes: Shapes, wanted: FileType, imatrix: bool) -> str:
    early = layer < shapes.layers // 8
    by_name = {
        "Q2_K": "Q3_K",
        "Q2_K_S": "Q4_K" if early else "Q2_K",
        "IQ3_XXS": "IQ3_XXS" if imatrix else "Q4_K" if early else "Q3_K",
        "Q3_K_M": "Q5_K" if layer < shapes.layers // 16 else "Q4_K",
        "IQ3_M": "Q4_K" if early else "IQ3_S",
        "Q3_K_L": "Q5_K",
        "Q4_K_M": "Q6_K" if _more_bits(layer, shapes.layers) else "Q4_K",
        "Q5_K_M": "Q6_K" if _more_bits(layer, shapes.layers) else "Q5_K",
        "IQ4_NL": "Q5_K" if early and not imatrix else "IQ4_NL",
        "IQ4_XS": "Q5_K" if early and not imatrix else "IQ4_XS",
        "Q4_K_S": "Q5_K" if early else "Q4_K",
        "Q4_0": "Q4_1" if early and imatrix else "Q4_0",
        "Q5_0": "Q5_1" if early and imatrix else "Q5_0",
    }
    return by_name.get(wanted.name, wanted.tensors)


def _of_others(kind: str, layer: int, shapes: Shapes, wanted: FileType) -> str:
    if kind == "k" and shapes.experts == 8:
        return "Q8_0"
    if kind in ("q", "k"):
        return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(wanted.name, wanted.tensors)
    if kind == "attention output":
        if shapes.experts == 8:
            return "Q5_K" if wanted.name in _MIDDLE_K else wanted.tensors
        larger = {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}
        return larger.get(wanted.name, wanted.tensors)
    inner = shapes.layers // 8 <= layer < 7 * shapes.layers // 8
    return "IQ3_XXS" if kind in ("gate", "up") and wanted.name == "IQ3_XS" and inner else wanted.tensors


def _more_bits(layer: int, layers: int) -> bool:
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _fitting(kind: str, width: int) -> str:
    if width % _BLOCKS[kind][0] == 0:
        return kind
    larger = _FALLBACK.get(kind, "IQ4_NL" if kind.startswith("IQ") else kind)
    return larger if width % _BLOCKS[larger][0] == 0 else "F16"


def _bytes(kind: str, shape: tuple[int, ...]) -> int:
    entries, size = _BLOCKS[kind]
    return math.prod(shape) // entries * size
