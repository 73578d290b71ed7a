"""Which Space is asked: its address, its identity, and the token that is meant for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..parameters import tokens
from ..parameters.addresses import Space
from ..parameters.settings import Settings, hub_offline
from ..parameters.settings import why_unasked as why_url_unasked
from ..parameters.tokens import Token
from ..providers import local
from ..providers.base import AsyncGeneratorProvider, Limits
from ..providers.gradio import hub
from ..providers.http.connection import Connection, Session


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
    session: Session,
    limits: Limits | None = None,
) -> Connection:
    """A connection to the provider's Space, or to that at `url`, with the token that is meant for it.

    A token that the user gave goes to the Space that is asked; the environment's to the model's own Space alone. The
    local Space is asked with its own secret, and through no proxy.
    """
    if is_local(settings):
        return Connection(session, limits=limits, token=local.shared.secret or None, space=url or "")
    base, token = url or provider.url, token_for(provider, url, settings)
    return Connection(session, proxy=settings.proxy, limits=limits, token=token.value if token else None, space=base)


def hub_connection(
    provider: type[AsyncGeneratorProvider],
    settings: Settings,
    session: Session,
) -> Connection:
    """Return a connection to the Hub; only the token of a Space that is on the Hub goes there."""
    space = space_of(provider, settings)
    token = token_for(provider, space.url, settings) if space.hub_id else None
    return Connection(session, proxy=settings.proxy, token=token.value if token else None, space=hub.address())


def token_for(provider: type[AsyncGeneratorProvider], url: str | None, settings: Settings) -> Token | None:
    """Return the token that is meant for the provider's Space, or for that at `url`; None if there is none.

    Raises InvalidRequest if it is the environment's and cannot be a token.
    """
    if is_local(settings):
        return None
    if settings.token:
        return Token(settings.token, "given")
    own = (url is None or _is_own(provider, url)) and provider.url.startswith("https://")
    return tokens.of_user() if own else None


def why_unasked(provider: type[AsyncGeneratorProvider], settings: Settings) -> str:
    """Return why a call's Space is not asked, as in `HF_HUB_OFFLINE=1`; "" if it may be."""
    if settings.replay == "only":
        return 'replay = "only"'
    if not hub_offline():
        return ""
    return why_url_unasked(Space.parse(settings.space).url if settings.space else provider.url)


def space_of(provider: type[AsyncGeneratorProvider], settings: Settings) -> Space:
    """Return the Space that is asked; the model's own is known by its id, whatever address was given for it."""
    own = Space.parse(provider.own_space())
    space = Space.parse(settings.space) if settings.space else own
    return own if _is_own(provider, space.url) else space


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
    own = provider.url.rstrip("/")
    return url is not None and (url == own or _is_same_host(url, own))


def _is_same_host(url: str, own: str) -> bool:
    """Return if two URLs differ in the case of their scheme and host alone."""
    parts, known = urlsplit(url), urlsplit(own)
    return parts._replace(netloc=parts.netloc.lower()) == known._replace(netloc=known.netloc.lower())
