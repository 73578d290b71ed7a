"""An image at a URL that redirects: never to this machine or its network, but for the server that the user named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

import flux_magic
from flux_magic.errors import ProtocolError
from flux_magic.providers.http.connection import Connection, open_session
from flux_magic.providers.http.guard import Guard
from flux_magic.records import embedding
from tests.support.space import run
from tests.unit.samples import encoded, record

IMAGE, _ = embedding.embed_record(encoded(), record(), 0)


@dataclass
class Server:
    """Redirects to what a query says, and has an image; also asked as a proxy for hosts out there."""

    port: int = 0
    other: int = 0
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        if target := request.rel_url.query.get("to"):
            return web.Response(status=307, headers={"Location": target})
        return web.Response(body=IMAGE)


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    """Provide a server on two ports of this machine."""
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle))
    await runner.setup()
    for _ in range(2):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port, server.other = (address[1] for address in runner.addresses)
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch, inside_example: None) -> None:  # noqa: ARG001 - a name of this machine
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    monkeypatch.setenv("no_proxy", "inside.example")


def recalled(monkeypatch: pytest.MonkeyPatch, url: str, *targets: str) -> tuple[str | None, list[str]]:
    """Return the tool of the image at a URL, and what the server was asked for, behind redirects to these targets."""

    async def work() -> tuple[str | None, list[str]]:
        async with running() as server:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
            address = ""
            for target in reversed([url, *targets]):
                here = target.replace("PORT", str(server.port)).replace("OTHER", str(server.other))
                address = f"{here}?to={quote(address, safe='')}" if address else here
            found = await asyncio.to_thread(flux_magic.recall, address)
            return found.tool, server.asked

    return run(work())


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param(["http://127.0.0.1:PORT/x"], id="loopback"),
        pytest.param(["http://localhost:PORT/x"], id="localhost"),
        pytest.param(["http://LocalHost.:PORT/x"], id="localhost with a dot"),
        pytest.param(["http://[::1]:PORT/x"], id="IPv6"),
        pytest.param(["http://[::ffff:7f00:1]:PORT/x"], id="IPv4 in IPv6"),
        pytest.param(["http://127.1:PORT/x"], id="short"),
        pytest.param(["http://0x7f000001:PORT/x"], id="hexadecimal"),
        pytest.param(["http://2130706433:PORT/x"], id="one number"),
        pytest.param(["http://0177.0.0.1:PORT/x"], id="octal"),
        pytest.param(["http://ann:secret@127.0.0.1:PORT/x"], id="with a password"),
        pytest.param(["//127.0.0.1:PORT/x"], id="without a scheme"),
        pytest.param(["http://10.1.2.3/x"], id="10/8"),
        pytest.param(["http://169.254.169.254/latest"], id="link-local"),
        pytest.param(["http://inside.example:PORT/x"], id="a name that leads here"),
        pytest.param(["http://else.example/y", "http://127.0.0.1:PORT/x"], id="two hops"),
    ],
)
def test_a_url_out_there_redirects_to_nothing_in_here(monkeypatch: pytest.MonkeyPatch, targets: list[str]) -> None:
    asked: list[str] = []
    real = Server.handle

    async def handle(self: Server, request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.raw_path)
        return await real(self, request)

    monkeypatch.setattr(Server, "handle", handle)
    with pytest.raises(ProtocolError, match="an address of your own network, which is not followed") as caught:
        recalled(monkeypatch, "http://public.example/x", *targets)
    assert len(asked) == len(targets)
    assert all("example/" in path for path in asked), "asked of the proxy, and nothing of this machine"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        pytest.param("http://127.0.0.1:PORT/y", "/x", id="a path"),
        pytest.param("http://127.0.0.1:PORT/y", "http://localhost:PORT/x", id="another name of this machine"),
        pytest.param("http://inside.example:PORT/y", "http://inside.example:PORT/x", id="a private name"),
        pytest.param("http://127.0.0.1:PORT/y", "http://public.example/x", id="out there"),
    ],
)
def test_a_server_in_here_that_the_user_named_may_redirect_to_itself_and_out(
    monkeypatch: pytest.MonkeyPatch, url: str, target: str
) -> None:
    tool, asked = recalled(monkeypatch, url, target)
    assert (tool, len(asked)) == ("flux_magic", 2)


@pytest.mark.parametrize("target", ["http://127.0.0.1:OTHER/x", "http://inside.example:PORT/x", "http://10.0.0.1/x"])
def test_a_server_in_here_redirects_to_no_other(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    with pytest.raises(ProtocolError, match=r"^127\.0\.0\.1 redirects to .*, an address of your own network"):
        recalled(monkeypatch, "http://127.0.0.1:PORT/y", target)


def test_a_public_name_that_leads_here_the_second_time_is_refused() -> None:
    guard = Guard("http://public.example/x")
    guard.check_addresses("public.example", ["93.184.216.34"])
    with pytest.raises(ProtocolError, match=r"public\.example redirects to public\.example"):
        guard.check_addresses("public.example", ["93.184.216.34", "::1"])


PRIVATE = [
    "0x7f000001", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "localhost.", "0xa9fea9fe", "169.254.169.254",
    "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::1]", "inside.example",
]  # fmt: skip
"""Names of this machine and its network; `inside.example` resolves to 127.0.0.1 here."""


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("by", ["an image's address", "a redirect of the POST"])
def test_a_space_out_there_leads_to_no_address_of_ones_own_network(
    monkeypatch: pytest.MonkeyPatch, host: str, by: str
) -> None:
    """Return the Space is asked through a proxy, which answers for it; what it leads to would be asked directly."""

    async def work() -> list[str]:
        async with running() as server:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
            target = f"http://{host}:{server.other}/x"
            async with open_session() as session:
                guarded = Connection(session, space="http://out.example")
                redirecting = f"http://out.example/call?to={quote(target, safe='')}"
                request = guarded.get_bytes(target) if by.startswith("an image") else guarded.post_json(redirecting, {})
                with pytest.raises(ProtocolError, match="an address of your own network, which is not followed"):
                    await request
            return [path for path in server.asked if "out.example" not in path]

    assert run(work()) == []


@pytest.mark.parametrize(
    ("space", "target", "is_followed"),
    [
        pytest.param("http://127.0.0.1:7860", "http://localhost:7861/x", True, id="another port of this machine"),
        pytest.param("http://127.0.0.1:7860", "http://169.254.169.254/x", False, id="from this machine to its network"),
        pytest.param("http://10.0.0.5:7860", "http://10.0.0.5/x", True, id="the Space's own host"),
        pytest.param("http://10.0.0.5:7860", "http://10.0.0.6/x", False, id="another host of the same network"),
        pytest.param("http://10.0.0.5:7860", "http://127.0.0.1/x", False, id="this machine"),
        pytest.param("http://10.0.0.5:7860", "http://[::ffff:10.0.0.5]/x", True, id="the Space's own host, as IPv6"),
        pytest.param("http://a.example", "http://[fec0::1]/x", False, id="an address of a site"),
        pytest.param("https://a.example", "https://b.example/x", True, id="elsewhere by https"),
        pytest.param("https://a.example", "http://b.example/x", False, id="elsewhere in the clear"),
        pytest.param("http://a.example", "http://b.example/x", True, id="in the clear as before"),
    ],
)
def test_where_a_space_may_redirect_to(space: str, target: str, *, is_followed: bool) -> None:
    guard = Guard(space, is_space=True)

    def go() -> None:
        guard.follow(f"{space}/call", target)
        guard.check_url(target)

    if is_followed:
        go()
    else:
        with pytest.raises(ProtocolError, match="not followed"):
            go()


OUT, IN, METADATA = "93.184.216.34", "10.0.0.5", "169.254.169.254"
REBOUND: list[Any] = [
    pytest.param([OUT], OUT, [IN], "a.example", False, id="from out there to the own network"),
    pytest.param([OUT], OUT, [OUT, "::1"], "a.example", False, id="and still out there as well"),
    pytest.param([IN], IN, [METADATA], "a.example", False, id="from one private address to another"),
    pytest.param([IN], IN, ["127.0.0.1"], "a.example", False, id="from a private address to this machine"),
    pytest.param([IN], IN, [IN], "a.example", True, id="a private name that stays"),
    pytest.param([IN], IN, [IN], "b.example", True, id="another name of the same private host"),
    pytest.param([IN], IN, [OUT], "b.example", True, id="from a private host out"),
    pytest.param([OUT, IN], OUT, [IN], "a.example", False, id="both, and first out there"),
    pytest.param([OUT, IN], OUT, [OUT, IN], "a.example", True, id="both, and still both"),
    pytest.param([OUT, IN], IN, [IN], "a.example", True, id="both, and first in here"),
    pytest.param([OUT], OUT, [OUT], "localhost", False, id="this machine's name for another one"),
]


@pytest.mark.parametrize(("first", "peer", "then", "host", "is_asked"), REBOUND)
def test_a_name_leads_where_it_led_first(
    first: list[str], peer: str, then: list[str], host: str, *, is_asked: bool
) -> None:
    guard = Guard("http://a.example", is_space=True)
    assert guard.check_addresses("a.example", first) == first
    guard.check_addresses("a.example", [peer], connected=True)
    if is_asked:
        assert set(guard.check_addresses(host, then)) <= {OUT if peer == OUT else IN, OUT}
    else:
        with pytest.raises(ProtocolError, match=r"own network|another machine"):
            guard.check_addresses(host, then)


def test_a_secured_space_that_calls_its_own_files_http_is_asked_by_https() -> None:
    async def work() -> list[str]:
        async with open_session() as session:
            connection = Connection(session, space="https://a.example")
            return [connection._secure(url) for url in ("http://a.example/f.png", "http://b.example/f.png")]

    assert run(work()) == ["https://a.example/f.png", "http://b.example/f.png"]
