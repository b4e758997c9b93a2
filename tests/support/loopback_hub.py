"""A hub on the loopback that huggingface_hub's own client talks to: listings, metadata, files with ranges, broken lines.

Point `HF_ENDPOINT` at it. Files may be larger than memory: a `Sparse` one is a beginning followed by zeros.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from support.hub_uploads import Uploads

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_PIECE = 2**20


@dataclass(frozen=True)
class Sparse:
    """A file of `size` bytes that begins with `start`."""

    start: bytes
    size: int


File = bytes | Sparse


@dataclass
class Hub:
    """What the hub holds, and what it was asked. `facts` are added to a model's listing. Of a file in `cut`, that many bytes
    are sent before the line breaks, once for each time that it stands there. `pause` are seconds between the pieces (1 MiB) of
    a file. With `uploads` it takes files too, and `models` is changed by them."""

    models: Mapping[str, Mapping[str, File]]
    datasets: Mapping[str, Mapping[str, File]] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    pause: float = 0.0
    address: str = ""
    uploads: Uploads | None = None


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serves the hub until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def safetensors_file(shapes: Mapping[str, tuple[int, ...]], dtype: str = "BF16") -> Sparse:
    """A checkpoint of zeros with these tensors: its header, and as many bytes as it says."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        count = 2 if dtype in ("BF16", "F16") else 4
        for size in shape:
            count *= size
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + count]}
        offset += count
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return Sparse(len(header).to_bytes(8, "little") + header, 8 + len(header) + offset)


def size_of(file: File) -> int:
    return file.size if isinstance(file, Sparse) else len(file)


def piece_of(file: File, start: int, end: int) -> bytes:
    """Bytes [start, end)."""
    begin = file.start if isinstance(file, Sparse) else file
    part = begin[start:end]
    return part + bytes(end - start - len(part))


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def answer(self, *, body: bool) -> None:
            asked = urlsplit(self.path)
            path = unquote(asked.path)
            hub.requests.append(f"{self.command} {path} {self.headers.get('Range', '')}".rstrip())
            if path == "/api/models":
                self.send_json(_found(hub, parse_qs(asked.query)))
                return
            api = re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path)
            file = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            found = api or file
            kept = hub.datasets if found and "datasets" in (found[1] or "") else hub.models
            if found is None or found[2] not in kept:
                self.refuse(404, "RepoNotFound")
            elif api is not None:
                self.send_json(_tree(kept[api[2]]) if api[3] == "tree" else _information(hub, api[2], kept[api[2]]))
            elif file is not None and file[4] in kept[file[2]]:
                self.send_file(file[4], kept[file[2]][file[4]], body=body)
            else:
                self.refuse(404, "EntryNotFound")

        def do_POST(self) -> None:
            body, path = self.rfile.read(int(self.headers.get("Content-Length", 0))), unquote(urlsplit(self.path).path)
            hub.requests.append(f"POST {path}")
            assert hub.uploads is not None
            assert isinstance(hub.models, dict)
            authorized = self.headers.get("Authorization", "")
            status, answer = hub.uploads.post(path, body, authorized, hub.address, hub.models)
            self.send_json(answer, status)

        def do_PUT(self) -> None:
            hub.requests.append(f"PUT {self.path}")
            uploads = hub.uploads
            assert uploads is not None
            assert self.headers.get("Authorization") is None, "the storage needs no token"
            size = int(self.headers["Content-Length"])
            taken = min(size, uploads.cut.pop(0)) if uploads.cut else size
            body = b""
            while len(body) < taken and (piece := self.rfile.read(min(_PIECE, taken - len(body)))):
                body += piece
                time.sleep(hub.pause)
            uploads.sent.append((self.path, len(body)))
            mark = uploads.put(self.path, body) if len(body) == size else None
            if mark is None:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(200)
            self.send_header("ETag", f'"{mark}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send_json(self, value: Any, status: int = 200) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def send_file(self, name: str, file: File, *, body: bool) -> None:
            size = size_of(file)
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            end = min(size, int(asked[2]) + 1) if asked and asked[2] else size
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(end - start))
            self.send_header("ETag", f'"{_etag(file)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            if body:
                self.send_body(name, file, start, end)

        def send_body(self, name: str, file: File, start: int, end: int) -> None:
            cuts = hub.cut.get(name, [])
            stop = min(end, start + cuts.pop(0)) if cuts else end
            try:
                for at in range(start, stop, _PIECE):
                    self.wfile.write(piece_of(file, at, min(stop, at + _PIECE)))
                    time.sleep(hub.pause)
            except OSError:
                pass  # whoever asked has gone
            if stop < end:
                self.close_connection = True
                self.connection.close()

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _found(hub: Hub, query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    text = query.get("search", [""])[0].casefold()
    return [{"id": name, "modelId": name, **hub.facts.get(name, {})} for name in hub.models if text in name.casefold()]


def _information(hub: Hub, name: str, files: Mapping[str, File]) -> dict[str, Any]:
    siblings = [{"rfilename": path, "size": size_of(content), "blobId": _etag(content)} for path, content in files.items()]
    private = hub.uploads is not None and hub.uploads.created.get(name) == "private"
    return {"id": name, "modelId": name, "sha": COMMIT, "private": private, "siblings": siblings, **hub.facts.get(name, {})}


def _tree(files: Mapping[str, File]) -> list[dict[str, Any]]:
    return [{"type": "file", "path": path, "size": size_of(content), "oid": _etag(content)} for path, content in files.items()]


def _etag(file: File) -> str:
    seed = file.start + str(file.size).encode() if isinstance(file, Sparse) else file
    return hashlib.sha1(seed).hexdigest()
