"""The hub's token stays where it is, and a run is its owner's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from evomerge_core.files.child_environment import without_token
from evomerge_core.run import hub_files
from evomerge_core.run.run_folder.lock import is_held
from evomerge_tui.processes.child_commands import command_environment
from support.tiny_run import write_recipe

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and file modes as Linux has them")

SECRET = "hf_thisisasecretthatnobodymaysee"
SMALL = {
    "splits": {"search": 4, "validation": 2, "test": 4},
    "budget": {"evaluations": 6},
    "evaluation": {"precision": "fp32", "device": "cpu"},
}


def person(place: Path) -> dict[str, str]:
    """The environment of a logged-in user whose files all lie in `place`."""
    home = {f"XDG_{name}_HOME": str(place / "home" / name.lower()) for name in ("CONFIG", "STATE", "DATA")}
    hub = {"HF_HOME": str(place / "home" / "hf"), "NO_PROXY": "127.0.0.1"}
    return {**os.environ, **home, **hub, "HF_TOKEN": SECRET, "HUGGING_FACE_HUB_TOKEN": SECRET}


def evomerge(*words: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-P", "-m", "evomerge_tui", *(str(word) for word in words)]
    return subprocess.run(line, env=env, capture_output=True, text=True)


def holders(place: Path) -> list[Path]:
    """The files that hold the secret."""
    return [file for file in place.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run was carried out, and reported, by a logged-in user whose files others may read."""
    place = tmp_path_factory.mktemp("person")
    recipe = write_recipe(place / "recipe", **SMALL)
    before = os.umask(0o022)
    try:
        done = evomerge("run", recipe, "--json", env=person(place))
        assert done.returncode == 0, done.stderr[-2000:]
        reported = evomerge("report", place / "recipe" / "runs" / "tiny", env=person(place))
        assert reported.returncode == 0, reported.stderr[-2000:]
    finally:
        os.umask(before)
    assert SECRET not in done.stdout + done.stderr + reported.stdout + reported.stderr
    return place


def test_the_token_is_in_no_file(place: Path) -> None:
    assert holders(place) == []


def test_a_run_is_readable_by_its_owner_alone(place: Path) -> None:
    run = place / "recipe" / "runs" / "tiny"
    made = [run, *run.rglob("*")]
    names = {path.name for path in made}
    assert {"run.db", "recipe.yaml", "sources.json", "job.log", "job.lock", "result.json", "model.safetensors"} <= names
    assert "report.json" in names
    modes = {path.relative_to(run).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in made}
    wanted = {path.relative_to(run).as_posix(): 0o700 if path.is_dir() else 0o600 for path in made}
    assert modes == wanted
    assert stat.S_IMODE(run.parent.stat().st_mode) & 0o055 == 0o055, "the folder of runs is as other folders are"


def test_no_process_of_a_run_carries_the_token(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe", budget={"evaluations": 100000})
    run, env = tmp_path / "run", person(tmp_path)
    assert evomerge("run", recipe, "--out", run, "--detach", env=env).returncode == 0
    try:
        begun = time.monotonic()
        while not _processes(run) and time.monotonic() < begun + 60:
            time.sleep(0.05)
        processes = _processes(run)
        assert processes
        for process in processes:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            assert SECRET.encode() not in environment
            assert b"HF_HUB_DISABLE_IMPLICIT_TOKEN=1" in environment
            assert SECRET not in " ".join(process.cmdline())
        assert is_held(run)
    finally:
        evomerge("stop", run, "--now", env=env)
    assert holders(tmp_path) == []


def _processes(run: Path) -> list[psutil.Process]:
    """The run's job and what it has started."""
    jobs = [process for process in psutil.process_iter(["cmdline"]) if str(run) in (process.info["cmdline"] or [])[-1:]]
    return [one for job in jobs for one in (job, *job.children(recursive=True))]


def test_what_a_run_names_on_the_hub_is_fetched_before_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's own requests would have no token."""
    fetched = []
    monkeypatch.setattr(hub_files, "download", lambda repo, revision, **_: fetched.append((repo, revision)))
    recipe = write_recipe(tmp_path)
    text = recipe.read_text().replace("./first", "owner/first@v1").replace("./second", "./second+owner/adapter")
    recipe.write_text(text)
    hub_files.fetch_hub_files(tmp_path)
    assert fetched == [("owner/first", "v1"), ("owner/adapter", None)]


def test_only_commands_that_may_fetch_something_get_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HF_HOME", "/there")
    for words in (("candidate", "run", "g1.1"), ("export", "run")):
        assert SECRET not in command_environment(words).values()
    for words in (("run", "recipe"), ("download", "owner/name"), ("try", "recipe")):
        assert command_environment(words)["HF_TOKEN"] == SECRET
    assert without_token()["HF_HOME"] == "/there"


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HF_API_KEY", "HUGGINGFACE_TOKEN", "hf_access_token"],
)
def test_no_name_of_the_token_is_passed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("HF_TOKEN_PATH", "/there/token")
    kept = without_token()
    assert SECRET not in kept.values()
    assert (kept["HF_HUB_DISABLE_IMPLICIT_TOKEN"], kept["HF_TOKEN_PATH"]) == ("1", "/there/token")
