"""Steps that run the same kernels on the same memory each time, replayed by the card as one CUDA graph.

A decoding step launches some forty kernels a layer, which takes the CPU longer than the card needs to run them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch

from evomerge_quant.resident.answering.recording import Recording
from evomerge_quant.resident.out_of_memory import is_out_of_memory

# Characters of an error that are kept.
_REASON = 160


class Replay:
    """Runs steps by key: the first of a key as it is, which lets libraries set themselves up; the second is recorded as a
    graph, which the card replays from then on. Where recording isn't possible, steps run as they are."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._tried: set[Hashable] = set()
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}

    def run(self, key: Hashable, step: Callable[[], None]) -> None:
        """Runs a step that reads and writes only memory that outlives this object, the same for each key."""
        if key in self._tried and key not in self._graphs and self._recording.possible:
            self._record(key, step)
        if key in self._graphs:
            self._graphs[key].replay()
        else:
            step()
        self._tried.add(key)

    def _record(self, key: Hashable, step: Callable[[], None]) -> None:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(stream):
                graph.capture_begin(pool=pool, capture_error_mode="thread_local")
                try:
                    step()
                finally:
                    graph.capture_end()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            # a step that waits for the card, as RoPE does that goes by the longest row
            self._recording.refusal = " ".join(str(error).split())[:_REASON] or type(error).__name__
            return
        torch.cuda.current_stream().wait_stream(stream)
        self._graphs[key] = graph
