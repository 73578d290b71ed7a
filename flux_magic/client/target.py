"""The target of a call: its provider, its Space and how these are named, resolved once for each request."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InvalidRequest
from ..parameters import tokens
from ..parameters.addresses import Space
from ..parameters.settings import Settings, find_hub_offline, resolve
from ..parameters.settings import explain_unasked as why_url_unasked
from ..parameters.table import FIELDS, SIDES
from ..parameters.tokens import Token
from ..providers import local
from ..providers.base import Limits, Prepared, Provider
from ..providers.http.connection import Connection, Session
from ..providers.http.hosts import is_loopback
from ..providers.registry import choose_provider, get_provider
from ..types import ImageRequest


@dataclass(frozen=True, slots=True)
class Target:
    """The place where the images of a request are made.

    Attributes:
        provider: the provider of the model.
        model: the model's canonical name.
        space: the Space that is asked, with an address except for the local one. The model's own is known by its id,
            whatever address was given for it. None if no Space makes the images.
        is_own: True for the model's own Space, and if no Space makes the images.
        is_local: True for the bundled Space.
        is_loopback: True for a Space that has an address on this machine: it may be a stand-in as well.
        identity: the name of the place in a record and in the replay key.
        requested: the name that a cell needs to reach the Space; None for the model's own.
        unasked: why nothing is asked, as in `HF_HUB_OFFLINE=1`; "" if it may be.
        settings: of the call.
        asked: the model's name for a record and its cell; empty if that is the request's.
    """

    provider: type[Provider]
    model: str
    space: Space | None
    is_own: bool
    is_local: bool
    is_loopback: bool
    identity: str
    requested: str | None
    unasked: str
    settings: Settings
    asked: str = ""

    async def settle(self, request: ImageRequest) -> Target:
        """Return the target with an engine's own names for the model of a request. Raises InvalidRequest."""
        if not self.provider.engine:
            return self
        asked, model = await asyncio.to_thread(self.provider.name_model, request.model)
        return replace(self, asked=asked, model=model)

    def fill_stand_in(self, request: ImageRequest) -> ImageRequest:
        """Return a request as the stand-in gets it: with the defaults of the default model, which it stands in for.

        An edit has the size of the image that goes in.
        """
        defaults = get_provider().defaults
        left = {name: one for name, one in defaults.items() if request.get_value(name) is None}
        return request.with_values(**{name: left[name] for name in left if not (request.images and name in SIDES)})

    def drop_configured(self, request: ImageRequest, untaken: Collection[str]) -> ImageRequest:
        """Return a request without what it has from `%config` alone and the model does not take.

        A configured seed is then one that was chosen. What a cell or a call gives stays, and is refused.
        """
        settings = self.settings
        names = [
            one
            for one in untaken
            if one in settings.configured
            and getattr(request, one, request.parameters.get(one)) == settings.get_value(one)
        ]
        changes: dict[str, Any] = {one: None for one in names if one in FIELDS and one != "seed"}
        changes |= {"chosen": True} if "seed" in names else {}
        kept = {name: value for name, value in request.parameters.items() if name not in names}
        return replace(request, **changes, parameters=kept) if names else request

    def prepare(self, request: ImageRequest) -> Prepared:
        """Return what would be sent for a request, without sending anything. Raises InvalidRequest."""
        untaken = [one for one in self.settings.configured if self.provider.takes(one) is False]
        return self.provider.prepare(self.drop_configured(request, untaken))

    @property
    def engine(self) -> str:
        """The name of the engine as asked for, which a cell needs; "" for a Space, and for a provider's own class."""
        asked = self.settings.provider
        if isinstance(asked, type) or not self.provider.engine:
            return ""
        return asked if isinstance(asked, str) else self.provider.engine

    @property
    def key_names(self) -> tuple[str, str]:
        """The names of the provider and of the model in a replay key."""
        return self.provider.key_label or self.provider.label, self.provider.key_model or self.model

    @property
    def name(self) -> str:
        """The name of the place for a person."""
        return self.space.name if self.space else self.provider.label

    def known_identities(self) -> list[str]:
        """Return the identities under which the store is searched before anything is asked."""
        if self.is_local:
            return [f"local:{local.read_drawing()}"]
        # While nothing may be asked, no Space says whether it is a stand-in.
        return (
            [self.identity, f"local:{local.read_drawing()}"] if self.unasked and self.is_loopback else [self.identity]
        )

    def find_token(self) -> Token | None:
        """Return the token that is meant for the Space, or None.

        One that the user gave goes to the Space that is asked; the environment's to the own Space of the default model
        and of the configured one alone. Raises InvalidRequest if it comes from the environment and cannot be a token.
        """
        if self.is_local:
            return None
        if self.settings.token:
            return Token(self.settings.token, "given")
        is_home = self.space is not None and self.is_own and self.provider.url.startswith("https://")
        return tokens.find_user_token() if is_home and self._is_configured() else None

    def _is_configured(self) -> bool:
        """Return True for the default model and the configured one: a cell out of an image may name any other."""
        if self.provider is get_provider():
            return True
        known = resolve()
        space = Space.parse(known.space) if known.space else None
        return self.provider is choose_provider(known.model, space, known.provider)

    async def locate(self) -> Space | None:
        """Return the Space with its address; the local one is started for it. Raises LocalSpaceError."""
        return Space("local", await local.shared.get_address()) if self.is_local else self.space

    async def connect(self, session: Session, limits: Limits | None = None, space: Space | None = None) -> Provider:
        """Return the provider, with a connection that carries the token meant for its Space.

        The local Space is asked with its own secret, and through no proxy. `space` is what `locate` returned; it is
        called by default.
        """
        space = space or await self.locate()
        base = space.url or "" if space else ""
        if self.is_local:
            connection = Connection(session, limits=limits, token=local.shared.secret or None, space=base)
        else:
            found = self.find_token()
            token, proxy = found.value if found else None, self.settings.proxy
            connection = Connection(session, proxy=proxy, limits=limits, token=token, space=base)
        return self.provider.open(connection, space, self.settings)


def resolve_target(settings: Settings, model: str) -> Target:
    """Return where the images of a call are made.

    Raises InvalidRequest for an unknown model or an invalid Space. A Space is also refused if the model's images are
    not made by one.
    """
    given = Space.parse(settings.space) if settings.space else None
    provider = choose_provider(model, given, settings.provider)
    own = _own_space(provider)
    is_meant = settings.space not in {None, resolve().space}  # a configured one is for other models
    if is_meant and not provider.takes_space():
        raise InvalidRequest(
            f"{provider.label} makes its images without a Space: leave out --space {settings.space}, or choose another "
            "model"
        )
    space = given if given and provider.takes_space() else own
    is_own = space is None or (space.url is not None and provider.has_space(space.url))
    known = own if is_own else space
    return Target(
        provider=provider,
        model=provider.get_model(model if model in provider.names() or provider.engine else ""),
        space=known,
        is_own=is_own,
        is_local=known is not None and known.url is None,
        is_loopback=known is not None and is_loopback(known.host),
        identity=known.identity if known else provider.identify(settings),
        requested=None if is_own or space is None else space.name,
        unasked=_why_unasked(settings, space, provider),
        settings=settings,
    )


def _own_space(provider: type[Provider]) -> Space | None:
    """Return the model's own Space at the provider's address of it; None if no Space makes the images."""
    name = provider.own_space()
    space = Space.parse(name) if name else None
    return replace(space, url=provider.url.rstrip("/")) if space and space.hub_id else space


def _why_unasked(settings: Settings, space: Space | None, provider: type[Provider]) -> str:
    if settings.replay == "only":
        return 'replay = "only"'
    if provider.needs_hub:
        return find_hub_offline()
    return why_url_unasked(space.url) if space and find_hub_offline() else ""
