"""The llama.cpp library: loaded once, silent, its complaints kept for error messages."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

import psutil

from evomerge_core.errors import InputError

# Its own index has wheels of some versions; where none fits, pip builds it. For cards there are cu124 and others beside cpu.
INSTALL = "pip install llama-cpp-python --extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cpu"
_ERROR = 4  # GGML_LOG_LEVEL_ERROR
_complaints: deque[str] = deque(maxlen=16)
_kept: list[Any] = []  # C holds the listener's address, but no reference to it


@cache
def load_library() -> Any:
    """The binding's functions, llama.cpp's log silenced. InputError when llama-cpp-python isn't there or doesn't load."""
    try:
        from llama_cpp import llama_cpp as library
    except (ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"llama-cpp-python can't be loaded ({reason})",
            remedy=f"install it with `{INSTALL}`, which takes a C++ compiler and some minutes where no prebuilt wheel fits",
        ) from error
    _kept.append(library.llama_log_callback(_listen))
    listen_to(library.llama_log_set)
    library.llama_backend_init()
    return library


def listen_to(*logs: Callable[[Any, ctypes.c_void_p], None]) -> None:
    """Silences these logs of llama.cpp and keeps their complaints; the library is loaded."""
    for set_listener in logs:
        set_listener(_kept[0], ctypes.c_void_p(0))


def last_complaint() -> str:
    """The first of llama.cpp's error messages since the last call, in one line; "" for none."""
    complaint = _complaints[0] if _complaints else ""
    _complaints.clear()
    return complaint


def has_amx() -> bool:
    """Whether llama.cpp was built for AMX and finds it here."""
    return b"AMX_INT8 = 1" in load_library().llama_print_system_info()


def default_threads() -> int:
    """Cores that this process may use; hyperthreads are left out."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def _listen(level: int, text: bytes, _: object) -> None:
    if level == _ERROR:
        line = " ".join(text.decode("utf-8", errors="replace").split())
        # "llama_model_load: error loading model: unknown ..." -> the part that helps a person
        _complaints.append(line.split(": ", 1)[-1])
