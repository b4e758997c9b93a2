"""A cluster that a run starts for itself: who can reach it, and what its processes are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray")

# In a process of its own: Ray reads the environment when it is imported. The working folder is a stranger's.
_PROGRAM = """
import json, os, sys
from evomerge_quant.workers.cluster import joined, worker_environment
with joined(1, []) as machines:
    import ray
    @ray.remote(runtime_env={"env_vars": worker_environment(1)})
    def look():
        import colorsys
        names = ("HF_TOKEN", "NPY_DISABLE_CPU_FEATURES", "OMP_NUM_THREADS", "HF_HUB_OFFLINE")
        return colorsys.__file__, os.getcwd(), {name: os.environ.get(name) for name in names}
    file, folder, told = ray.get(look.remote())
    import psutil
    own = psutil.Process()
    began = [own, *own.children(recursive=True)]
    raylet = next(one for one in began if "raylet" in one.name())
    every = {one.pid for one in (*began, *raylet.children(recursive=True))}
    listening = {c.laddr.ip for c in psutil.net_connections() if c.status == psutil.CONN_LISTEN and c.pid in every}
    print(json.dumps([len(machines), file, folder, told, sorted(listening), sorted(every)]), flush=True)
# as a run does that has chosen its sources
with joined(1, []) as machines:
    print(ray.get(ray.remote(lambda: len(machines)).remote()), flush=True)
"""


@pytest.mark.timeout(240)
def test_it_listens_on_the_loopback_interface_runs_no_strangers_code_ends_with_the_run_and_starts_again(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("raise SystemExit('a stranger’s code ran')")
    program = [sys.executable, "-P", "-c", _PROGRAM]
    environment = {**_environment(), "HF_TOKEN": "hf_secret"}
    ended = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    machines, file, folder, told, listening, processes = json.loads(ended.stdout.splitlines()[-2])
    assert ended.stdout.splitlines()[-1] == "1"
    assert machines == 1
    assert not file.startswith(str(tmp_path))
    assert folder != str(tmp_path)
    assert told["HF_TOKEN"] is None
    assert (told["OMP_NUM_THREADS"], told["HF_HUB_OFFLINE"]) == ("1", "1")
    assert listening
    assert all(address.removeprefix("::ffff:").startswith("127.") or address == "::1" for address in listening), listening
    _, alive = psutil.wait_procs([psutil.Process(one) for one in processes if psutil.pid_exists(one)], timeout=60)
    assert not alive


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
