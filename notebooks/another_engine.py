"""What the tutorials of engines need: the libraries, and a look-alike where there is no account.

The look-alike answers on this machine in place of Hugging Face, to the real requests of `huggingface_hub`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

from flux_magic import MissingExtra

NEEDED = ("torch", "diffusers", "transformers", "huggingface_hub", "flux_magic_tiny")


def check() -> None:
    """Raise MissingExtra, in one line, if the libraries that this notebook needs are not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise MissingExtra(
            f"this notebook needs {', '.join(missing)}; what is saved below can be read without",
            "To run it, in a clone: pip install -e '.[diffusers,inference,local]' ./tiny",
        )


class _LookAlike(BaseHTTPRequestHandler):
    """The wire of Hugging Face's router: who serves a model, and the answer of one company, `together`."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        served = {"provider": "together", "providerId": "its-name", "status": "live", "task": "text-to-image"}
        named = self.path.partition("?")[0].removeprefix("/api/models/")
        self._answer({"id": named, "pipeline_tag": "text-to-image", "inferenceProviderMapping": [served]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"data": [{"b64_json": base64.b64encode(_draw(asked)).decode()}]})

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _draw(asked: dict[str, object]) -> bytes:
    """Return colours that what is asked for decides, and on them what they are."""
    from PIL import Image, ImageDraw

    chosen = hashlib.sha256(json.dumps([asked["prompt"], asked["seed"]]).encode()).digest()
    corners = Image.frombytes("RGB", (2, 2), bytes(128 + one // 2 for one in chosen[:12]))
    image = corners.resize((int(asked["width"]), int(asked["height"])), Image.Resampling.BILINEAR)
    ImageDraw.Draw(image).text((12, 12), "a look-alike answered, no company", fill="black")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def answer_for_hugging_face() -> None:
    """Let a server on this machine answer what `huggingface_hub` asks in this process; nothing leaves the machine."""
    import httpx2
    import huggingface_hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), _LookAlike)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    class Here(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=server.server_address[1])
            return super().handle_request(request)

    huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=Here(), timeout=60))
