"""Nothing of the person's own settings."""

from __future__ import annotations

import pytest

from flux_magic.providers.endpoint import Endpoint


@pytest.fixture(autouse=True)
def _clean_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no Space of the environment, and nothing known of another test's server on the same port."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)
    monkeypatch.setattr(Endpoint, "_contracts", {})
    monkeypatch.setattr(Endpoint, "_prefixes", {})
