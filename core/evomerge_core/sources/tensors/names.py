"""What tensors and settings are called in the families that are merged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

EMBEDDING = re.compile(r"(^|\.)(embed_tokens|wte|embed_in|word_embeddings|tok_embeddings)\.weight$")
HEAD = re.compile(r"^(language_model\.)?(lm_head|embed_out|output)\.(weight|bias)$")
LAYER = re.compile(r"^(?P<stack>(?:.*?\.)?(?:layers|h|blocks|block)\.)(?P<layer>\d+)\.(?P<rest>.+)$")
# Settings that say how many layers a model has.
LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
# Constants that old checkpoints carry and every reader computes anew.
BUFFERS = re.compile(r"(^|\.)(rotary_emb\.inv_freq|rope\.freqs|masked_bias|position_ids)$")
CAUSAL_MASK = re.compile(r"\.(attn|attention)\.bias$")
QUANTISED_NAMES = re.compile(
    r"\.(qweight|qzeros|g_idx|weight_format|SCB|weight_packed|weight_scale(_inv)?|weight\.(absmax|nested_absmax|quant_map|quant_state.*))$"
)


def is_end(name: str) -> bool:
    """Whether this is the embedding, or the head's weight or bias."""
    return bool(EMBEDDING.search(name) or HEAD.search(name))


def is_tied_name(name: str) -> bool:
    """Whether this is the embedding or the output matrix, which are one in a tied model."""
    return EMBEDDING.search(name) is not None or is_head(name)


def is_head(name: str) -> bool:
    """Whether this is the output matrix, which a tied model lacks."""
    return name.endswith(".weight") and HEAD.search(name) is not None


def decoder_stack(names: Iterable[str]) -> str | None:
    """What the names of the language model's layers begin with: the stack beside the embedding, else that of most tensors.

    A vision tower has a stack of its own. None where there are no layers.
    """
    names = tuple(names)
    sizes = Counter(match["stack"] for name in names if (match := LAYER.match(name)))
    places = (EMBEDDING.search(name) for name in names if not LAYER.match(name))
    beside = next((place.string[: place.start(2)] for place in places if place), None)
    near = [stack for stack in sizes if beside is not None and stack.startswith(beside)]
    return max(near or sizes, key=sizes.__getitem__, default=None)
