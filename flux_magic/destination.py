"""Which Space is asked: its address, its identity, and the token that is meant for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import local
from .providers.base import AsyncGeneratorProvider, Limits
from .providers.connection import Connection
from .settings import Settings
from .types import Space

if TYPE_CHECKING:
    import aiohttp


def is_local(settings: Settings) -> bool:
    """Whether the bundled Space is asked."""
    return settings.space is not None and Space.parse(settings.space).url is None


async def address_of(settings: Settings) -> str | None:
    """The base URL of the Space that is asked, which is started where it is the local one; None: the model's own."""
    if is_local(settings):
        return await local.shared.address()
    return Space.parse(settings.space).url if settings.space else None


def connection_for(
    provider: type[AsyncGeneratorProvider],
    url: str | None,
    settings: Settings,
    session: aiohttp.ClientSession,
    limits: Limits | None = None,
) -> Connection:
    """A connection to the provider's Space, or to that at `url`, with the token that is meant for it.

    A token that the user gave goes to the Space that is asked; the environment's to the model's own Space alone.
    """
    base, token = url or provider.url, token_for(provider, url, settings)
    return Connection(session, proxy=settings.proxy, limits=limits, token=token, space=base)


def token_for(provider: type[AsyncGeneratorProvider], url: str | None, settings: Settings) -> str | None:
    """The token that is meant for the provider's Space, or for that at `url`; None where there is none."""
    if is_local(settings):
        return None
    own = (url is None or _is_own(provider, url)) and provider.url.startswith("https://")
    return settings.token or (os.environ.get("HF_TOKEN") if own else None)


def identity_of(
    provider: AsyncGeneratorProvider | type[AsyncGeneratorProvider], asked: str | None, drawing: str | None
) -> tuple[str, str | None]:
    """The Space's identity, and the name that a cell needs to reach it (None: the model's own Space)."""
    if drawing is not None:
        return f"local:{drawing}", "local"
    own = Space.parse(provider.own_space())
    space = Space.parse(asked) if asked else own
    return (own.identity, None) if _is_own(provider, space.url) else (space.identity, space.name)


def _is_own(provider: AsyncGeneratorProvider | type[AsyncGeneratorProvider], url: str | None) -> bool:
    """Whether a Space's base URL is that of the model's own."""
    return url == provider.url.rstrip("/")
