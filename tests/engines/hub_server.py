"""A server of ours that speaks what huggingface_hub asks the Hub for: the facts of a model, and its files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"


class _Hub(BaseHTTPRequestHandler):
    """The models of a folder, `owner/name` each; the one named `gated` is gated, and `asked` has the paths."""

    protocol_version = "HTTP/1.1"

    def __init__(self, root: Path, asked: list[str], *args: Any) -> None:
        self._root, self._asked = root, asked
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = urlsplit(self.path).path.strip("/")
        self._asked.append(f"{self.command} {path}")
        parts = path.split("/")
        status, body, headers = 404, b"", {"X-Error-Code": "EntryNotFound"}
        if parts[:2] == ["api", "models"]:
            status, body, headers = self._describe("/".join(parts[2:4]), parts[4:])
        elif len(parts) > 4 and parts[2] == "resolve":
            file = self._root / parts[0] / parts[1] / "/".join(parts[4:])
            if parts[1] == "gated":
                status, body, headers = 403, b"gated", {"X-Error-Code": "GatedRepo"}
            elif file.is_file():
                status, body = 200, file.read_bytes()
                headers = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _describe(self, repo: str, rest: list[str]) -> tuple[int, bytes, dict[str, str]]:
        folder = self._root / repo
        if not folder.is_dir():
            return 404, b"{}", {"X-Error-Code": "RepoNotFound"}
        if rest[:1] == ["revision"] and rest[1] not in {"main", COMMIT}:
            return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
        files = {one.relative_to(folder).as_posix(): one.stat().st_size for one in folder.rglob("*") if one.is_file()}
        if rest[:1] == ["tree"]:
            tree = [{"type": "file", "path": name, "size": size, "oid": "0"} for name, size in files.items()]
            return 200, json.dumps(tree).encode(), {}
        siblings = [{"rfilename": name, "size": size, "blobId": "0"} for name, size in files.items()]
        facts = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        return 200, json.dumps(facts).encode(), {}


@contextmanager
def run_hub(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a Hub with the models below a folder, and the list of what it is asked."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, root, asked))
    thread = threading.Thread(target=server.serve_forever, name="hub")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
