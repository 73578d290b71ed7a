"""The gate of the local Space, which requests pass; and the environment that it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flux_magic.providers.stand_in.space_environment import select_needed
from flux_magic.providers.stand_in.space_gate import MOST_BODY, MOST_UPLOAD, Gate

FOLDER = Path("/tmp/flux-magic-space-x")
IMAGE = f"/gradio_api/file={FOLDER}/{'0a' * 16}.webp"
SECRET = "s3cr3t"
OWN = {"host": "127.0.0.1:7860", "authorization": f"Bearer {SECRET}"}


FORM = "multipart/form-data; boundary=b"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def make_form(*files: bytes) -> bytes:
    """Return the body of an upload."""
    name = b'content-disposition: form-data; name="files"; filename="a.png"'
    return b"".join(b"--b\r\n" + name + b"\r\n\r\n" + data + b"\r\n" for data in files) + b"--b--\r\n"


def status(
    path: str = "/config",
    headers: dict[str, str] | Sequence[tuple[str, str]] = OWN,
    method: str = "GET",
    body: Sequence[bytes] = (b"",),
    host: str = "127.0.0.1",
    secret: str = SECRET,
    unread: int = 0,
) -> int:
    """Return the status of a request, of which all but `unread` parts are read; 200 is the app's, with the body."""
    parts = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    parts[-1]["more_body"] = False
    sent: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"".join(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"SAMEORIGIN")]})

    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.encode(), value.encode()) for name, value in pairs]
    gate = Gate(app, host, 7860, secret, FOLDER)
    asyncio.run(gate({"type": "http", "path": path, "method": method, "headers": raw}, receive, send))
    told = dict(sent[0]["headers"])
    assert told[b"x-frame-options"] == b"DENY"
    assert b"frame-ancestors 'none'" in told[b"content-security-policy"]
    assert b"X-Frame-Options" not in told
    assert SECRET not in str(sent)
    assert len(parts) == unread
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("host", "listens", "allowed"),
    [
        *[(name, "127.0.0.1", 200) for name in ("127.0.0.1:7860", "localhost:7860", "LOCALHOST:7860", "[::1]:7860")],
        *[
            (name, "127.0.0.1", 421)
            for name in (
                *("evil.example", "evil.example:7860", "127.0.0.1", "127.0.0.1:1", "localhost:7861", "", "[::1"),
                *(
                    "localhost.evil.example:7860",
                    "127.0.0.1.nip.io:7860",
                    "127.0.0.1:7860@evil.example",
                    "10.0.0.1:7860",
                ),
                *("127.0.0.1:7860:7860", "127.0.0.1 :7860", "evil.example/127.0.0.1:7860", "127.0.0.1:78600"),
            )
        ],
        ("192.168.1.7:8080", "0.0.0.0", 200),
        ("localhost:8080", "0.0.0.0", 200),
        ("[fe80::1]:8080", "0.0.0.0", 200),
        ("evil.example:7860", "0.0.0.0", 421),
        ("studio.example:80", "studio.example", 200),
        ("evil.example:80", "studio.example", 421),
    ],
)
def test_a_space_is_asked_by_its_own_names_alone(host: str, listens: str, allowed: int) -> None:
    assert status(headers={**OWN, "host": host}, host=listens) == allowed


@pytest.mark.parametrize(
    ("path", "method", "changes", "answer"),
    [
        pytest.param("/config", "GET", {"authorization": ""}, 401, id="no secret"),
        pytest.param("/config", "GET", {"authorization": f"Bearer {SECRET}x"}, 401, id="another secret"),
        pytest.param("/config", "GET", {"authorization": SECRET}, 401, id="no scheme"),
        pytest.param("/", "HEAD", {"authorization": ""}, 401, id="a page"),
        pytest.param("/gradio_api/call/infer", "POST", {"authorization": "Basic cw=="}, 401, id="basic"),
        pytest.param("/gradio_api/startup-events", "GET", {"authorization": ""}, 200, id="Gradio's own start"),
        pytest.param("/gradio_api/startup-events", "POST", {"authorization": ""}, 401, id="not its start"),
        pytest.param(IMAGE, "GET", {"authorization": ""}, 200, id="an image"),
        pytest.param(IMAGE, "GET", {"authorization": "", "sec-fetch-site": "cross-site"}, 200, id="an image in a page"),
        pytest.param(IMAGE.removeprefix("/gradio_api"), "HEAD", {"authorization": ""}, 200, id="an image, Gradio 4"),
        pytest.param(IMAGE, "POST", {"authorization": ""}, 401, id="an image, posted"),
        pytest.param(IMAGE.replace("0a", "xy"), "GET", {"authorization": ""}, 401, id="no image's name"),
        pytest.param(f"/gradio_api/file={FOLDER}/lock", "GET", {"authorization": ""}, 401, id="another file"),
        pytest.param(f"/gradio_api/file={FOLDER}/../{'0' * 32}.webp", "GET", {"authorization": ""}, 401, id="outside"),
        pytest.param("/gradio_api/call/infer", "POST", {"origin": "http://127.0.0.1:7860"}, 200, id="its own page"),
        pytest.param("/gradio_api/call/infer", "POST", {"origin": "http://evil.example"}, 403, id="a foreign page"),
        pytest.param("/gradio_api/call/infer", "POST", {"origin": "http://127.0.0.1:8888"}, 403, id="another port"),
        pytest.param("/gradio_api/call/infer", "POST", {"origin": "http://localhost:7860"}, 403, id="another name"),
        pytest.param("/gradio_api/call/infer", "POST", {"origin": "null"}, 403, id="a sandbox"),
        pytest.param("/gradio_api/call/infer", "POST", {"sec-fetch-site": "same-site"}, 403, id="a neighbour"),
        pytest.param("/config", "GET", {"sec-fetch-site": "cross-site"}, 403, id="a foreign script"),
        pytest.param("/", "GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200, id="a link"),
        pytest.param("/gradio_api/upload", "POST", {"authorization": "Bearer x"}, 401, id="an upload, another secret"),
        pytest.param(
            "/gradio_api/upload", "POST", {"origin": "http://evil.example"}, 403, id="an upload, foreign page"
        ),
        pytest.param("/upload", "POST", {"sec-fetch-site": "same-site"}, 403, id="an upload, of a neighbour"),
    ],
)
def test_what_reaches_the_app(path: str, method: str, changes: dict[str, str], answer: int) -> None:
    headers, body = {**OWN, "content-type": FORM, **changes}, [make_form(PNG)]
    assert status(path, headers, method, body) == answer
    without_secret = status(path, headers, method, body, secret="")
    assert without_secret == (200 if answer == 401 else answer)


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/upload", "/gradio_api/upload/", "//upload"])
@pytest.mark.parametrize(
    ("body", "kind", "answer"),
    [
        *[
            pytest.param([make_form(data)], FORM, 200, id=name)
            for name, data in (
                ("PNG", PNG),
                ("JPEG", b"\xff\xd8\xff\xe0"),
                ("GIF", b"GIF89a"),
                ("WebP", b"RIFF\0\r\n\0WEBPVP8L"),
            )
        ],
        pytest.param([make_form(*[PNG] * 16)], FORM, 200, id="16 images"),
        pytest.param([make_form(*[PNG] * 17)], FORM, 415, id="17 images"),
        pytest.param([make_form(PNG)], FORM.replace("=b", '="b"'), 200, id="a quoted boundary"),
        pytest.param([bytes([one]) for one in make_form(PNG)], FORM, 200, id="byte by byte"),
        pytest.param([make_form(bytes(100))], FORM, 415, id="no image"),
        pytest.param([make_form(b"<svg/>")], FORM, 415, id="SVG"),
        pytest.param([make_form(PNG, b"MZ")], FORM, 415, id="an image and a program"),
        pytest.param([make_form()], FORM, 415, id="no file"),
        pytest.param([make_form(PNG)[:-6]], FORM, 415, id="cut short"),
        pytest.param([b"--x" + make_form(PNG)], FORM, 415, id="something before it"),
        pytest.param([PNG], "image/png", 415, id="no form"),
        pytest.param([b""], FORM, 415, id="nothing"),
    ],
)
def test_images_alone_are_uploaded(path: str, body: list[bytes], kind: str, answer: int) -> None:
    assert status(path, {**OWN, "content-type": kind}, "POST", body) == answer


def test_headers_that_come_twice_pass_no_gate() -> None:
    assert status(headers=[*OWN.items(), ("host", "evil.example")]) == 421
    assert status(headers=[("authorization", OWN["authorization"])]) == 421
    assert status(headers=[*OWN.items(), ("authorization", "Bearer x")]) == 401
    assert status(headers=[*OWN.items(), ("origin", "http://127.0.0.1:7860"), ("origin", "http://evil.example")]) == 403


@pytest.mark.parametrize(
    ("body", "answer", "unread"),
    [
        pytest.param([b"x" * MOST_BODY], 200, 0, id="the most"),
        pytest.param([b"x" * 1000] * 1000, 200, 0, id="in parts"),
        pytest.param([b"x" * MOST_BODY, b"x"], 413, 0, id="a byte more"),
        pytest.param([b"x" * MOST_BODY] * 100, 413, 84, id="without end"),
    ],
)
def test_a_body_has_a_bound(body: list[bytes], answer: int, unread: int) -> None:
    assert status("/gradio_api/call/infer", OWN, "POST", body, unread=unread) == answer
    refused = {**OWN, "authorization": ""}
    assert status("/gradio_api/call/infer", refused, "POST", body, unread=unread) == 401
    assert status("/gradio_api/upload", refused, "POST", body, unread=unread) == 401


def test_an_upload_has_a_bound() -> None:
    headers = {**OWN, "content-type": FORM}
    most = bytes(MOST_UPLOAD - len(make_form(PNG)))
    for more, answer in ((b"", 200), (b"x", 413)):
        body = make_form(PNG + most + more)
        parts = [body[start : start + 2**22] for start in range(0, len(body), 2**22)]
        assert status("/gradio_api/upload", headers, "POST", parts) == answer
    assert status("/gradio_api/upload", headers, "POST", [bytes(2**24)] * 100, unread=92) == 413


def test_a_web_socket_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Gate(None, "127.0.0.1", 1, "", FOLDER)({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_environment_is_what_is_needed() -> None:
    kept = (
        *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"),
        *("SystemRoot", "TEMP", "COVERAGE_PROCESS_CONFIG", "OMP_NUM_THREADS", "LD_LIBRARY_PATH"),
    )
    dropped = (
        *(
            "HF_TOKEN",
            "GITHUB_PAT",
            "DATABASE_URL",
            "AWS_ACCESS_KEY_ID",
            "OPENAI_API_KEY",
            "PGPASSFILE",
            "SSH_AUTH_SOCK",
        ),
        *(
            "http_proxy",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
            "GRADIO_DEBUG",
            "GRADIO_SHARE",
            "SLACK_WEBHOOK",
            "LC_KEY",
        ),
        *("PYTHON_KEYRING_BACKEND", "COVERAGE_TOKEN", "FLUX_MAGIC_TOKEN", "KUBECONFIG", "MY_PATH", "PATH_TO_KEY"),
    )
    assert set(select_needed(dict.fromkeys([*kept, *dropped], "x"))) == set(kept)
