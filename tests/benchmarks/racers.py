"""The programs that are compared, each in a process of its own: `python -m tests.benchmarks.racers NAME ADDRESS`.

It imports what it needs, makes one small image to be warm, says so, and then does what each line of its standard input
asks for: `{"do": "image", "size": 256, "seed": 1}`. It answers with the seconds, its processor's seconds and whatever
else the program tells, in one line of JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import ssl
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from flux_magic.results.generation import Generation
    from flux_magic.types import ImageRequest

T = TypeVar("T")

PROMPT = "a red fox in the snow"
STEPS = 4


def values(size: int, seed: int) -> list[object]:
    """Return the endpoint's inputs, in its order."""
    return [PROMPT, seed, False, size, size, STEPS]


class Program(ABC):
    """One way to get an image from the Space at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.more: dict[str, Any] = {}
        """What else is to be told of the last image."""

    @abstractmethod
    def make(self, size: int, seed: int) -> bytes | str:
        """Return the bytes of an image, or the path of the file that they are in."""

    def image(self, size: int, seed: int) -> dict[str, Any]:
        """Return one image; what it was is told, so that all can be seen to have got the same."""
        begin, worked = time.perf_counter(), time.process_time()
        made = self.make(size, seed)
        told = {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - worked}
        data = Path(made).read_bytes() if isinstance(made, str) else made
        return {**told, **self.more, "sha256": hashlib.sha256(data).hexdigest()}


class Floor(Program):
    """Nothing but the three requests, on one connection: no client can be much quicker."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        parts = urlsplit(address)
        assert parts.hostname
        if parts.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, context=ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port)

    def make(self, size: int, seed: int) -> bytes:
        job = self._asked("POST", "/gradio_api/call/infer", json.dumps({"data": values(size, seed)}))
        stream = self._asked("GET", f"/gradio_api/queue/data?session_hash={json.loads(job)['event_id']}")
        done = completed(stream)
        self.more = {"duration": done["duration"]}
        return self._asked("GET", file_in(done))

    def _asked(self, method: str, path: str, body: str | None = None) -> bytes:
        try:
            return self._answer(method, path, body)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            self._connection.close()
            return self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: str | None) -> bytes:
        self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = self._connection.getresponse()
        data = response.read()
        assert response.status == 200, data[:200]
        return data


def completed(stream: bytes) -> dict[str, Any]:
    """Return the output in a job's whole queue stream: `data`, and the `duration` that the Space itself took."""
    messages = [json.loads(line.removeprefix(b"data: ")) for line in stream.splitlines() if line.startswith(b"data: ")]
    output: dict[str, Any] = next(one for one in messages if one["msg"] == "process_completed")["output"]
    return output


def file_in(output: dict[str, Any]) -> str:
    """Return the path of the image."""
    return "/gradio_api/file=" + quote(output["data"][0]["path"])


class GradioClient(Program):
    """Gradio's own client, as its documentation shows it."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        from gradio_client import Client

        self._client = Client(address, verbose=False, download_files=tempfile.mkdtemp())

    def make(self, size: int, seed: int) -> str:
        return str(self._client.predict(*values(size, seed), api_name="/infer")[0])


class OnALoop(Program):
    """A program that is asynchronous, and keeps its loop."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._loop = asyncio.new_event_loop()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def make(self, size: int, seed: int) -> bytes:
        return self.run(self.made(size, seed))

    @abstractmethod
    async def made(self, size: int, seed: int) -> bytes:
        """Return the bytes of an image."""

    def batch(self, count: int, at_once: int, size: int, seed: int) -> dict[str, Any]:
        """So many images with successive seeds, some of them at once; `images` is how many different ones came."""
        begin, worked = time.perf_counter(), time.process_time()
        came = self.run(self.all_made(count, at_once, size, seed))
        told = {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - worked}
        return {**told, "images": len(set(came))}

    async def all_made(self, count: int, at_once: int, size: int, seed: int) -> list[bytes]:
        return await in_turns(lambda number: self.made(size, seed + number), count, at_once)


async def in_turns(work: Callable[[int], Awaitable[T]], count: int, at_once: int) -> list[T]:
    """Return what `work` gives for each number from 0 to `count`, for some of them at once."""
    numbers = iter(range(count))
    came: list[T] = []

    async def worker() -> None:
        for number in numbers:
            came.append(await work(number))  # noqa: PERF401 - each is to count as it comes

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return came


class Bare(OnALoop):
    """A script on aiohttp, with one session for all."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._session = self.run(self._opened())

    @staticmethod
    async def _opened() -> Any:
        import aiohttp

        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=4))

    async def made(self, size: int, seed: int) -> bytes:
        routes = f"{self.address}/gradio_api"
        async with self._session.post(f"{routes}/call/infer", json={"data": values(size, seed)}) as response:
            job = (await response.json())["event_id"]
        async with self._session.get(f"{routes}/queue/data", params={"session_hash": job}) as response:
            stream = await response.read()
        async with self._session.get(f"{self.address}{file_in(completed(stream))}") as response:
            return bytes(await response.read())


class OurWire(OnALoop):
    """This package, from the request to the image's bytes: nothing is decoded, nothing kept."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        from flux_magic.providers.http.connection import open_session

        self._opened = open_session()
        self._session = self.run(self._opened.__aenter__())

    async def made(self, size: int, seed: int) -> bytes:
        from flux_magic.parameters.addresses import Space
        from flux_magic.providers import BlackForestLabs_Flux1Schnell
        from flux_magic.providers.base import limit_events
        from flux_magic.providers.http.connection import Connection
        from flux_magic.types import ImageResponse

        connection = Connection(self._session, space=self.address)
        provider = BlackForestLabs_Flux1Schnell(connection, Space.parse(self.address))
        async with aclosing(limit_events(provider.stream(asked(size, seed)), connection.limits)) as events:
            *_, last = [event async for event in events]
        assert isinstance(last, ImageResponse)
        return await provider.fetch(last.images[0])


def asked(size: int, seed: int) -> ImageRequest:
    from flux_magic.types import ImageRequest

    return ImageRequest(PROMPT, "flux-schnell", width=size, height=size, seed=seed, steps=STEPS)


class Ours(OnALoop):
    """All of this package: the image is decoded, its pixels have a digest, and both it and its record are kept."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        from flux_magic.client.async_client import AsyncClient
        from flux_magic.parameters.settings import resolve

        self._folder = Path(tempfile.mkdtemp())
        options: dict[str, Any] = {"space": address, "store": self._folder / "store", "replay": "off"}
        self._settings = resolve(**options)
        self._client = self.run(AsyncClient(**options).__aenter__())

    async def made(self, size: int, seed: int) -> bytes:
        return (await self._client.make(asked(size, seed), self._settings)).data

    async def all_made(self, count: int, at_once: int, size: int, seed: int) -> list[bytes]:
        requests = [asked(size, seed + number) for number in range(count)]
        return [made.data async for made in self._many(requests, at_once)]

    def _many(self, requests: Sequence[ImageRequest], at_once: int) -> AsyncGenerator[Generation, None]:
        """Yield the requests' generations as they are done, some of them at once."""
        return self._client.generate_many(requests, concurrency=at_once)

    def parts(self, size: int, seed: int) -> dict[str, float]:
        """Return one image: its time before and after what goes over the wire, and the least that this could be."""
        from .parts import around_the_wire

        return self.run(around_the_wire(self._client, asked(size, seed), self._settings, self._folder))

    def sweep(self, count: int, at_once: int) -> dict[str, Any]:
        """Return many images, every tenth a large one: what memory they cost, and how late the loop was meanwhile."""
        from .parts import watched_sweep

        async def make(start: int, end: int) -> None:
            requests = [asked(1024 if number % 10 == 9 else 256, number) for number in range(start, end)]
            async for _ in self._many(requests, at_once):
                pass

        return self.run(watched_sweep(make, count))


PROGRAMS: dict[str, Callable[[str], Program]] = {
    "floor": Floor,
    "floor again": Floor,
    "gradio_client": GradioClient,
    "bare aiohttp": Bare,
    "ours, the wire": OurWire,
    "ours": Ours,
}


def answer(told: object) -> None:
    print(json.dumps(told), flush=True)


def main() -> None:
    name, address, *once = sys.argv[1:]
    program = PROGRAMS[name](address)
    answer(program.image(256, 0))
    if once:
        os._exit(0)  # no one waits for what a client does at its end
    for line in sys.stdin:
        command = json.loads(line)
        answer(getattr(program, command.pop("do"))(**command))
    os._exit(0)


if __name__ == "__main__":
    main()
