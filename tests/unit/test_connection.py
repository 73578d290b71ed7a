"""The parts of a connection that need no network; the rest is tested against servers."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle

import pytest

from flux_magic.errors import ConnectionFailed, FluxError, InvalidRequest, QueueFull, RateLimited, TokenRefused
from flux_magic.providers.http.connection import (
    _check_proxy_address,
    _find_environment_proxy,
    _make_proxy_options,
    open_connection,
)
from flux_magic.providers.http.hosts import is_loopback, is_private
from flux_magic.providers.http.response import Answer, StatusError, make_http_error, parse_retry_after

PROXY = "http://ann:secret@proxy.example:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("space.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost.", True),
        ("127.1", True),
        ("0x7f.1", True),
        ("2130706433", True),
        ("0177.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("2002:7f00:1::", True),
        ("64:ff9b::7f00:1", True),
        ("\uff11\uff12\uff17.0.0.1", True),
        ("192.168.0.1", False),
        ("cafe", False),
        ("feed.example", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("h.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, own: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_loopback(host) is own


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "https://proxy.example", "http://[::1]:8080", PROXY])
def test_an_http_proxy_is_taken(proxy: str) -> None:
    assert str(_check_proxy_address(proxy)).rstrip("/") == proxy


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        pytest.param("socks5://proxy.example:1080", "cannot use a socks5 proxy", id="another kind"),
        pytest.param("proxy.example", "cannot use this proxy's address", id="no scheme"),
        pytest.param("http://", "cannot use this proxy's address", id="no host"),
        pytest.param("http://[::1", "cannot use this proxy's address", id="no URL"),
    ],
)
def test_another_proxy_is_refused_with_an_example(proxy: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{words}: give one such as http://proxy.example:3128$"):
        _check_proxy_address(proxy)


def test_a_refused_proxys_password_does_not_show() -> None:
    with pytest.raises(InvalidRequest) as caught:
        _check_proxy_address("socks5://ann:secret@proxy.example:1080")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("http_proxy", "http://h.example/config"),
        ("https_proxy", "https://h.example/config"),
        ("all_proxy", "https://h.example/config"),
    ],
)
def test_the_environments_proxy_is_for_its_scheme(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> None:
    monkeypatch.setenv(variable, PROXY)
    assert str(_find_environment_proxy(url)).rstrip("/") == PROXY


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        pytest.param("http://127.0.0.1:7860/config", "", id="loopback"),
        pytest.param("http://[::1]:7860/config", "", id="IPv6 loopback"),
        pytest.param("http://localhost/config", "", id="localhost"),
        pytest.param("http://h.example/config", "h.example", id="no_proxy"),
        pytest.param("https://h.example/config", "", id="another scheme"),
    ],
)
def test_the_environments_proxy_is_not_for_all(monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str) -> None:
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.setenv("no_proxy", no_proxy)
    assert _find_environment_proxy(url) is None


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("http_proxy", "socks5://proxy.example:1080", "a socks5 proxy"),
        ("ALL_PROXY", "socks5h://ann:secret@proxy.example:1080", "a socks5h proxy"),
        ("all_proxy", "socks4://proxy.example:1080", "a socks4 proxy"),
        ("HTTPS_PROXY", "socks://proxy.example:1080", "a socks proxy"),
        ("https_proxy", "ann:secret@proxy:port", "this proxy's address"),
        ("HTTPS_PROXY", "ann:secret@two words:3128", "this proxy's address"),
        ("HTTPS_PROXY", "http://$PROXY:3128", "this proxy's address"),
        ("ALL_PROXY", ":3128", "this proxy's address"),
        ("ALL_PROXY", "http://[::1", "this proxy's address"),
    ],
)
def test_an_unusable_proxy_of_the_environment_is_named_with_its_variable_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, kind: str
) -> None:
    monkeypatch.setenv(variable, value)
    scheme = "http" if variable == "http_proxy" else "https"
    with pytest.raises(InvalidRequest) as caught:
        _find_environment_proxy(f"{scheme}://h.example/config")
    assert str(caught.value) == (
        f"cannot use {kind}, which is from the environment's {variable}: set it to an http proxy such as "
        "http://proxy.example:3128, name the host in NO_PROXY, or give --proxy"
    )
    monkeypatch.setenv("no_proxy", "h.example")
    assert _find_environment_proxy(f"{scheme}://h.example/config") is None


@pytest.mark.parametrize(("user", "sent"), [("ann:secret", "ann:secret"), ("ann", "ann:"), (":secret", ":secret")])
def test_a_proxys_password_is_sent_beside_its_address(user: str, sent: str) -> None:
    options = _make_proxy_options(_check_proxy_address(f"http://{user}@proxy.example:3128"))
    assert str(options["proxy"]).rstrip("/") == "http://proxy.example:3128"
    assert options["proxy_headers"] == {"Authorization": f"Basic {base64.b64encode(sent.encode()).decode()}"}


def test_a_proxy_of_the_environment_may_leave_out_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example:3128")
    assert str(_find_environment_proxy("http://h.example/")).rstrip("/") == "http://proxy.example:3128"


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost.", "LOCALHOST", "::ffff:127.0.0.1", "::1", "127.8.8.8"])
def test_every_spelling_of_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


def test_an_http_error_survives_pickling() -> None:
    error = make_http_error(Answer(503, "busy"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_proxy_may_have_neither_name_nor_password() -> None:
    assert str(_make_proxy_options(_check_proxy_address("http://p.example"))["proxy"]).rstrip("/") == "http://p.example"


def test_no_proxy_gives_no_options() -> None:
    assert _make_proxy_options(None) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('{"detail": "Queue is full. Max size is 1"}', ": Queue is full. Max size is 1", id="detail"),
        pytest.param('{"error": "no"}', ": no", id="error"),
        pytest.param('{"message": " no\\n way "}', ": no way", id="message"),
        pytest.param('"no"', ": no", id="a JSON text"),
        pytest.param("Internal Server Error", ": Internal Server Error", id="plain text"),
        pytest.param(json.dumps({"detail": [{"loc": ["body"]}]}), ': {"detail": [{"loc": ["body"]}]}', id="a list"),
        pytest.param("<html><h1>Bad Gateway</h1></html>", "", id="a page"),
        pytest.param("", "", id="nothing"),
        pytest.param("word " * 200, ": " + ("word " * 200)[:300], id="pages of text"),
    ],
)
def test_an_http_error_is_told_in_words_and_not_in_pages(text: str, said: str) -> None:
    error = make_http_error(Answer(500, text))
    assert isinstance(error, StatusError)
    assert (error.status, error.message) == (500, f"the Space answered with HTTP status 500{said}")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 502, 503, 504])
def test_only_a_passing_http_error_says_to_try_again(status: int) -> None:
    assert ("Try again" in make_http_error(Answer(status, "no")).hint) is (status in {429, 502, 503, 504})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(Answer(401, ""), TokenRefused, id="401"),
        pytest.param(Answer(403, "no"), TokenRefused, id="403"),
        pytest.param(Answer(429, "", 7), RateLimited, id="429"),
        pytest.param(Answer(503, '{"detail": "Queue is full. Max size is 1 and size is 1."}'), QueueFull, id="queue"),
        pytest.param(Answer(503, "<html>"), StatusError, id="503"),
    ],
)
def test_a_status_with_a_meaning_has_an_error_of_its_own(answer: Answer, kind: type[Exception]) -> None:
    assert type(make_http_error(answer)) is kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("-1", None),
        ("²", None),
        ("9" * 400, None),
    ],
)
def test_a_wait_is_told_in_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("169.254.169.254", True), ("localhost", True), ("8.8.8.8", False)],
)
def test_an_address_of_ones_own_network_is_known(host: str, *, private: bool) -> None:
    assert is_private(host) is private


@pytest.mark.parametrize(
    ("space", "url", "proxy", "local"),
    [
        pytest.param("https://a-b.invalid", "https://a-b.invalid/config", None, True, id="a Space out there"),
        pytest.param("https://a-b.invalid", "https://a-b.invalid/x", "http://127.0.0.1:9", True, id="behind a proxy"),
        pytest.param("http://127.0.0.1:9", "http://127.0.0.1:9/config", None, False, id="on this machine"),
        pytest.param("", "https://a-b.invalid/fox.png", None, False, id="an image of the web"),
        pytest.param("https://a-b.invalid", "https://cdn.invalid/fox.png", None, False, id="another host"),
    ],
)
def test_without_a_network_the_error_names_the_local_space(
    space: str, url: str, proxy: str | None, *, local: bool
) -> None:
    async def asked() -> FluxError:
        async with open_connection(proxy, space=space) as connection:
            with pytest.raises(ConnectionFailed, match=r"^no connection to ") as caught:
                await connection.get_text(url)
            return caught.value

    error = asyncio.run(asked())
    assert error.hint.endswith("Without a network, --space local draws stand-in images on this machine.") is local
    assert len(str(error).splitlines()) == 2
