"""A TCP proxy before a Space that drops connections by chance. `python -m tests.soak.proxy PORT RATE SEED`.

Each stage of each exchange is dropped with the same probability: before the request is passed on (or as the connection
is made), in the answer's headers, in its body, and after it. Half of the drops are a reset, the others an end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

STAGES = ("before", "headers", "body", "after")
_HOST = "127.0.0.1"
_END = b"\r\n\r\n"
_MOST = 2**16
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Dropped(Exception):
    """The end of a connection by chance."""


class Proxy:
    """The connections to one Space, and what was counted: each stage's drops, and the jobs that were posted."""

    def __init__(self, port: int, rate: float, seed: int) -> None:
        self._port, self._rate, self._chance = port, rate, random.Random(seed)
        self.counts: Counter[str] = Counter(dict.fromkeys([*STAGES, "connections", "requests", "posted", "arrived"], 0))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the client, with one of its own to the Space."""
        self.counts["connections"] += 1
        onward = None
        try:
            self._drop("before")
            onward = await asyncio.open_connection(_HOST, self._port, limit=_MOST)
            while True:
                await self._exchange(reader, writer, *onward)
        except Dropped:
            self._cut(writer)
        except (ConnectionError, asyncio.IncompleteReadError):  # one of the ends has closed it
            pass
        finally:
            for each in (writer, onward[1] if onward else writer):
                each.close()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
    ) -> None:
        """Pass one request on, and its answer back."""
        head = await reader.readuntil(_END)
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        is_job = head.startswith(b"POST") and b"/call/" in head.partition(b"\r\n")[0]
        self.counts["requests"] += 1
        self.counts["posted"] += is_job
        self._drop("before")
        requests.write(head + body)
        self.counts["arrived"] += is_job
        answer = await answers.readuntil(_END)
        is_cut = self._is_unlucky("body")
        if self._is_unlucky("headers"):
            writer.write(answer[: self._chance.randrange(len(answer))])
            await writer.drain()
            raise Dropped
        writer.write(answer)
        async for part, is_last in _parts(answer, answers):
            if is_cut and (is_last or self._chance.random() < 0.5):
                writer.write(part[: self._chance.randrange(len(part))])
                await writer.drain()
                self.counts["body"] += 1
                raise Dropped
            writer.write(part)
            await writer.drain()
        self._drop("after")

    def _is_unlucky(self, stage: str) -> bool:
        unlucky = self._chance.random() < self._rate
        self.counts[stage] += unlucky and stage != "body"
        return unlucky

    def _drop(self, stage: str) -> None:
        if self._is_unlucky(stage):
            raise Dropped

    def _cut(self, writer: asyncio.StreamWriter) -> None:
        """Let the connection end, or reset it: to a client these are two errors."""
        found = writer.get_extra_info("socket")
        if found is not None and self._chance.random() < 0.5:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _parts(head: bytes, reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bool]]:
    """Give the parts of a body as they come, each with True if it is the last."""
    if _CHUNKED.search(head):
        size = -1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line, 16)
            yield line + await reader.readexactly(size + 2), not size
    elif (length := _LENGTH.search(head)) and int(length[1]):
        left = int(length[1])
        while left:
            part = await reader.read(min(left, _MOST))
            if not part:
                raise ConnectionResetError
            left -= len(part)
            yield part, not left


async def serve(port: int, rate: float, seed: int) -> None:
    """Tell the port; then, for each line that comes, the counts. Ends with the standard input."""
    proxy = Proxy(port, rate, seed)
    server = await asyncio.start_server(proxy.accept, _HOST, 0, limit=_MOST)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(proxy.counts), flush=True)
    os._exit(0)  # with whatever connections are still open


class Running:
    """The proxy as a process of its own, at `address`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = f"http://{_HOST}:{self._line()}"

    def counts(self) -> dict[str, int]:
        """Return what was counted until now."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._line())
        return found

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@contextmanager
def dropping(space: str, rate: float, seed: int) -> Iterator[Running]:
    """Give a proxy before the Space at an address."""
    command = [sys.executable, "-m", "tests.soak.proxy", space.rpartition(":")[2], str(rate), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Running(process)
        assert process.stdin
        process.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
