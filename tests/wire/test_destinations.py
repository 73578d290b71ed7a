"""Each request's destination: which servers get the token, and which are asked at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

import flux_magic
from flux_magic import cli
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.blocking import run as run_here
from flux_magic.client.doctor import examine
from flux_magic.client.target import resolve_target
from flux_magic.errors import FluxError, InvalidRequest, ProtocolError, clean
from flux_magic.parameters import settings
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.settings import resolve
from flux_magic.providers import GradioProvider, local
from flux_magic.providers.http.connection import Connection, _remove_headers, open_session
from flux_magic.providers.http.guard import Guard
from flux_magic.providers.http.hosts import is_meant_for
from flux_magic.verify.live import verify
from tests.support.hostile import Answer, answer_json, answer_stream, format_event, run_hostile, run_hostile_beside
from tests.support.space import run

CANARY = "hf_canaryCANARY0123"


def quietly(call: Callable[[], object]) -> None:
    """Call a command: only its requests count here, and some of these servers give no answer that it can use."""
    with contextlib.suppress(FluxError):
        call()


COMMANDS: dict[str, Callable[[str, Path], object]] = {
    "a cell": lambda _, folder: flux_magic.generate("a fox", seed=42, width=256, height=256, store=folder),
    "the panel's description": lambda *_: run_here(AsyncClient().fetch_description(resolve())),
    "the quota": lambda *_: run_here(AsyncClient().fetch_quota(resolve())),
    "%flux_status": lambda *_: run_here(examine(resolve())),
    "flux-magic doctor": lambda space, _: cli.main(["doctor", space]),
    "flux-magic doctor local": lambda *_: cli.main(["doctor", "local"]),
    "recall(URL)": lambda space, _: flux_magic.recall(f"{space}/x.png"),
    "verify": lambda space, folder: verify([folder], space=space),
}


@pytest.mark.parametrize("given", [True, False], ids=["given", "of the environment"])
@pytest.mark.parametrize("command", COMMANDS)
def test_of_all_commands_a_space_alone_gets_the_token_that_was_given_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, *, given: bool
) -> None:
    with (
        run_hostile_beside() as space,
        run_hostile_beside(prefix="/api/spaces", quota=answer_json({"current": 1})) as the_hub,
    ):
        for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("http_proxy", the_hub.address)  # no loopback address is asked through a proxy
        monkeypatch.setenv("HF_ENDPOINT", the_hub.address)
        monkeypatch.setenv("FLUX_MAGIC_SPACE", space.address)
        monkeypatch.setenv("FLUX_MAGIC_REPLAY", "off")
        if given:
            monkeypatch.setattr(settings, "_configured", lambda: {"space": space.address, "token": CANARY})
        else:
            monkeypatch.setenv("HF_TOKEN", CANARY)
        if command == "verify":
            quietly(lambda: COMMANDS["a cell"](space.address, tmp_path))
            space.tokens.clear()
        space.seen.clear()
        quietly(lambda: COMMANDS[command](space.address, tmp_path))
        local.shared.close()
        assert the_hub.tokens == []
        asks = command not in {"the quota", "flux-magic doctor local"}
        assert bool(space.seen) is asks
        assert {*space.tokens} == ({f"Bearer {CANARY}"} if given and asks and command != "recall(URL)" else set())


@pytest.mark.parametrize(
    ("space", "token", "goes"),
    [
        pytest.param(None, None, True, id="the model's own Space, of the environment"),
        pytest.param("a/b", CANARY, True, id="another Space of the Hub, given"),
        pytest.param("a/b", None, False, id="another Space of the Hub, of the environment"),
        pytest.param("http://127.0.0.1:1234", CANARY, False, id="loopback"),
        pytest.param("https://h.example", CANARY, False, id="elsewhere"),
        pytest.param("local", CANARY, False, id="the local Space"),
    ],
)
def test_the_hub_gets_the_token_of_its_own_spaces_alone(
    monkeypatch: pytest.MonkeyPatch, space: str | None, token: str | None, *, goes: bool
) -> None:
    monkeypatch.setenv("HF_TOKEN", CANARY)

    async def work() -> bool:
        async with open_session() as session:
            target = resolve_target(resolve(space=space, token=token), "")
            at = Space("local", "http://127.0.0.1:1") if target.is_local else target.space
            provider = await target.connect(session, space=at)
            assert isinstance(provider, GradioProvider)
            return provider._to_hub().has_token

    assert run(work()) is goes


@pytest.mark.parametrize(
    ("url", "base", "goes"),
    [
        ("https://h.example/x", "https://h.example", True),
        ("https://H.example:443/x", "https://h.example/", True),
        ("https://h.example/x", "http://h.example", True),
        ("http://h.example/x", "https://h.example", False),
        ("http://h.example/x", "http://h.example", False),
        ("https://h.example:8443/x", "https://h.example", False),
        ("https://h.example.evil.example/x", "https://h.example", False),
        ("https://h.example@evil.example/x", "https://h.example", False),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1", True),
        ("http://127.0.0.1:2/x", "http://127.0.0.1:1", False),
        ("http://10.0.0.1/x", "http://10.0.0.1", False),
        ("https://h.example:99999/x", "https://h.example", False),
        ("", "", False),
    ],
)
def test_a_token_goes_to_its_own_server_and_not_in_the_clear(url: str, base: str, goes: bool) -> None:  # noqa: FBT001
    assert is_meant_for(url, base) is goes


INSIDE = [
    "http://0x7f000001/x",
    "http://0x7f.1/x",
    "http://0x0a000001/x",
    "http://10.0.0.1./x",
    "http://localhost./x",
    "http://[::ffff:127.0.0.1]/x",
    "http://[64:ff9b::7f00:1]/x",
    "http://[2002:a00:1::]/x",
    "http://[fec0::1]/x",
    "http://100.64.0.1/x",
]


@pytest.mark.parametrize("target", INSIDE)
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"], ids=["direct", "proxy"])
def test_a_space_out_there_leads_to_nothing_in_here(target: str, proxy: str | None) -> None:
    async def work() -> None:
        async with open_session() as session:
            await Connection(session, space="http://space.example", proxy=proxy).get_bytes(target)

    with pytest.raises(ProtocolError, match="an address of your own network, which is not followed"):
        run(work())


@pytest.mark.parametrize("target", ["http://10.0.0.1/x", "http://0x0a000001/x", "http://[fc00::1]/x"])
@pytest.mark.parametrize("way", ["the POST", "the image's file", "a redirect of the file"])
def test_a_space_in_here_leads_to_no_other_private_address(target: str, way: str) -> None:
    moved = Answer(status=307, headers={"Location": target})
    script: dict[str, Any] = {
        "the POST": {"post": moved},
        "the image's file": {
            "queue": Answer(status=404),
            "call": answer_stream(format_event("complete", [{"path": None, "url": target}, 42])),
        },
        "a redirect of the file": {"file": moved},
    }[way]

    async def work() -> None:
        async with run_hostile(**script) as server:
            await AsyncClient(space=server.address, width=256, height=256).generate("a fox", seed=42)

    with pytest.raises(ProtocolError, match="an address of your own network, which is not followed"):
        run(work())


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.169.254.", "0xa9fea9fe", "[2002:a9fe:a9fe::]"])
@pytest.mark.parametrize("space", ["http://space.example", "http://127.0.0.1:7860", "http://10.0.0.1"])
def test_no_space_leads_to_a_clouds_metadata(space: str, host: str) -> None:
    with pytest.raises(ProtocolError, match="an address of your own network, which is not followed"):
        Guard(space, is_space=True).check_url(f"http://{host}/latest")


@pytest.mark.usefixtures("inside_example")
def test_a_kept_connection_to_this_machine_is_not_used_for_a_space_out_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")

    async def work() -> list[str]:
        async with run_hostile() as server, open_session() as session:
            inside = server.address.replace("127.0.0.1", "inside.example")
            await Connection(session, space=inside).get_text(f"{inside}/config")
            with pytest.raises(ProtocolError, match="your own network"):
                await Connection(session, space="http://space.example").get_text(f"{inside}/config")
            return server.seen

    assert len(run(work())) == 1


@pytest.mark.parametrize("target", ["http://space.example/x", "http://cdn.example/x", "HTTP://cdn.example/x"])
def test_a_space_on_https_redirects_to_no_plain_http(target: str) -> None:
    guard = Guard("https://space.example", is_space=True)
    guard.follow("https://space.example/y", "HTTPS://cdn.example/x")
    with pytest.raises(ProtocolError, match=r"^space\.example redirects to \w+\.example by plain http, and is not"):
        guard.follow("https://space.example/y", target)


def test_an_error_of_aiohttp_keeps_no_header() -> None:
    from multidict import CIMultiDict, CIMultiDictProxy

    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {CANARY}"}))
    asked = aiohttp.RequestInfo(URL("http://h.example"), "GET", headers, URL("http://h.example"))
    error = aiohttp.ClientResponseError(asked, (), status=400, message="no", headers=CIMultiDict(headers))
    _remove_headers(error)
    assert CANARY not in f"{error!r}{vars(error)!r}{error}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:ab@cd@host:1/x", "http://***@host:1/x"),
        ("http://user:a/b@host", "http://***@host"),
        ("http://host:80/x?y=a@b", "http://host:80/x?y=a@b"),
        ("http://[::1]:80/@b", "http://[::1]:80/@b"),
        (f"{CANARY} was sent", "*** was sent"),
    ],
)
def test_a_message_shows_no_part_of_a_password(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("call", ['made(token="secret")', "made(token='secret')", 'made({"token": "secret"})'])
def test_a_token_that_was_typed_is_in_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str) -> None:
    monkeypatch.setattr(FluxError, "verbose", True)

    def made(*_: object, **__: object) -> None:
        raise InvalidRequest("no")

    typed = tmp_path / "cell.py"
    typed.write_text(call)
    with pytest.raises(InvalidRequest) as caught:
        exec(compile(call, str(typed), "exec"), {"made": made})
    lines = "".join(caught.value._render_traceback_())
    assert "made(" in lines
    assert "secret" not in lines
