"""What the processor is called, and which instructions it and the graphics card have."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Literal

_CPUINFO = Path("/proc/cpuinfo")
_WINDOWS_HAS_AVX2 = 40  # PF_AVX2_INSTRUCTIONS_AVAILABLE of IsProcessorFeaturePresent


def processor_name() -> str:
    """The processor's own name where the system knows it, else the kind of machine."""
    import platform

    name = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return name[1].strip() if name else platform.processor() or platform.machine() or "CPU"


def has_avx2() -> bool:
    """Whether this is an x86 processor with AVX2; False where the system doesn't say."""
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(_WINDOWS_HAS_AVX2))
    return re.search(r"^flags\s*:.* avx2\b", _cpuinfo(), re.MULTILINE) is not None


def card_arithmetic() -> Literal["bfloat16", "float16"]:
    """What a card multiplies in: bfloat16 from compute capability 8.0 on. Older ones only emulate it, though torch calls it
    supported."""
    import torch

    old = torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0)
    return "float16" if old else "bfloat16"


def _cpuinfo() -> str:
    return _CPUINFO.read_text(encoding="utf-8", errors="replace") if _CPUINFO.is_file() else ""
