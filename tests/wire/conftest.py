"""Nothing of the person's own settings."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from typing import Any

import pytest

from flux_magic.providers.gradio.endpoint import Endpoint

collect_ignore = [] if find_spec("httpx2") else ["test_inference.py"]
"""The files whose libraries are not here: an older Gradio wants an older `huggingface_hub`."""


@pytest.fixture(autouse=True)
def _clean_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no Space of the environment, and nothing known of another test's server on the same port."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)
    monkeypatch.setattr(Endpoint, "_contracts", {})
    monkeypatch.setattr(Endpoint, "_prefixes", {})


@pytest.fixture
def inside_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no network here: `inside.example` is a name that somebody has let lead to this machine."""
    real = socket.getaddrinfo

    def looked_up(host: Any, *args: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "inside.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
