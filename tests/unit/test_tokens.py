"""The user's own token, of the environment or of `hf auth login`; and what is not asked while the Hub is offline."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.client.doctor import examine
from flux_magic.client.target import resolve_target
from flux_magic.errors import InvalidRequest, NotInStore
from flux_magic.parameters import tokens
from flux_magic.parameters.settings import resolve
from flux_magic.providers.http.connection import open_connection
from flux_magic.providers.local import read_drawing
from flux_magic.verify.live import choose_settings
from tests.unit.samples import record

OWN = "https://black-forest-labs-flux-1-schnell.hf.space"
TOKEN = "hf_canaryCANARY0123"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Return a home without a token, and no variable that is read here."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_OFFLINE", "FLUX_MAGIC_REPLAY", "FLUX_MAGIC_SPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def put(path: Path, text: str = f"{TOKEN}\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("environment", "source"),
    [
        pytest.param({"HF_TOKEN": f" {TOKEN}\r\n"}, "HF_TOKEN", id="read from a file"),
        pytest.param({"HUGGING_FACE_HUB_TOKEN": TOKEN}, "HUGGING_FACE_HUB_TOKEN", id="the old name"),
        pytest.param({"HF_TOKEN": "\n", "HUGGING_FACE_HUB_TOKEN": TOKEN}, "HUGGING_FACE_HUB_TOKEN", id="an empty one"),
        pytest.param({}, ".cache/huggingface/token", id="of hf auth login"),
        pytest.param({"HF_TOKEN": ""}, ".cache/huggingface/token", id="an empty one, and of hf auth login"),
        pytest.param({"XDG_CACHE_HOME": "~/c"}, "c/huggingface/token", id="XDG_CACHE_HOME"),
        pytest.param({"HF_HOME": "$HOME/hf"}, "hf/token", id="HF_HOME"),
        pytest.param({"HF_HOME": "~/hf", "HF_TOKEN_PATH": "~/a/b"}, "a/b", id="HF_TOKEN_PATH"),
    ],
)
def test_the_token_is_found_where_hugging_faces_own_tools_find_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], source: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "/" in source:
        put(tmp_path / source)
    found = tokens.find_user_token()
    assert found is not None
    assert (found.value, found.source) == (TOKEN, "hf auth login" if "/" in source else source)
    assert TOKEN not in repr(found)
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes")
    assert tokens.find_user_token() is None


@pytest.mark.parametrize("token", ["hf_a b", "hf_a\nb", "hf_ä", '"hf_a"', "hf_a\x00b", "<your token>", "$HF"])
def test_a_token_of_the_environment_that_is_none_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "HF_TOKEN": token})
    for client in (AsyncClient(), AsyncClient(space=f"{OWN}/?view=api")):
        with pytest.raises(InvalidRequest, match=r"^the environment's HF_TOKEN holds .*: set it to .*$") as caught:
            asyncio.run(client.generate("a fox"))
        assert token not in str(caught.value)
    assert resolve_target(resolve(space="https://h.example"), "").find_token() is None


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "too much", "no token", "expired"])
def test_a_stored_token_that_cannot_be_used_is_left_out_and_nothing_hangs(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".cache/huggingface/token"
    put(path, {"too much": "x" * 2**20, "no token": "hf_ä\0"}.get(kind, TOKEN))
    if kind in {"a pipe", "a folder"}:
        path.unlink()
        (os.mkfifo if kind == "a pipe" else os.mkdir)(path)
    stored = f"[old]\nhf_token = x%y\n[mine]\nhf_token = {TOKEN}\nrefresh_token = r\nexpires_at = "
    put(path.with_name("stored_tokens"), f"{stored}{int(time.time()) + (-9 if kind == 'expired' else 3600)}\n")
    assert tokens.find_user_token() is None
    assert bool(tokens.describe_stored_trouble()) is (kind in {"no token", "expired"})
    if kind == "expired":
        put(path.with_name("stored_tokens"), f"{stored}{int(time.time()) + 3600}\n")
        assert tokens.find_user_token() is not None


@pytest.mark.parametrize(
    ("space", "goes"),
    [
        (None, True),
        ("https://huggingface.co/spaces/black-forest-labs/FLUX.1-schnell/tree/main", True),
        ("black-forest-labs/flux.1-schnell", True),
        (f"{OWN}/gradio_api/call/infer", True),
        ("HTTPS://Black-Forest-Labs-Flux-1-Schnell.HF.space/", True),
        ("http://black-forest-labs-flux-1-schnell.hf.space", False),
        (f"{OWN}/other", False),
        ("someone/FLUX.1-dev", False),
        ("https://h.example", False),
        ("local", False),
    ],
)
def test_the_stored_token_is_for_the_public_space_alone(tmp_path: Path, space: str | None, *, goes: bool) -> None:
    put(tmp_path / ".cache/huggingface/token")
    found = resolve_target(resolve(space=space), "").find_token()
    assert (found and found.source) == ("hf auth login" if goes else None)


def test_a_token_that_was_given_loses_the_space_around_it() -> None:
    assert resolve(token=f"{TOKEN}\n").token == TOKEN
    assert resolve(token="\n").token is None


@pytest.mark.parametrize(
    ("value", "space", "unasked"),
    [
        ("1", None, True),
        ("True", "owner/name", True),
        ("on", "https://huggingface.co/spaces/owner/name?x", True),
        ("YES", "https://Owner-Name.HF.space/?view=api", True),
        ("0", None, False),
        ("", None, False),
        ("1", "https://h.example", False),
        ("1", "http://192.168.1.5:7860", False),
        ("1", "https://hf.space.example", False),
    ],
)
def test_while_the_hub_is_offline_its_spaces_alone_are_not_asked(
    monkeypatch: pytest.MonkeyPatch, value: str, space: str | None, *, unasked: bool
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "socks5h://127.0.0.1:9")  # whatever is asked fails at once
    monkeypatch.delenv("no_proxy", raising=False)
    for replay in ("auto", "off"):
        with pytest.raises((NotInStore, InvalidRequest, ConnectionError)) as caught:
            asyncio.run(AsyncClient(space=space, replay=replay).generate("a fox", seed=7))
        assert isinstance(caught.value, NotInStore) is unasked
        assert (f"with HF_HUB_OFFLINE={value} no Space of the Hub is asked" in str(caught.value)) is unasked
    rows = asyncio.run(examine(resolve(space=space))).rows
    assert (rows["Space"] == f"not asked: HF_HUB_OFFLINE={value}") is unasked
    assert ("stage" in rows) is (not unasked and not (space or "").startswith("http"))


def test_while_the_hub_is_offline_the_local_space_is_asked_and_nothing_of_the_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    async def asked(url: str) -> None:
        async with open_connection() as connection:
            await connection.get_text(url)

    for url in ("https://huggingface.co/api/spaces/a/b", "https://cdn-lfs.hf.co/x", f"{OWN}/config"):
        with pytest.raises(NotInStore, match=r"^HF_HUB_OFFLINE=1: nothing is asked of .*\nUnset HF_HUB_OFFLINE"):
            asyncio.run(asked(url))
    assert choose_settings(record(), None) == "not asked: HF_HUB_OFFLINE=1"
    drawn = record(space=f"local:{read_drawing()}", model="flux_magic stand-in", requested_space="local")
    found: Any = choose_settings(drawn, None)
    assert found.space == "local"
