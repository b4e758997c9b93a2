"""What holds for every process of ours, before it loads torch, numba, llama.cpp or bitsandbytes.

Importing `evomerge_core`, `evomerge_quant` or `evomerge_recipes` sets a process up; the processes that it starts inherit the
environment. What a user has set in the environment stays as it is, but for what figures depend on.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.processor import has_avx2

# How often a thread that waits for the others looks again before it sleeps: some microseconds. Longer, and on a busy machine
# it takes the time of the very thread that it waits for; sleeping at once costs small models more than the wait.
_SPINS = "2000"
# The libraries' loops are taken as every processor of the last ten years has them: a wider instruction set adds in another
# order, and what CMA-ES makes of a last bit is another genome. Products, which take the time, are our own (`fixed_order`).
ONE_ARITHMETIC = {
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2,STRICT",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
_NUMBA_SETTINGS = ".numba_config.yaml"
_NO_HUB_KERNEL = "Failed to load CPU gemm_4bit_forward from kernels-community"


def set_up_process() -> None:
    """Sets waiting threads, arithmetic, the hub's library and tokenizers, and sees to it that no code is fetched from a hub."""
    _let_waiting_threads_sleep()
    if has_avx2():
        os.environ |= ONE_ARITHMETIC
    for library in ("HF_HUB", "HF_DATASETS"):
        os.environ.setdefault(f"{library}_DISABLE_PROGRESS_BARS", "1")
    # tokenizers warns of its threads whenever a process is forked
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _fetch_no_code()


def _let_waiting_threads_sleep() -> None:
    """OpenMP's runtimes read these when they are loaded; GNU's prefers its own number to the policy."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def _fetch_no_code() -> None:
    """Where the package `kernels` is installed, bitsandbytes and transformers fetch compiled code with it and run it.

    To this process it is not installed: both then take their own code. bitsandbytes warns of that where the processor has
    AVX512-BF16.
    """
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
    sys.meta_path.insert(0, _NoForeignNumbaSettings())
    logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_is_worth_telling)


class _NoForeignNumbaSettings:
    """Refuses to load numba where it would take settings from the working folder, which may be a stranger's model.

    They can name a cache folder, whose files numba unpickles, and the arithmetic that loops are compiled for.
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "numba" and Path(_NUMBA_SETTINGS).exists():
            raise InputError(
                "numba would take settings from this file",
                where=Path(_NUMBA_SETTINGS).absolute(),
                remedy="remove it, or start evomerge-tui in another folder",
            )


def _is_worth_telling(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_NO_HUB_KERNEL)
