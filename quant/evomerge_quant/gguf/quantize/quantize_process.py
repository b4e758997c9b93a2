"""The worker that quantises: `python -m evomerge_quant.gguf.quantize.quantize_process JOB`, JOB being JSON.

`source`, `target`: files; `constant`: llama_cpp's name of the type; `threads`; `imatrix`: an .npz of a float32 vector for each
tensor, or null. Prints `progress DONE TOTAL` lines; llama.cpp's own log only where it says why it failed.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from evomerge_quant.gguf.closed_process import ClosedProcess
from evomerge_quant.gguf.worker import end_with_parent

_TENSOR = re.compile(r"\[ *(\d+)/ *(\d+)\]")
_ERROR = 4  # of ggml's log levels


def main() -> int:
    ClosedProcess()
    import llama_cpp

    job = json.loads(sys.argv[1])
    end_with_parent()

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
    def log(level: int, text: bytes, _: Any) -> None:
        line = text.decode(errors="replace")
        tensor = _TENSOR.match(line)
        if tensor is not None:
            print("progress", tensor[1], tensor[2], flush=True)
        elif level == _ERROR and line.strip():
            print(line.strip(), flush=True)

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = job["threads"]
    parameters.ftype = getattr(llama_cpp, job["constant"])
    vectors = _vectors(job["imatrix"])
    if vectors:
        entries = _entries(llama_cpp, vectors)
        parameters.imatrix = ctypes.cast(entries, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    return int(llama_cpp.llama_model_quantize(job["source"].encode(), job["target"].encode(), ctypes.byref(parameters)))


def _vectors(path: str | None) -> dict[str, Any]:
    """The importance matrix by tensor, float32; empty without one."""
    if path is None:
        return {}
    import numpy as np

    with np.load(path) as stored:
        return {name: np.ascontiguousarray(stored[name], dtype=np.float32) for name in stored.files}


def _entries(llama_cpp: Any, vectors: Mapping[str, Any]) -> Any:
    """A NUL-terminated array of llama_model_imatrix_data; the numbers stay in `vectors`, which must outlive it."""
    entries = (llama_cpp.llama_model_imatrix_data * (len(vectors) + 1))()
    for entry, (name, vector) in zip(entries, vectors.items(), strict=False):
        entry.name = name.encode()
        entry.data = ctypes.cast(vector.ctypes.data, ctypes.POINTER(ctypes.c_float))
        entry.size = vector.size
    return entries


if __name__ == "__main__":
    sys.exit(main())
