"""A server that speaks the wire of Hugging Face's router, of the Hub's list of who serves a model, and of their files.

The real `huggingface_hub` asks it, by the real names of hosts: only the transport under its client leads here.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from flux_magic.providers.inference import engine
from tests.support.limits import PATIENCE

ROUTER = "router.huggingface.co"
HUB = "huggingface.co"
FILES = "files.example"
TOKEN = "hf_canaryCANARY0123"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent: a body, JSON of any value else. A `status` of 0 closes the connection without a byte."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that arrived: its method, host, path with its query, token and JSON."""

    method: str
    host: str
    path: str
    token: str
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


Script = Mapping[str, Reply | list[Reply]]
"""The replies by method, host and path without its query; of a list one after the other, the last for all others."""


@dataclass
class Router:
    """What the server answers and what it got.

    A POST is answered once `gate` is open. Connections to the hosts in `refusing` are refused; `tried` has all.
    """

    script: dict[str, Reply | list[Reply]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    refusing: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, call: Call) -> Reply:
        self.calls.append(call)
        if call.method == "POST":
            self.arrived.set()
            self.gate.wait(PATIENCE)
        found = self.script.get(str(call).partition("?")[0])
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found or Reply({"error": "Not Found"}, 404)

    def serve(self, model: str, *offers: str, task: str = "text-to-image") -> None:
        """List who serves a model: `name` or `name=status`."""
        mapping = [
            {"provider": name, "providerId": f"{name}/its-name", "status": status or "live", "task": task}
            for name, _, status in (one.partition("=") for one in offers)
        ]
        self.script[f"GET {HUB}/api/models/{model}"] = Reply(
            {"id": model, "pipeline_tag": task, "inferenceProviderMapping": mapping}
        )

    @property
    def posted(self) -> list[Call]:
        return [call for call in self.calls if call.method == "POST"]

    def list_calls(self) -> list[str]:
        return [str(call) for call in self.calls]


class _Rerouted(httpx2.HTTPTransport):
    """A transport that leads each request to the server of a test, whatever its host."""

    def __init__(self, router: Router) -> None:
        super().__init__(verify=False)
        self._router = router

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        router, host = self._router, request.url.host
        port = 1 if host in router.refusing else router.port
        router.tried.append(host)
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        return super().handle_request(request)


@contextmanager
def run_router(monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    """Provide a server that the real `huggingface_hub` asks in place of every host."""
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.inference._providers import _common, hf_inference
    from huggingface_hub.utils import _http

    router = Router()
    router.gate.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(router))
    server.daemon_threads = True
    router.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def make_client() -> httpx2.Client:
        return httpx2.Client(
            event_hooks={"request": [_http.hf_request_event_hook]},
            follow_redirects=True,
            timeout=None,
            trust_env=False,
            transport=_Rerouted(router),
        )

    monkeypatch.setattr(engine, "_known", {})
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # it asks the Hub for a list of other programs
    for cache in (_common._fetch_inference_provider_mapping, hf_inference._check_supported_task):
        cache.cache_clear()
    huggingface_hub.set_client_factory(make_client)
    try:
        yield router
    finally:
        router.gate.set()
        huggingface_hub.close_session()
        huggingface_hub.set_client_factory(_http.default_client_factory)
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


def _make_handler(router: Router) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's
            """Print nothing."""

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                value = json.loads(body) if body else None
            except ValueError:
                value = body
            host, token = self.headers.get("Host", ""), self.headers.get("Authorization", "")
            reply = router.answer(Call(self.command, host, self.path, token.removeprefix("Bearer "), value))
            self.close_connection = True
            if not reply.status:
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, one in {"Content-Length": str(len(data)), "Connection": "close", **reply.headers}.items():
                self.send_header(name, one)
            self.end_headers()
            self.wfile.write(data)

    return Handler


def list_wire(data: bytes, *, edits: bool = False) -> dict[str, tuple[str, Script]]:
    """Return the path that each company's jobs are posted to, and what it answers until the image is there."""
    encoded = base64.b64encode(data).decode()
    image = f"https://{FILES}/image"
    file: Script = {f"GET {FILES}/image": Reply(data)}
    inside = Reply({"data": [{"b64_json": encoded}]})
    queue = "https://queue.fal.run/fal-ai/its-name/requests/r1"
    fal: Script = {"": Reply({"images": [{"url": image}], "seed": 7}), **file}
    if edits:
        base = f"GET {ROUTER}/fal-ai/fal-ai/its-name/requests/r1"
        fal = {
            "": Reply({"request_id": "r1", "status": "IN_QUEUE", "response_url": queue}),
            f"{base}/status": [Reply({"status": "IN_PROGRESS"}), Reply({"status": "COMPLETED"})],
            base: Reply({"images": [{"url": image}]}),
            **file,
        }
    waved = f"{ROUTER}/wavespeed/api/v3/predictions/p1/result"
    zai = "/zai-org/api/paas/v4/async"
    return {
        "fal-ai": ("/fal-ai/fal-ai/its-name", fal),
        "hf-inference": ("/hf-inference/models/{model}", {"": Reply(data)}),
        "nscale": ("/nscale/v1/images/generations", {"": inside}),
        "replicate": ("/replicate/v1/models/replicate/its-name/predictions", {"": Reply({"output": [image]}), **file}),
        "together": ("/together/v1/images/generations", {"": inside}),
        "wavespeed": (
            "/wavespeed/api/v3/wavespeed/its-name",
            {
                "": Reply({"data": {"urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/p1/result"}}}),
                f"GET {waved}": [
                    Reply({"data": {"status": "processing"}}),
                    Reply({"data": {"status": "completed", "outputs": [image]}}),
                ],
                **file,
            },
        ),
        "zai-org": (
            f"{zai}/images/generations",
            {
                "": Reply({"id": "z1", "task_status": "PROCESSING"}),
                f"GET {ROUTER}{zai.removesuffix('/async')}/async-result/z1": Reply(
                    {"task_status": "SUCCESS", "image_result": [{"url": image}]}
                ),
                **file,
            },
        ),
    }
