"""Processor, memory, disk, graphics card, compiler, hub and terminal."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from evomerge_tui.machine.doctor.check import Check
from evomerge_tui.machine.machine import Machine
from evomerge_tui.text.quantities import amount
from evomerge_tui.user.settings import hub_token_is_set

_LEAST_RAM = 4e9
_LEAST_DISK = 5e9
_HUB_SECONDS = 5.0


def machine_checks(machine: Machine) -> Iterator[Check]:
    """Python, graphics card, memory, disk and compiler."""
    yield Check("Python", "ok", f"{platform.python_version()} on {platform.system()}, {machine.cores} cores")
    if machine.gpus:
        cards = ", ".join(f"{gpu.name} ({amount(gpu.total - gpu.used)} of {amount(gpu.total)} free)" for gpu in machine.gpus)
        yield Check("graphics card", "ok", cards)
    else:
        yield Check("graphics card", "note", "no NVIDIA driver found: small models run on the CPU")
    free = machine.ram_total - machine.ram_used
    ram = f"{amount(free)} of {amount(machine.ram_total)} free"
    enough = free >= _LEAST_RAM
    yield Check("RAM", "ok" if enough else "note", ram, "" if enough else "close other programs; the quickstart needs 3.6 GB")
    roomy = machine.disk_free >= _LEAST_DISK
    yield Check("disk", "ok" if roomy else "note", f"{amount(machine.disk_free)} free", "" if roomy else "free some space")
    yield _compiler(machine.compiler)


def _compiler(found: str | None) -> Check:
    if found is not None:
        return Check("C++ compiler", "ok", found)
    remedies = {
        "Linux": "sudo apt install build-essential",
        "Darwin": "xcode-select --install",
        "Windows": "winget install Microsoft.VisualStudio.2022.BuildTools",
    }
    return Check(
        "C++ compiler",
        "note",
        "none found: llama-cpp-python can't be built",
        remedies.get(platform.system(), "install a compiler"),
    )


def hub_checks() -> Iterator[Check]:
    """Whether the hub can be reached, and whether there is a token for gated models."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        yield Check("hub", "note", "HF_HUB_OFFLINE is set: only downloaded models can be used", "unset HF_HUB_OFFLINE")
    else:
        problem = _unreachable(constants.ENDPOINT)
        remedy = "check the network connection; behind a proxy, set HTTPS_PROXY"
        yield Check("hub", "note" if problem else "ok", problem or constants.ENDPOINT, remedy if problem else "")
    if hub_token_is_set():
        yield Check("hub token", "ok", "set")
    else:
        yield Check("hub token", "note", "not set: gated models can't be downloaded", "hf auth login")


def _unreachable(endpoint: str) -> str:
    """Why the hub doesn't answer; an empty string when it does."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{endpoint}/api/models?limit=1", timeout=_HUB_SECONDS):
            return ""
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{endpoint} is not reachable ({' '.join(str(error).split())[:120]})"


def terminal_checks() -> Iterator[Check]:
    """What the terminal can show, as far as the environment says."""
    encoding = (getattr(sys.__stdout__, "encoding", None) or locale.getpreferredencoding()).lower()
    if "utf" in encoding:
        yield Check("terminal encoding", "ok", encoding)
    else:
        remedy = "use evomerge-tui --no-unicode, or a locale such as LANG=C.UTF-8"
        yield Check("terminal encoding", "note", f"{encoding} can't show box-drawing characters", remedy)
    yield _colours()
    programs = ("pbcopy", "wl-copy", "xclip", "xsel", "clip.exe")
    program = next((name for name in programs if shutil.which(name)), None)
    yield Check("clipboard", "ok", program or "through the terminal (OSC 52)")


def _colours() -> Check:
    if os.environ.get("NO_COLOR") is not None:
        return Check("terminal colours", "ok", "off (NO_COLOR)")
    term = os.environ.get("TERM", "")
    if os.environ.get("COLORTERM", "") in ("truecolor", "24bit") or "direct" in term or sys.platform == "win32":
        return Check("terminal colours", "ok", "16 million")
    few = "256" if "256" in term else "16"
    return Check(
        "terminal colours",
        "note",
        few,
        "export COLORTERM=truecolor if supported, else choose the theme ansi",
    )


def writable_check(folder: Path) -> Check:
    """Whether runs can be created in a folder."""
    if os.access(folder, os.W_OK):
        return Check("runs folder", "ok", str(folder))
    return Check("runs folder", "missing", f"{folder} is not writable", "choose another folder in the settings, or with --out")
