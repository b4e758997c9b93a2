"""Datasets of the hub, from a small server on this machine that speaks its protocol."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pyarrow
import pyarrow.parquet
import pytest

import evomerge_core


def _parquet(*questions: str) -> bytes:
    rows = [{"question": question, "answer": f"Thus.\n#### {len(question)}", "answer_number": 7} for question in questions]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


# Repository and revision: files.
FILES: dict[tuple[str, str], dict[str, bytes]] = {
    ("openai/gsm8k", "main"): {
        "README.md": b"test main",
        "main/test-00000-of-00002.parquet": _parquet("one", "two"),
        "main/test-00001-of-00002.parquet": _parquet("three"),
        "main/train-00000-of-00001.parquet": _parquet("trained"),
        "socratic/test-00000-of-00001.parquet": _parquet("socratic"),
    },
    ("juletxara/mgsm", "main"): {"mgsm.py": b"", "mgsm_ja.tsv": "一つ目の問題\t7\n".encode()},
    ("juletxara/mgsm", "refs/convert/parquet"): {"ja/test/0000.parquet": _parquet("a", "b", "c")},
    ("some/lines", "main"): {"data/test.jsonl": b'{"q": "x", "a": 1}\n{"q": "y", "a": 2}\n{"q": "z", "a": 3}\n'},
}


def _commit(repo: str, revision: str) -> str:
    return hashlib.sha1(f"{repo}@{revision}".encode()).hexdigest()


class _Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(self.path.split("?")[0])
        for (repo, revision), files in FILES.items():
            commit = _commit(repo, revision)
            if path in (f"/api/datasets/{repo}/revision/{revision}", f"/api/datasets/{repo}"):
                siblings = [{"rfilename": name} for name in files]
                return self._send(json.dumps({"id": repo, "sha": commit, "siblings": siblings}).encode())
            if path in (f"/api/datasets/{repo}/tree/{revision}", f"/api/datasets/{repo}/tree/{commit}"):
                tree = [{"type": "file", "path": name, "size": len(data), "oid": "0"} for name, data in files.items()]
                return self._send(json.dumps(tree).encode())
            for name, data in files.items():
                if path in (f"/datasets/{repo}/resolve/{place}/{name}" for place in (revision, commit)):
                    return self._send(data, commit=commit)
        known = any(path.startswith(f"/api/datasets/{repo}/") for repo, _ in FILES)
        return self._send(b"{}", 404, "RevisionNotFound" if known else "RepoNotFound")

    def _send(self, body: bytes, status: int = 200, code: str = "", commit: str = "") -> None:
        self.send_response(status)
        headers = {"Content-Length": len(body), "ETag": f'"{hash(body) & 0xFFFFFFFF:x}"', "X-Repo-Commit": commit}
        for name, value in {**headers, **({"X-Error-Code": code} if code else {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


SCRIPT = """
import json, sys
from pathlib import Path
from evomerge_core.errors import InputError
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.make_task import make_task
for entry in json.loads(sys.argv[1]):
    spec = TaskSpec.model_validate(entry)
    try:
        splits = draw_items(spec, make_task(spec), Splits(search=1, validation=1, test=1), folder=Path())
        items = (*splits.search, *splits.validation, *splits.test)
        print(json.dumps(sorted([item.fields["question"], item.fields["answer"]] for item in items)))
    except InputError as error:
        print(json.dumps(str(error)))
"""


def _read(entries: list[dict[str, object]], endpoint: str, cache: Path, *, offline: bool = False) -> list[object]:
    """Runs in a process of its own: the hub's address is read when its library is imported."""
    environment = {
        name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "HF_HUB_OFFLINE"
    }
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": str(int(offline)),
    }
    environment["PYTHONPATH"] = str(Path(evomerge_core.__file__).parents[1])
    command = [sys.executable, "-c", SCRIPT, json.dumps(entries)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


OWN = {"name": "own", "prompt": "{question}", "fields": {"question": "q", "answer": "a"}, "scorer": "exact"}
ENTRIES: list[dict[str, object]] = [
    {"task": "gsm8k"},
    {"task": "mgsm-ja"},
    {**OWN, "dataset": "some/lines", "split": "test"},
    {**OWN, "dataset": "some/lines", "split": "validation"},
    {**OWN, "dataset": "no/such", "split": "test"},
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def online(hub: str, cache: Path) -> list[object]:
    return _read(ENTRIES, hub, cache)


def test_datasets_are_fetched_by_config_and_split(online: list[object]) -> None:
    assert online[:3] == [
        [["one", "3"], ["three", "5"], ["two", "3"]],
        [["a", "7"], ["b", "7"], ["c", "7"]],
        [["x", "1"], ["y", "2"], ["z", "3"]],
    ]


def test_a_missing_split_or_dataset_is_reported_in_one_line(online: list[object]) -> None:
    assert str(online[3]).startswith("own: dataset: the dataset some/lines has no files of split 'validation';")
    assert str(online[4]).startswith("own: dataset: can't fetch the dataset no/such (")
    assert not any("\n" in str(message) for message in online[3:])


def test_what_was_fetched_once_is_read_again_without_the_hub(online: list[object], cache: Path) -> None:
    again = _read(ENTRIES, "http://127.0.0.1:9", cache, offline=True)
    assert again[:3] == online[:3]
    assert str(again[4]).startswith("own: dataset: can't fetch the dataset no/such (")
