"""A server that looks like a Space and answers as a test says."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import queue
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from PIL import Image

from flux_magic.images import codecs
from flux_magic.providers.base import Limits
from flux_magic.providers.http.connection import open_connection
from flux_magic.types import FileRecord, ImageResponse
from tests.support.limits import PATIENCE
from tests.support.space import collect_events, hasten_limits, move_provider, run

SPACE_PATH = "/tmp/gradio/1a2b/image.png"
FILE = {"path": SPACE_PATH, "url": None, "meta": {"_type": "gradio.FileData"}}
HEARTBEAT = b"event: heartbeat\ndata: null\n\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent, and what becomes of the connection `then`: the body ends as it should, or the connection
    is cut in the middle of it, stays open in silence, or stays open with a heartbeat every 50 ms."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Literal["end", "cut", "silence", "heartbeats"] = "end"
    after: float = 0
    """Seconds before anything is sent."""
    lingers: float = 0
    """Seconds between the body and its end."""


NO_ANSWER = Answer(status=0)
"""The connection is closed without a byte."""

Script = Answer | Sequence[Answer]
"""One answer for every request, or one after the other; the last is for all that follow."""


def answer_json(value: object, status: int = 200) -> Answer:
    """JSON."""
    return Answer(json.dumps(value).encode(), status)


def answer_page(status: int = 200) -> Answer:
    return Answer(b"<!doctype html><html><h1>Oh no</h1></html>", status, "text/html")


def answer_stream(*parts: str | bytes, then: Literal["end", "cut", "silence", "heartbeats"] = "end") -> Answer:
    """Events as the simple route writes them."""
    body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return Answer(body, kind="text/event-stream", then=then)


def format_event(name: str, data: object) -> str:
    """Return one event of the simple route."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def format_message(kind: str, **more: object) -> str:
    """Return one message of the queue stream."""
    return f"data: {json.dumps({'msg': kind, 'event_id': 'abc', **more})}\n\n"


def format_finished(data: object, *, success: bool = True) -> str:
    """Return the last message of a job; `data` is what is under `output`."""
    return format_message("process_completed", output=data, success=success)


def make_png() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 90).save(out, "PNG")
    return out.getvalue()


PICTURE = Answer(make_png(), kind="image/png")
COMPLETE = format_event("complete", [FILE, 42])
COMPLETED = format_finished({"data": [FILE, 42]})
NO_SESSION = answer_stream(
    format_message("unexpected_error", message="404: Not Found", session_not_found=True, success=False)
)


INPUTS = ("Prompt", "Seed", "Randomize seed", "Width", "Height", "Number of inference steps")


def answer_configuration(prefix: str) -> Answer:
    """Return what the public Space says of itself, without bounds; nobody says what its inputs' names are."""
    kinds = ("textbox", "number", "checkbox", "number", "number", "number")
    components = [
        {"id": number, "type": kind, "props": {"label": label, "value": None}}
        for number, (kind, label) in enumerate(zip(kinds, INPUTS, strict=True))
    ]
    endpoint = {"id": 0, "api_name": "infer", "inputs": [*range(6)], "outputs": [6, 1]}
    image = {"id": 6, "type": "image", "props": {"label": "Result"}}
    known: dict[str, Any] = {"dependencies": [endpoint], "components": [*components, image]}
    return answer_json({**known, "api_prefix": prefix} if prefix else known)


@dataclass
class Hostile:
    """The server. Its routes are `config`, `post`, `queue`, `call` and `file`; all else is not found."""

    prefix: str
    script: dict[str, Script]
    address: str = ""
    seen: list[str] = field(default_factory=list)
    """The routes that were asked for, in order, without that of the inputs' names; "?" for one that there is not."""
    bodies: list[str] = field(default_factory=list)
    """What was posted."""
    cookies: list[str] = field(default_factory=list)
    """The cookies of each request."""
    tokens: list[str] = field(default_factory=list)
    """The tokens that came, under each name that they go by."""
    peers: set[object] = field(default_factory=set)
    """The connections' other ends."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        route = self._find_route(request)
        if route != "info":
            self.seen.append(route)
            self.cookies.append(request.headers.get("Cookie", ""))
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        named = ("Authorization", "X-HF-Authorization")
        self.tokens += [request.headers[name] for name in named if name in request.headers]
        if request.method == "POST":
            self.bodies.append(await request.text())
        script = self.script.get(route, Answer(b"Not Found", 404, "text/plain"))
        if not isinstance(script, Answer):
            script = script[min(self.seen.count(route), len(script)) - 1]
        return await _send(request, script)

    def _find_route(self, request: web.BaseRequest) -> str:
        path = request.path
        if path == "/config":
            return "config"
        if not path.startswith(f"{self.prefix}/"):
            return "?"
        rest = path.removeprefix(self.prefix)
        if rest == "/call/infer":
            return "post"
        whole = {"/info": "info", "/zero-gpu/quota": "quota", "/a/b": "stage", "/cancel": "cancel"}
        if rest in whole:
            return whole[rest]
        names = {"/queue/data": "queue", "/call/infer/": "call", "/file=": "file"}
        return next((name for start, name in names.items() if rest.startswith(start)), "?")


async def _send(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    await asyncio.sleep(answer.after)
    transport = request.transport
    assert transport
    if not answer.status:
        transport.close()
        return web.Response()
    headers = {"Content-Type": answer.kind, **answer.headers}
    response = web.StreamResponse(status=answer.status, headers=headers)
    with suppress(ConnectionResetError):
        await response.prepare(request)
        await response.write(answer.body)
        await asyncio.sleep(answer.lingers)
        if answer.then == "cut":
            transport.close()
        while answer.then in {"silence", "heartbeats"} and not transport.is_closing():
            await asyncio.sleep(0.05)
            if answer.then == "heartbeats":
                await response.write(HEARTBEAT)
    return response


@asynccontextmanager
async def run_hostile(prefix: str = "/gradio_api", **script: Script) -> AsyncIterator[Hostile]:
    """Provide a running server, which does as it should where the script does not say otherwise."""
    well: dict[str, Script] = {
        "config": answer_configuration(prefix),
        "post": answer_json({"event_id": "abc"}),
        "queue": answer_stream(COMPLETED),
        "call": answer_stream(COMPLETE),
        "file": PICTURE,
    }
    server = Hostile(prefix, {**well, **script})
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.address = "http://{}:{}".format(*runner.addresses[0])
    try:
        yield server
    finally:
        await runner.cleanup()


@contextmanager
def run_hostile_beside(prefix: str = "/gradio_api", **script: Script) -> Iterator[Hostile]:
    """As `run_hostile`, on a thread of its own: for a test that blocks."""
    started: queue.SimpleQueue[tuple[Hostile, Callable[[], object]]] = queue.SimpleQueue()

    async def serve() -> None:
        over = asyncio.Event()
        async with run_hostile(prefix, **script) as server:
            started.put((server, functools.partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)))
            await over.wait()

    with ThreadPoolExecutor() as pool:
        serving = pool.submit(asyncio.run, serve())
        server, end = started.get(timeout=PATIENCE)
        try:
            yield server
        finally:
            end()
            serving.result()


@dataclass(frozen=True, slots=True)
class Got:
    """What came of a job: its images, the seed, and the routes that were asked for."""

    files: list[FileRecord]
    urls: list[str]
    seed: int | None
    seen: list[str]


def ask_hostile(
    *, progress: bool = True, limits: Limits | None = None, prefix: str = "/gradio_api", **script: Script
) -> Got:
    """Return one job for a hostile server: from the request to the decoded image."""

    async def work() -> Got:
        async with run_hostile(prefix, **script) as server:
            response, files = await _make_images(server.address, progress=progress, limits=limits)
            return Got(files, response.images, response.seed, server.seen)

    return run(work())


async def _make_images(
    address: str, *, progress: bool, limits: Limits | None
) -> tuple[ImageResponse, list[FileRecord]]:
    provider = move_provider(address)
    *_, response = await collect_events(provider, progress=progress, limits=limits)
    assert isinstance(response, ImageResponse)
    async with open_connection(limits=hasten_limits(limits)) as connection:
        data = [await provider(connection).fetch(url) for url in response.images]
    return response, [codecs.describe(item) for item in data]
