"""Attention in float32 on the CPU whose bits depend on nothing but a token and what it may look at.

Neither the processor nor the number of threads changes them, nor do padding and the other rows of a batch: keys that a mask
hides are left out instead of being added as zeros. transformers knows it by `NAME`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import carray, prange
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from evomerge_core.compiled import compiled, compiled_for_threads, pointer
from evomerge_core.fixed_order.products import dot_rows, use_torch_threads

NAME = "evomerge_fixed_order"

# A mask's entry below this hides a key.
_HIDDEN = np.float32(-1e30)

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LEAST_EXPONENT = -708.0
_INVERSE_FACTORIALS = tuple(1.0 / float(np.prod(np.arange(1.0, n + 1))) for n in range(14))


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """What transformers' attention layers call: softmax(scaling * query key^T + mask) value, [rows, queries, heads, width].

    query [rows, heads, queries, width], key and value [rows, key heads, keys, width], float32; the additive mask
    [rows, 1, queries, keys]. `softcap` bends scores as Gemma 2 does, `s_aux` [heads] are the sinks of gpt-oss.
    """
    rows, heads, queries, width = query.shape
    query, key, value = (_with_dense_rows(x) for x in (query, key, value))
    if attention_mask is None:
        attention_mask = _causal(module, queries, key.shape[2])
    mask = attention_mask.to(torch.float32).expand(rows, 1, queries, key.shape[2]).contiguous()
    sinks = torch.empty(0) if s_aux is None else s_aux.to(torch.float32).contiguous()
    out = torch.empty(rows, queries, heads, value.shape[3])
    use_torch_threads()
    _attend(
        np.array([query.data_ptr(), key.data_ptr(), value.data_ptr(), out.data_ptr()]),
        np.array([query.stride()[:3], key.stride()[:3], value.stride()[:3]]),
        np.array([rows, heads, heads // key.shape[1], width]),
        mask.numpy().reshape(rows, queries, key.shape[2]),
        sinks.detach().numpy(),
        float(width**-0.5 if scaling is None else scaling),
        float(softcap or 0.0),
        value.shape[3],
    )
    return out, None


def use_fixed_attention(model: Any) -> bool:
    """Lets a transformers model attend in a fixed order; False for a family that doesn't look its attention up by name."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, eager_mask)
    if not getattr(model, "_supports_attention_backend", False):
        return False
    model.set_attn_implementation(NAME)
    return True


def _with_dense_rows(x: Tensor) -> Tensor:
    return x if x.stride(3) == 1 else x.contiguous()


def _causal(module: nn.Module, queries: int, keys: int) -> Tensor:
    seen = torch.ones(queries, keys, dtype=torch.bool)
    if queries > 1 and getattr(module, "is_causal", True):
        seen = seen.tril(keys - queries)
    return torch.zeros(1, 1, queries, keys).masked_fill_(~seen, torch.finfo(torch.float32).min)


@compiled_for_threads
def _attend(addresses, steps, sizes, mask, sinks, scaling, softcap, value_width):  # type: ignore[no-untyped-def]
    for part in prange(sizes[0] * sizes[1]):
        _attend_head(part // sizes[1], part % sizes[1], addresses, steps, sizes, mask, sinks, scaling, softcap, value_width)


@compiled
def _attend_head(row, head, addresses, steps, sizes, mask, sinks, scaling, softcap, value_width):  # type: ignore[no-untyped-def]
    heads, group, width = sizes[1], sizes[2], sizes[3]
    query = addresses[0] + 4 * (row * steps[0, 0] + head * steps[0, 1])
    key = addresses[1] + 4 * (row * steps[1, 0] + head // group * steps[1, 1])
    value = addresses[2] + 4 * (row * steps[2, 0] + head // group * steps[2, 1])
    queries, keys = mask.shape[1], mask.shape[2]
    seen, scores, weights = np.empty(keys, np.int64), np.empty(keys, np.float32), np.empty(keys, np.float64)
    for i in range(queries):
        count = _visible(mask[row, i], seen)
        _dots(query + 4 * i * steps[0, 2], key, steps[1, 2], width, seen[:count], scores)
        for j in range(count):
            weights[j] = _score(scores[j], scaling, softcap) + mask[row, i, seen[j]]
        _softmax(weights[:count], sinks[head] if sinks.size else -np.inf)
        out = carray(pointer(addresses[3] + 4 * ((row * queries + i) * heads + head) * value_width), value_width, np.float32)
        _mix(out, value, steps[2, 2], seen[:count], weights)


@compiled
def _visible(mask, seen):  # type: ignore[no-untyped-def]
    count = 0
    for j in range(mask.size):
        if mask[j] > _HIDDEN:
            seen[count] = j
            count += 1
    return count


@compiled
def _dots(query, key, step, width, seen, scores):  # type: ignore[no-untyped-def]
    """The query's dot products with the keys that are seen: neighbours together."""
    first = 0
    while first < seen.size:
        end = first + 1
        while end < seen.size and seen[end] == seen[end - 1] + 1:
            end += 1
        dot_rows(query, key + 4 * seen[first] * step, step, end - first, width, scores.ctypes.data + 4 * first)
        first = end


@compiled
def _score(product, scaling, softcap):  # type: ignore[no-untyped-def]
    score = np.float64(product) * scaling
    if softcap == 0.0:
        return score
    small = _exp(-2.0 * abs(score / softcap))
    bent = softcap * (1.0 - small) / (1.0 + small)
    return bent if score >= 0.0 else -bent


@compiled
def _softmax(scores, sink):  # type: ignore[no-untyped-def]
    """Scores become weights that add up to 1, the sink's share left out."""
    most = np.float64(sink)
    for j in range(scores.size):
        most = max(most, scores[j])
    for j in range(scores.size):
        scores[j] = _exp(scores[j] - most)
    total = _exp(sink - most) if sink > -np.inf else 0.0
    for j in range(scores.size):
        total += scores[j]
    for j in range(scores.size):
        scores[j] /= total


@compiled
def _mix(out, value, step, seen, weights):  # type: ignore[no-untyped-def]
    out[:] = np.float32(0)
    for j in range(seen.size):
        own = carray(pointer(value + 4 * seen[j] * step), out.size, np.float32)
        weight = np.float32(weights[j])
        for d in range(out.size):
            out[d] += weight * own[d]


@compiled
def _exp(x):  # type: ignore[no-untyped-def]
    """e**x for x <= 0 by Cody and Waite's reduction and Taylor's series: plain float64 steps, where a library's exp differs
    from one processor to the next."""
    if not x >= _LEAST_EXPONENT:
        return np.nan if np.isnan(x) else 0.0
    whole = np.floor(x * _LOG2E + 0.5)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    value = _INVERSE_FACTORIALS[13]
    for n in range(12, -1, -1):
        value = value * rest + _INVERSE_FACTORIALS[n]
    bits = np.int64((np.int64(whole) + 1023) << np.int64(52))  # the exponent of 2**whole
    return value * bits.view(np.float64)
