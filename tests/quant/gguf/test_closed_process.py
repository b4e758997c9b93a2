"""What a process may not do any more once it is closed; each attempt is made for real, in a process of its own."""

from __future__ import annotations

import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from evomerge_quant.gguf.closed_process import closed_environment, refused_line

CLOSE = "from evomerge_quant.gguf.closed_process import ClosedProcess; closed = ClosedProcess()\n"
ATTEMPTS = {
    "an import from a folder on the module path": "import sys; sys.path.insert(0, FOLDER); import evil",
    "an import as transformers makes it": (
        "import importlib.util as u; spec = u.spec_from_file_location('evil', FOLDER + '/evil.py')\n"
        "spec.loader.exec_module(u.module_from_spec(spec))"
    ),
    "a compiled module that says it is installed": (
        "import sys; sys.path.insert(0, FOLDER + '/compiled'); import installed_by_name"
    ),
    "a script": "import runpy; runpy.run_path(FOLDER + '/evil.py')",
    "a package run as a program": "import runpy, sys; sys.path.insert(0, FOLDER); runpy.run_module('evil')",
    "source that is read and executed": "from pathlib import Path; exec(Path(FOLDER, 'evil.py').read_text())",
    "source under its name": "exec(compile('import evil', FOLDER + '/evil.txt', 'exec'))",
    "a pickle": "import pickle; pickle.loads(b'cos\\nsystem\\n(Vtouch ' + RAN.encode() + b'\\ntR.')",
    "a program": "import subprocess; subprocess.run(['touch', RAN])",
    "the shell": "import os; os.system('touch ' + RAN)",
    "another program in its place": "import os; os.execvp('touch', ['touch', RAN])",
    "a copy of itself": "import os\nif os.fork() == 0: open(RAN, 'w'); os._exit(0)",
    "a connection": "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
    "a socket's own connection": "import socket; socket.socket().connect(('127.0.0.1', 9))",
    "a question to the name server": "import socket; socket.gethostbyname('localhost')",
    "a packet": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))",
    "a page": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    (place / "compiled").mkdir(parents=True)
    (place / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    py_compile.compile(str(place / "evil.py"), cfile=str(place / "compiled/installed_by_name.pyc"), dfile=json.__file__)
    return place


def run(folder: Path, attempt: str, **variables: str) -> subprocess.CompletedProcess[str]:
    names = f"FOLDER, RAN = {str(folder)!r}, {str(folder.parent / 'ran')!r}\n"
    line = [sys.executable, "-P", "-c", CLOSE + names + attempt]
    environment = {**closed_environment(), **variables}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_it_is_refused_in_one_line(name: str, folder: Path) -> None:
    done = run(folder, ATTEMPTS[name])
    assert done.returncode != 0
    assert not (folder.parent / "ran").exists()
    assert refused_line(done.stderr.splitlines()) is not None, done.stderr


def test_the_attempts_work_in_an_open_process(folder: Path) -> None:
    """Else the refusals above would say nothing."""
    ran = folder.parent / "ran"
    names = f"FOLDER, RAN = {str(folder)!r}, {str(ran)!r}\n"
    for name, attempt in ATTEMPTS.items():
        if "127.0.0.1" in attempt or "localhost" in attempt or "evil.txt" in attempt:
            continue
        subprocess.run([sys.executable, "-P", "-c", names + attempt], check=True)
        assert ran.exists(), name
        ran.unlink()


def test_the_working_folder_is_not_searched_though_the_path_has_an_empty_entry(folder: Path) -> None:
    done = run(folder, "import evil", PYTHONPATH=os.pathsep)
    assert "No module named 'evil'" in done.stderr or "refused" in done.stderr
    assert not (folder.parent / "ran").exists()


def test_a_models_folder_is_not_trusted_for_lying_among_packages(folder: Path) -> None:
    attempt = "from pathlib import Path\nclosed.distrust(Path(FOLDER))\nimport model.evil"
    done = run(folder, attempt, PYTHONPATH=str(folder.parent))
    assert not (folder.parent / "ran").exists()
    assert str(folder) in (refused_line(done.stderr.splitlines()) or "")


def test_what_transformers_has_fetched_is_not_trusted_for_being_on_the_path(folder: Path) -> None:
    done = run(folder.parent, "import evil", PYTHONPATH=str(folder), HF_MODULES_CACHE=str(folder))
    assert not (folder.parent / "ran").exists()
    assert str(folder) in (refused_line(done.stderr.splitlines()) or "")


def test_a_library_of_a_models_folder_is_not_loaded(folder: Path) -> None:
    attempt = "from pathlib import Path\nclosed.distrust(Path(FOLDER))\nimport ctypes; ctypes.CDLL(FOLDER + '/evil.so')"
    assert "evil.so" in (refused_line(run(folder, attempt).stderr.splitlines()) or "")


def test_what_is_installed_runs(folder: Path) -> None:
    attempt = (
        "import collections, ctypes, ctypes.util, jinja2, numpy, transformers\n"
        "ctypes.CDLL(None); collections.namedtuple('Pair', 'a b')\n"
        "print(jinja2.Template('{{ 6 * 7 }}').render(), transformers.AutoTokenizer)"
    )
    done = run(folder, attempt)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("42 ")


def test_the_token_is_nowhere_to_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("hf_secret")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.setenv(name, "hf_secret")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    ask = "import huggingface_hub as hub; print(hub.get_token(), hub.is_offline_mode())"
    told = {}
    for name, environment in {"open": dict(os.environ), "closed": closed_environment()}.items():
        line = [sys.executable, "-c", ask]
        told[name] = subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert told == {"open": ["hf_secret", "False"], "closed": ["None", "True"]}
    assert "hf_secret" not in closed_environment().values()
