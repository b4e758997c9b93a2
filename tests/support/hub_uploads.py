"""What a hub does with uploads: large files arrive by git LFS in one piece or several, commits name them.

Written after git-lfs' batch API and the requests of huggingface_hub's client; nothing of the program under test is used.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_LARGE = (".safetensors", ".gguf")


@dataclass
class Uploads:
    """The hub's side of uploads, for the owner of `token`. Of the next files that are sent, `cut` bytes each are taken before
    the line breaks. Files of more than `piece` bytes arrive in pieces. `sent` are the bytes that came of each file."""

    token: str
    owner: str = "owner"
    piece: int | None = None
    cut: list[int] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    pieces: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sent: list[tuple[str, int]] = field(default_factory=list)
    created: dict[str, str | None] = field(default_factory=dict)
    commits: list[tuple[str, str]] = field(default_factory=list)

    def post(
        self, path: str, body: bytes, authorized: str, address: str, models: MutableMapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """The status and answer of a POST."""
        if path == "/api/validate-yaml":
            return _validated(json.loads(body)["content"])
        if found := re.fullmatch(r"/lfs/(\w+)/complete", path):
            return self._join(found[1], json.loads(body))
        if authorized != f"Bearer {self.token}":
            return 401, {"error": "Invalid user token."}
        if path == "/api/repos/create":
            return self._create(json.loads(body), address, models)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path):
            if found[1].split("/")[0] != self.owner:
                return 403, {"error": "You don't have the rights to write here."}
            if found[2] == "preupload":
                return 200, {"files": [self._mode(one, models[found[1]]) for one in json.loads(body)["files"]]}
            return self._commit(found[1], body, address, models)
        if found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            objects = [self._where(one, address) for one in json.loads(body)["objects"]]
            return 200, {"transfer": "basic", "objects": objects}
        return 404, {"error": "Not found"}

    def put(self, path: str, body: bytes) -> str | None:
        """Takes a file or a piece of one; its mark. None for what isn't whole."""
        found = re.fullmatch(r"/lfs/(\w+)(?:/(\d+))?", path)
        assert found is not None, path
        if found[2] is not None:
            self.pieces[found[1], int(found[2])] = body
        elif hashlib.sha256(body).hexdigest() == found[1]:
            self.stored[found[1]] = body
        else:
            return None
        return hashlib.md5(body).hexdigest()

    def _create(self, asked: dict[str, Any], address: str, models: MutableMapping[str, Any]) -> tuple[int, dict[str, Any]]:
        owner, name = asked["organization"], f"{asked['organization']}/{asked['name']}"
        if owner != self.owner:
            return 403, {"error": "You don't have the rights to create a model under this namespace"}
        if name in models:
            return 409, {"error": "You already created this model repo", "url": f"{address}/{name}"}
        self.created[name] = asked.get("visibility")
        models[name] = {".gitattributes": b""}
        return 200, {"url": f"{address}/{name}"}

    def _mode(self, file: dict[str, Any], there: dict[str, bytes]) -> dict[str, Any]:
        kept, large = there.get(file["path"]), file["path"].endswith(_LARGE)
        oid = None if kept is None else hashlib.sha256(kept).hexdigest() if large else _git_hash(kept)
        return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def _where(self, one: dict[str, Any], address: str) -> dict[str, Any]:
        oid, size = one["oid"], one["size"]
        if oid in self.stored:
            return {"oid": oid, "size": size}
        upload: dict[str, Any] = {"href": f"{address}/lfs/{oid}"}
        if self.piece is not None and size > self.piece:
            places = {str(n + 1): f"{address}/lfs/{oid}/{n + 1}" for n in range(-(-size // self.piece))}
            upload = {"href": f"{address}/lfs/{oid}/complete", "header": {"chunk_size": str(self.piece), **places}}
        return {"oid": oid, "size": size, "actions": {"upload": upload}}

    def _join(self, oid: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        whole = b"".join(self.pieces[oid, part["partNumber"]] for part in asked["parts"])
        if hashlib.sha256(whole).hexdigest() != oid:
            return 400, {"error": "the pieces aren't the file"}
        self.stored[oid] = whole
        return 200, {}

    def _commit(self, repo: str, body: bytes, address: str, models: MutableMapping[str, Any]) -> tuple[int, dict[str, Any]]:
        kept: dict[str, bytes] = dict(models[repo])
        summary = ""
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                summary = value["summary"]
            elif line["key"] == "file":
                kept[value["path"]] = base64.b64decode(value["content"])
            else:
                kept[value["path"]] = self.stored[value["oid"]]
        models[repo] = kept
        self.commits.append((repo, summary))
        oid = f"{len(self.commits):040x}"
        return 200, {"success": True, "commitOid": oid, "commitUrl": f"{address}/{repo}/commit/{oid}"}


def _validated(card: str) -> tuple[int, dict[str, Any]]:
    """As the hub does: what is wrong with a card's head."""
    _, head, _ = card.split("---\n", 2)
    data = yaml.safe_load(head)
    wrong = [f"{key} is no hub id" for key in data.get("base_model", []) if not re.fullmatch(r"[\w.-]+/[\w.-]+", key)]
    return (400 if wrong else 200), {"errors": [{"message": text} for text in wrong], "warnings": []}


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
