"""Through a proxy: a real one, which the requests pass on their way to the Space."""

from __future__ import annotations

import base64
import socket
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from flux_magic.client.async_client import AsyncClient
from flux_magic.client.doctor import examine
from flux_magic.errors import ConnectionFailed, FluxError
from flux_magic.parameters.settings import resolve
from flux_magic.results.generation import Generation
from flux_magic.types import ImageResponse
from tests.support.hasty import hasten
from tests.support.space import make_image, move_provider, run

PASSWORD = "s3cr3t-w0rd"
OUTSIDE = "http://space.example"
KEY = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


@dataclass
class Proxy:
    """Sends whatever it is asked for on to one Space, once the password is right."""

    space: str
    manners: str = "good"
    address: str = ""
    seen: list[str] = field(default_factory=list)

    def url(self, user: str = "") -> str:
        return f"http://{user}@{self.address}" if user else f"http://{self.address}"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.raw_path}")
        if self.manners == "closes":
            assert request.transport
            request.transport.close()
        if self.manners == "wants a password" and request.headers.get("Proxy-Authorization") != f"Basic {KEY}":
            return web.Response(status=407, text="Proxy Authentication Required")
        return await self._passed_on(request)

    async def _passed_on(self, request: web.BaseRequest) -> web.StreamResponse:
        target, kind = self.space + request.rel_url.raw_path_qs, {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, target, data=await request.read(), headers=kind) as response,
        ):
            answer = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
            await answer.prepare(request)
            async for chunk in response.content.iter_any():
                await answer.write(chunk)
            return answer


@asynccontextmanager
async def running_proxy(space: str, manners: str = "good") -> AsyncIterator[Proxy]:
    proxy = Proxy(space, manners)
    runner = web.ServerRunner(web.Server(proxy.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    proxy.address = f"{host}:{port}"
    try:
        yield proxy
    finally:
        await runner.cleanup()


def chain(error: BaseException | None) -> list[BaseException]:
    return [error, *chain(error.__cause__ or error.__context__)] if error else []


def all_text(error: BaseException) -> str:
    """Return what an error shows, and its causes in the traceback."""
    return "\n".join([repr(error), *map(str, chain(error)), *traceback.format_exception(error)])


def test_an_image_comes_through_the_proxy_and_all_its_requests_do(space: str) -> None:
    async def work() -> tuple[Generation, list[str]]:
        async with running_proxy(space) as proxy:
            return await make_image(OUTSIDE, proxy=proxy.url()), proxy.seen

    made, seen = run(work())
    assert made.url.startswith(f"{OUTSIDE}/")
    assert (made.width, made.seed) == (256, 42)
    assert seen[0] == f"GET {OUTSIDE}/config"
    assert [line.split()[0] for line in seen] == ["GET", "GET", "POST", "GET", "GET"]
    assert all(f" {OUTSIDE}/" in line for line in seen)


def test_a_proxys_name_and_password_are_sent_to_it(space: str) -> None:
    async def work() -> Generation:
        async with running_proxy(space, "wants a password") as proxy:
            return await make_image(OUTSIDE, proxy=proxy.url(f"ann:{PASSWORD}"))

    made = run(work())
    assert made.seed == 42
    assert PASSWORD not in repr(made.record)


def test_the_provider_takes_a_proxy_too(space: str) -> None:
    async def work() -> tuple[ImageResponse, list[str]]:
        async with running_proxy(space) as proxy:
            generator = move_provider(OUTSIDE).create_async_generator(
                "flux", [], proxy=proxy.url(), prompt="a fox", width=256, height=256
            )
            return await anext(generator), proxy.seen

    response, seen = run(work())
    assert response.images[0].startswith(f"{OUTSIDE}/")
    assert seen[-1] == f"GET {response.images[0]}"


def test_the_doctor_asks_the_hub_through_the_proxy_too(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")

    async def work() -> list[str]:
        async with running_proxy(space) as proxy:
            await examine(resolve(space="a/b", proxy=proxy.url(), token="hf_any"))
            return proxy.seen

    assert run(work())[-1] == "GET http://hub.example/api/spaces/zero-gpu/quota"


def test_the_environments_proxy_is_taken_for_another_host(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> list[str]:
        async with running_proxy(space) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url())
            await make_image(OUTSIDE)
            return proxy.seen

    assert run(work())[0] == f"GET {OUTSIDE}/config"


def test_the_environments_proxy_is_not_taken_for_this_machine(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> list[str]:
        async with running_proxy(space) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url())
            monkeypatch.setenv("HTTP_PROXY", proxy.url())
            await make_image(space)
            return proxy.seen

    assert run(work()) == []


REFUSALS = [
    pytest.param("http://space.example", "wants a password", FluxError, id="407 for http"),
    pytest.param("https://space.example", "wants a password", ConnectionFailed, id="407 for https"),
    pytest.param("http://space.example", "closes", ConnectionFailed, id="closes for http"),
    pytest.param("https://space.example", "closes", ConnectionFailed, id="closes for https"),
]


@pytest.mark.parametrize(("space_url", "manners", "kind"), REFUSALS)
def test_a_proxy_that_refuses_is_an_error_without_its_password(
    space_url: str, manners: str, kind: type[FluxError]
) -> None:
    async def work() -> None:
        async with running_proxy("http://127.0.0.1:9", manners) as proxy:
            await make_image(space_url, proxy=proxy.url(f"ann:wrong-{PASSWORD}"))

    with pytest.raises(kind) as caught:
        run(work())
    assert len(str(caught.value).splitlines()) <= 3
    shown = all_text(caught.value)
    assert PASSWORD not in shown
    assert base64.b64encode(f"ann:wrong-{PASSWORD}".encode()).decode() not in shown
    assert all(PASSWORD not in repr(each) + repr(vars(each)) for each in chain(caught.value))


@pytest.mark.parametrize("space_url", ["http://space.example", "https://space.example"])
def test_a_proxy_that_is_not_there_is_a_failed_connection_without_its_password(space_url: str) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and no one listens on it
        address = f"127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match="no connection to the proxy") as caught:
            run(make_image(space_url, proxy=f"http://ann:{PASSWORD}@{address}"))
    assert PASSWORD not in all_text(caught.value)
    assert KEY not in all_text(caught.value)


@pytest.mark.parametrize("found", [True, False], ids=["a port that nobody listens on", "a name that is not known"])
def test_a_proxy_of_the_environment_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, *, found: bool) -> None:
    monkeypatch.setenv("ALL_PROXY", f"ann:{PASSWORD}@{'127.0.0.1:9' if found else 'proxy.invalid:3128'}")
    with pytest.raises(ConnectionFailed, match="no connection to the proxy: ") as caught:
        run(make_image("https://space.example"))
    assert "address, name and password, which are from the environment's ALL_PROXY." in caught.value.hint
    assert PASSWORD not in all_text(caught.value)


def test_a_client_does_not_show_its_proxys_password() -> None:
    assert PASSWORD not in repr(AsyncClient(space=OUTSIDE, proxy=f"http://ann:{PASSWORD}@127.0.0.1:9"))
