"""What the processor is called, and whether it has the instructions that all of the last ten years have."""

from __future__ import annotations

import re
import sys
from pathlib import Path

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


def _cpuinfo() -> str:
    return _CPUINFO.read_text(encoding="utf-8", errors="replace") if _CPUINFO.is_file() else ""
