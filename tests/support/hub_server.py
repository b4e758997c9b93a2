"""A small hub on the loopback: the requests that huggingface_hub makes for a model's listing and files, and its refusals."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFUSALS = {"owner/gated": (403, "GatedRepo"), "owner/absent": (404, "RepoNotFound"), "owner/private": (401, "RepoNotFound")}


@contextmanager
def serve(repos: Mapping[str, Mapping[str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """Serves repos (id -> path -> content) at the address given; the list gathers `METHOD path token` of each request."""
    requests: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            requests.append(f"{self.command} {path} {self.headers.get('Authorization', '')}".rstrip())
            found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path)
            file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            repo = (found or file or [None, ""])[1]
            if repo in REFUSALS:
                self.refuse(*REFUSALS[repo])
            elif repo not in repos:
                self.refuse(404, "RepoNotFound")
            elif (found[3] if found else file[2]) not in ("main", "v1", COMMIT):  # type: ignore[index]
                self.refuse(404, "RevisionNotFound")
            elif found:
                self.send(json.dumps(listing(repo) if found[2] == "tree" else information(repo)).encode(), body)
            elif file and file[3] in repos[repo]:
                self.send(repos[repo][file[3]], body)
            else:
                self.refuse(404, "EntryNotFound")

        def send(self, content: bytes, body: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    def listing(repo: str) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for path, content in repos[repo].items()
        ]

    def information(repo: str) -> dict[str, object]:
        return {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": [{"rfilename": path} for path in repos[repo]]}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
