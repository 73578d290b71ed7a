"""A server far away: TLS in front of a Space, and a time that every byte takes. `python -m tests.benchmarks.far …`.

What comes is delayed, and not slowed down: a chunk waits until it is due, and any number of them wait at the same time.
The delay lies outside of TLS, so the handshake pays for it as well; and a TCP connection takes a round trip to be made.
Each client has a port of its own, and the connections to it are counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ONE_WAY = 0.025
"""Seconds."""

CHUNK = 2**18
_HOST = "127.0.0.1"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed one of 127.0.0.1; anyone who trusts it gets its path in SSL_CERT_FILE."""

    path: Path
    key: Path

    @classmethod
    def made_in(cls, folder: Path) -> Certificate:
        made = cls(folder / "certificate.pem", folder / "key.pem")
        names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        files = ["-keyout", str(made.key), "-out", str(made.path)]
        subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
        return made


class Far:
    """The proxy, in a process of its own; `addresses` are the clients' by name."""

    def __init__(self, names: Sequence[str], space: str, certificate: Certificate) -> None:
        paths = [str(certificate.path), str(certificate.key)]
        command = [sys.executable, "-m", "tests.benchmarks.far", space.rpartition(":")[2], *paths, str(len(names))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._names = list(names)
        self.addresses = {name: f"https://{_HOST}:{port}" for name, port in zip(names, self._answer(), strict=True)}

    def connections(self, name: str) -> int:
        """Return how many a client has made until now."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()[self._names.index(name)]

    def _answer(self) -> list[int]:
        assert self._process.stdout
        numbers: list[int] = json.loads(self._process.stdout.readline())
        return numbers

    def close(self) -> None:
        with self._process:
            if self._process.stdin:
                self._process.stdin.close()


@contextmanager
def far_away(names: Sequence[str], space: str, certificate: Certificate) -> Iterator[Far]:
    far = Far(names, space, certificate)
    try:
        yield far
    finally:
        far.close()


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, extra: float = 0) -> None:
    """Pass on what comes, each chunk when it is due; the first `extra` seconds later."""
    now = asyncio.get_running_loop().time
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def receive() -> None:
        late = ONE_WAY + extra
        with suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                on_the_way.put_nowait((now() + late, chunk))
                late = ONE_WAY
        on_the_way.put_nowait((now() + ONE_WAY, b""))

    receiving = asyncio.ensure_future(receive())
    with suppress(ConnectionError):
        while True:
            due, chunk = await on_the_way.get()
            await asyncio.sleep(due - now())
            if not chunk:
                break
            writer.write(chunk)
    receiving.cancel()
    writer.close()


async def _at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def serve(space: int, certificate: Certificate, count: int) -> None:
    """Tell the ports; then, for each line that comes, how many connections each had. Ends with its standard input."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key)
    connections = [0] * count

    async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Return where TLS ends."""
        to_space = await asyncio.open_connection(_HOST, space, limit=CHUNK)
        await asyncio.gather(_at_once(reader, to_space[1]), _at_once(to_space[0], writer))

    near = await asyncio.start_server(ended, _HOST, 0, ssl=context, limit=CHUNK)
    port_of_tls = near.sockets[0].getsockname()[1]

    def listener(place: int) -> Handler:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections[place] += 1
            onward = await asyncio.open_connection(_HOST, port_of_tls, limit=CHUNK)
            await asyncio.gather(_late(reader, onward[1], extra=2 * ONE_WAY), _late(onward[0], writer))

        return accepted

    servers = [await asyncio.start_server(listener(place), _HOST, 0, limit=CHUNK) for place in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(connections), flush=True)
    os._exit(0)  # what is open still is no one's any more


def main() -> None:
    space, certificate, key, count = sys.argv[1:]
    asyncio.run(serve(int(space), Certificate(Path(certificate), Path(key)), int(count)))


if __name__ == "__main__":
    main()
