"""A graphics card that is none: tensors that say `cuda:0`, compute on the CPU, and refuse to meet the CPU's.

What it shows: tensors on the wrong device, how many bytes are allocated at once, what happens when they run out, and whether
results are the CPU's. What it can't: real kernels, streams, and the memory that a kernel takes while it runs.
"""

from __future__ import annotations

import contextlib
import types
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CPU, CARD = torch.device("cpu"), torch.device("cuda", 0)
# What torch allows: indices on the CPU, and copies from one device to the other.
_CPU_INDICES = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
_BETWEEN_DEVICES = "aten::copy_"


@dataclass
class CardMemory:
    """Bytes of `total`: `allocated` by tensors that live, `peak` of these, `reserved` by torch's cache (those, and what was
    freed since the cache was emptied). `foreign` are another program's."""

    total: int
    foreign: int = 0
    allocated: int = 0
    peak: int = 0
    reserved: int = 0
    fraction: float = 1.0
    _held: dict[int, list[int]] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """What the driver says is free: torch's cache is not."""
        return self.total - self.foreign - self.reserved

    def take(self, storage: Any) -> int:
        """Counts a storage once more; its key, for `release`. Raises torch's own error when it doesn't fit."""
        key = storage._cdata
        if key in self._held:
            self._held[key][1] += 1
            return int(key)
        size = storage.nbytes()
        if self.allocated + size > min(self.total - self.foreign, int(self.fraction * self.total)):
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes")
        self._held[key] = [size, 1]
        self.allocated += size
        self.peak = max(self.peak, self.allocated)
        self.reserved = max(self.reserved, self.allocated)
        return int(key)

    def release(self, key: int) -> None:
        """Counts a storage once less."""
        held = self._held[key]
        held[1] -= 1
        if held[1] == 0:
            del self._held[key]
            self.allocated -= held[0]

    def empty_cache(self) -> None:
        """What torch.cuda.empty_cache does."""
        self.reserved = self.allocated

    def reset_peak(self) -> None:
        """What torch.cuda.reset_peak_memory_stats does."""
        self.peak = self.allocated


_memory: list[CardMemory] = []


class CardTensor(Tensor):
    """To C++ a CPU tensor with a Python dispatch key, to Python one on the card; the numbers are in `held`, on the CPU."""

    held: Tensor
    _counted: weakref.finalize[Any, Any]

    @staticmethod
    def __new__(cls, held: Tensor) -> CardTensor:
        with torch.inference_mode(False):
            made: CardTensor = torch.Tensor._make_wrapper_subclass(
                cls,
                held.shape,
                strides=held.stride(),
                storage_offset=held.storage_offset(),
                dtype=held.dtype,
                device=CPU,
            )
        made._hold(held)
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl
    __hash__ = object.__hash__
    device = property(lambda _: CARD)
    is_cuda = property(lambda _: True)
    is_cpu = property(lambda _: False)
    data = property(lambda self: self, lambda self, new: self._replace(new))

    def _hold(self, held: Tensor) -> None:
        memory = _memory[-1]
        self.held = held
        self._counted = weakref.finalize(self, memory.release, memory.take(held.untyped_storage()))

    def _replace(self, new: CardTensor) -> None:
        before = self._counted
        self._hold(new.held)
        before()

    def record_stream(self, _: Any) -> None:
        pass

    def cpu(self) -> Tensor:
        return self.held.clone()

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def data_ptr(self) -> int:
        raise RuntimeError("the address of a tensor on the card means nothing to a loop on the CPU")

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func._schema.name, kwargs or {}
        strict = (*args[:1], *args[2:]) if name in _CPU_INDICES else args
        foreign = [x for x in tree_leaves((strict, kwargs)) if _is_foreign(x)]
        if foreign and name != _BETWEEN_DEVICES:
            shape = tuple(foreign[0].shape)
            raise RuntimeError(f"{name}: Expected all tensors to be on the same device, but found cuda:0 and {shape} on cpu")
        wrapped = {id(x.held): x for x in tree_leaves((args, kwargs)) if isinstance(x, cls)}
        plain_args, plain_kwargs = tree_map(lambda x: x.held if isinstance(x, cls) else x, (args, kwargs))
        out = func(*plain_args, **plain_kwargs)
        if name == _BETWEEN_DEVICES:
            return args[0]
        return tree_map(lambda x: _wrapped(x, wrapped), out)


def _is_foreign(x: Any) -> bool:
    """A tensor of the CPU's; single numbers may lie anywhere."""
    return isinstance(x, Tensor) and not isinstance(x, CardTensor) and x.dim() > 0


def _wrapped(x: Any, known: dict[int, CardTensor]) -> Any:
    if type(x) is not Tensor:
        return x
    return known[id(x)] if id(x) in known else CardTensor(x)


def _names(x: Any, kind: str) -> bool:
    return (isinstance(x, torch.device) and x.type == kind) or (isinstance(x, str) and x.split(":")[0] == kind)


class _Placing(TorchFunctionMode):
    """What is asked for on `cuda` is made on the CPU and wrapped, and `to` carries over."""

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if name == "pin_memory":
            return args[0]
        kwargs.pop("pin_memory", None)
        places = [x for x in (*args, *kwargs.values()) if _names(x, "cuda") or _names(x, "cpu")]
        if not places or name in ("device", "__get__", "__init__"):
            return func(*args, **kwargs)
        on_card = _names(places[0], "cuda")
        if name == "to":
            return _carried(args, kwargs, places[0], on_card)
        args = [CPU if x is places[0] else x for x in args]
        kwargs = {key: CPU if x is places[0] else x for key, x in kwargs.items()}
        out = func(*args, **kwargs)
        return CardTensor(out) if on_card and type(out) is Tensor else out


def _carried(args: Any, kwargs: dict[str, Any], place: Any, on_card: bool) -> Any:
    x = args[0]
    if isinstance(x, CardTensor) != on_card:
        x = CardTensor(x.detach().clone()) if on_card else x.held.clone()
    rest = [CPU if each is place else each for each in args[1:]]
    more = {key: CPU if value is place else value for key, value in kwargs.items() if key != "non_blocking"}
    return x.to(*rest, **more)


class _Event:
    def record(self, *_: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass


_CANT_PACK = "pack_vnni2 is only supported"
_attention = torch.nn.functional.scaled_dot_product_attention


def _attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None, **settings: Any) -> Tensor:
    """Attention as one kernel, which keeps nothing of its own. What the CPU's can't take in bfloat16 is computed in float32."""
    try:
        return _attention(query, key, value, attn_mask=attn_mask, **settings)
    except RuntimeError as error:
        if _CANT_PACK not in str(error):
            raise
    plain = [x.held.float() if isinstance(x, CardTensor) else x for x in (query, key, value, attn_mask)]
    return CardTensor(_attention(*plain[:3], attn_mask=plain[3], **settings).to(query.dtype))


def _parameter(data: CardTensor | Tensor, *, bnb_quantized: bool, **settings: Any) -> Any:
    """bitsandbytes' own class can't wrap a tensor that is a subclass already."""
    if not isinstance(data, CardTensor):
        from bitsandbytes.nn import Params4bit

        return Params4bit(data, bnb_quantized=bnb_quantized, **settings)
    made = CardTensor(data.held)
    made._is_param, made.quant_state, made.bnb_quantized = True, None, bnb_quantized
    return made


@contextlib.contextmanager
def pretended_card(
    total: int = 20 << 30, *, capability: tuple[int, int] = (8, 6), foreign: int = 0, name: str = "a pretended card"
) -> Iterator[CardMemory]:
    """A card of `total` bytes, as far as this thread asks torch for one; what it holds is counted."""
    from evomerge_quant.resident.network.few_bits import nf4_linear

    memory = CardMemory(total, foreign)
    facts = types.SimpleNamespace(
        name=name, multi_processor_count=40, major=capability[0], minor=capability[1], total_memory=total
    )

    def limit(fraction: float, *_: Any) -> None:
        memory.fraction = fraction

    fakes = {
        "is_available": lambda: True,
        "_lazy_init": lambda: None,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "mem_get_info": lambda *_: (memory.free, total),
        "memory_allocated": lambda *_: memory.allocated,
        "memory_reserved": lambda *_: memory.reserved,
        "max_memory_allocated": lambda *_: memory.peak,
        "reset_peak_memory_stats": lambda *_: memory.reset_peak(),
        "set_per_process_memory_fraction": limit,
        "empty_cache": memory.empty_cache,
        "synchronize": lambda *_: None,
        "Event": _Event,
        "get_device_name": lambda *_: name,
        "get_device_properties": lambda *_: facts,
        "get_device_capability": lambda *_: capability,
    }
    with contextlib.ExitStack() as stack:
        for attribute, fake in fakes.items():
            stack.enter_context(mock.patch.object(torch.cuda, attribute, fake))
        stack.enter_context(mock.patch.object(nf4_linear, "Params4bit", _parameter))
        functional = torch.nn.functional
        stack.enter_context(mock.patch.object(functional, "scaled_dot_product_attention", _attend))
        # Where torch is built for real cards: nothing is recorded as a graph of this one.
        stack.enter_context(mock.patch.object(torch.version, "cuda", None))
        _memory.append(memory)
        stack.callback(_memory.pop)
        stack.enter_context(_Placing())
        yield memory
