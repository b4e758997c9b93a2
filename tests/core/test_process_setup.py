"""Every process of ours lets waiting threads sleep, and runs no code from a hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Each stands for processes that compute; what loads OpenMP comes after what sets the process up.
PROCESSES = {
    "a command": "import evomerge_tui.cli.main; import torch",
    "the job": "import evomerge_tui.processes.job; import torch",
    "the planner": "import evomerge_tui.processes.planner.process; import torch",
    "the quickstart's base": "import evomerge_recipes.quickstart.base; import torch",
    "the resident model": "import evomerge_quant.resident.model",
    "merging": "import evomerge_core.merging.engine, numba.np.ufunc.omppool",
    "llama.cpp alone": "from evomerge_quant.llama.library import load_library; load_library()",
}
# bitsandbytes as it behaves on a processor with AVX512-BF16, on whatever processor the test runs.
WITH_AVX512_BF16 = """
import sys

class Before:
    def find_spec(self, name, path, target=None):
        if name == "bitsandbytes.backends.cpu.ops":
            sys.modules["bitsandbytes.functional"].has_avx512bf16 = lambda: True

sys.meta_path.insert(0, Before())
"""
# As the package is used: by bitsandbytes, and by transformers where it finds it installed.
USING_KERNELS = "import bitsandbytes, transformers.utils; print(transformers.utils.is_kernels_available())"
FETCHING = """
from pathlib import Path

def get_kernel(*_, **__):
    (Path(__file__).parent / "fetched").touch()
    raise ImportError("there is no hub in a test")
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **environment})
    assert done.returncode == 0, done.stderr
    return done


def openmp_display(code: str, **environment: str) -> set[str]:
    """What GNU's OpenMP says of itself when it is loaded, a setting a line."""
    return {line.strip() for line in run(code, OMP_DISPLAY_ENV="VERBOSE", **environment).stderr.splitlines()}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's OpenMP isn't GNU's")
@pytest.mark.parametrize("process", PROCESSES)
def test_waiting_threads_sleep_soon(process: str) -> None:
    assert {"GOMP_SPINCOUNT = '2000'", "OMP_WAIT_POLICY = 'PASSIVE'"} <= openmp_display(PROCESSES[process])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's OpenMP isn't GNU's")
def test_a_users_own_settings_win() -> None:
    code = PROCESSES["the resident model"]
    assert "GOMP_SPINCOUNT = '77'" in openmp_display(code, GOMP_SPINCOUNT="77")
    active = openmp_display(code, OMP_WAIT_POLICY="ACTIVE")
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in active
    assert "GOMP_SPINCOUNT = '2000'" not in active


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    """A folder with a package `kernels` that notes when it is asked for code."""
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").write_text(FETCHING)
    return tmp_path


def test_the_hook_shows_what_bitsandbytes_would_do(kernels: Path) -> None:
    done = run(WITH_AVX512_BF16 + "import bitsandbytes", PYTHONPATH=str(kernels))
    assert "Failed to load CPU gemm_4bit_forward" in done.stderr
    assert (kernels / "kernels" / "fetched").exists()


@pytest.mark.parametrize("package", ["evomerge_core", "evomerge_quant", "evomerge_recipes"])
def test_no_code_is_fetched_and_nothing_is_said_of_it(kernels: Path, package: str) -> None:
    done = run(WITH_AVX512_BF16 + f"import {package}; {USING_KERNELS}", PYTHONPATH=str(kernels))
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert not (kernels / "kernels" / "fetched").exists()
