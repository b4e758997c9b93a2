"""What each part may load, seen in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

CASES = {
    "the command line's help loads neither torch nor screens": (
        "from evomerge_tui.cli.main import parser; parser().format_help()",
        ("torch", "textual", "transformers", "numba", "rich", "numpy"),
    ),
    "a recipe's schema loads without torch": ("import evomerge_core.recipe.schema", ("torch", "textual")),
    "core loads no low-bit library and no screen": (
        "import evomerge_core.run.loop, evomerge_core.run.verdict.finish, evomerge_core.merging.merge",
        ("bitsandbytes", "llama_cpp", "textual"),
    ),
    "the job loads no screen": (
        "import evomerge_tui.processes.job, evomerge_core.run.loop, evomerge_quant.resident.model",
        ("textual",),
    ),
    "a chat loads neither torch nor screens": (
        "import evomerge_tui.cli.output.chat_commands, evomerge_quant.chat.chat, evomerge_quant.gguf.subject.export_paths",
        ("torch", "transformers", "textual"),
    ),
    "the first screen waits for nothing that it doesn't show": (
        "import evomerge_tui.app",
        ("torch", "transformers", "numpy", "pydantic", "llama_cpp"),
    ),
    "serving the screens loads none": ("import evomerge_tui.processes.serving", ("textual", "torch")),
}


@pytest.mark.parametrize("case", CASES)
def test_imports(case: str) -> None:
    code, forbidden = CASES[case]
    script = f"import sys; {code}; print(','.join(m for m in {forbidden!r} if m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == ""
