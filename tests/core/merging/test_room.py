"""How much RAM merging takes, against what the methods allocate, counted."""

from __future__ import annotations

import pytest
import torch

from evomerge_core.merging.compiled.loops import has_loops
from evomerge_core.merging.room import merging_bytes
from evomerge_core.methods.registry import get_method, method_names
from support.pretended_card import pretended_card

SHAPE = (256, 1024)
NUMBERS = SHAPE[0] * SHAPE[1]
WHOLE = [name for name in method_names() if not has_loops(name) and not get_method(name).entrywise]


def _merges(name: str, sources: int) -> bool:
    method = get_method(name)
    return method.min_sources <= sources <= (method.max_sources or sources)


@pytest.mark.parametrize(
    ("name", "sources"), [(name, count) for name in WHOLE for count in (1, 2, 3, 4) if _merges(name, count)]
)
def test_whole_tensors_take_what_is_planned(name: str, sources: int) -> None:
    """The pretended card counts: what a method allocates is the same wherever it runs."""
    method = get_method(name)
    required = {p.name: 0.4 for p in method.parameters.values() if p.required and not p.per_source}
    chosen = {name: 0.5 for name in ("density",) if name in method.parameters}
    per_source = {p.name: [0.4] * sources for p in method.parameters.values() if p.required and p.per_source}
    per_source |= {name: [value] * sources for name, value in chosen.items()}
    with pretended_card() as card:
        stored = [torch.randn(SHAPE).bfloat16().to("cuda") for _ in range(sources + method.takes_base)]
        before = card.allocated
        wide = [tensor.to(torch.float32) for tensor in stored]
        base = wide.pop() if method.takes_base else None
        method.call(wide, base, per_source, required, range(sources)).to(torch.bfloat16)
        taken = card.peak - before
    if sources > 1 or method.max_sources == 1:
        assert 0.9 * taken <= merging_bytes(name, sources, NUMBERS) <= 1.1 * taken
    else:  # many give a single source back as it is
        assert taken <= 1.1 * merging_bytes(name, sources, NUMBERS)


def test_loops_and_entrywise_methods_take_the_child_alone() -> None:
    loops = [name for name in method_names() if name not in WHOLE]
    assert {merging_bytes(name, sources, NUMBERS) for name in loops for sources in (1, 5)} == {2 * NUMBERS}
    assert {"ties", "dare_ties", "task_arithmetic", "linear", "breadcrumbs", "passthrough", "nearswap", "slerp"} <= {*loops}
