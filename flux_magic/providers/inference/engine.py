"""Images by Hugging Face's Inference Providers, a dedicated endpoint, or a server of one's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConnectionLost, FluxError, InvalidRequest
from ...parameters.addresses import HUB_ID, get_hub
from ...parameters.settings import Settings, resolve
from ...parameters.table import ROWS, Parameter
from ...types import Event, ImageRequest, ImageResponse, Log, Running, Waiting
from ..base import ModelDescription, Prepared, Provider
from ..http.connection import Connection
from ..http.response import StatusError
from ..http.retry import Patience
from .access import describe_token, find_token, require_token
from .address import check_address, is_address
from .asking import OWN_NAMES, ask, ask_offers, find_version, list_others, list_values
from .call import Gate, run_call
from .services import (
    ENGINE,
    IMAGE_TO_IMAGE,
    OWN_SERVER,
    SERVICES,
    TEXT_TO_IMAGE,
    Offer,
    check_service,
    choose_offer,
)

if TYPE_CHECKING:
    from ...parameters.addresses import Space

_ROUTER: Final = "https://router.huggingface.co"
_REMEMBERED: Final = 300
"""Seconds for which it is remembered who serves a model."""

_known: dict[tuple[str, str, int], tuple[float, tuple[Offer, ...]]] = {}
"""The companies that serve a model, by the Hub's address, the model and the token, and when that was asked."""


class InferenceProviders(Provider):
    """Models that companies serve for Hugging Face, each image paid for by the account of the token.

    `huggingface_hub` makes the requests: https://huggingface.co/docs/huggingface_hub/guides/inference
    """

    label = "Inference Providers"
    engine = ENGINE
    needs_hub = True
    is_paid = True

    def __init__(self, connection: Connection, space: Space | None = None, settings: Settings | None = None) -> None:
        super().__init__(connection, space)
        self._settings = settings or resolve()
        self._wanted = _get_wanted(self._settings)
        self._data = b""
        self._details: dict[str, str] = {}
        self._offers: tuple[Offer, ...] | None = None

    @classmethod
    def open(cls, connection: Connection, space: Space | None, settings: Settings) -> InferenceProviders:
        return cls(connection, space, settings)

    @classmethod
    def identify(cls, settings: Settings) -> str:
        wanted = _get_wanted(settings)
        return f"provider:{ENGINE}:{wanted}" if wanted else f"provider:{ENGINE}"

    @classmethod
    def names(cls) -> list[str]:
        return []

    @classmethod
    def get_model(cls, model: str) -> str:
        """Return a model's id on the Hub, or the address of a server. Raises InvalidRequest for any other."""
        from ..registry import get_provider  # it loads this module

        if is_address(model):
            return check_address(model)
        if HUB_ID.fullmatch(model):
            return model
        try:
            named = get_provider(model)
        except InvalidRequest:
            raise InvalidRequest(
                f"there is no model {model[:100]!r}: give its id on the Hub, such as "
                "black-forest-labs/FLUX.1-dev, a short name such as flux-dev, or the address of an endpoint"
            ) from None
        known = named.get_model(model)
        return known if HUB_ID.fullmatch(known) else named.own_space()

    @classmethod
    def takes(cls, name: str) -> bool | None:
        return True if name in OWN_NAMES else False if name == "endpoint" else None

    @classmethod
    def prepare(cls, request: ImageRequest) -> Prepared:
        """Return what would be sent. Raises InvalidRequest for what no company takes."""
        model = cls.get_model(request.model)
        _check_request(request, model)
        values = {"prompt": request.prompt, **list_values(request), **list_others(request)}
        if request.images:
            values["image"] = f"sha256 {request.images[0].record.sha256[:12]}"
        where = model if is_address(model) else f"{_ROUTER}, by a company that serves {model}"
        return Prepared(where, values, "" if is_address(model) else "each image is paid for")

    async def describe(self, model: str = "") -> ModelDescription:
        name = self.get_model(model)
        if self._offers is None and not is_address(name):
            self._offers = await self._fetch_offers(name)
        return _describe(name, self._offers or ())

    @classmethod
    def recall_description(cls, space: Space | None = None, model: str = "") -> ModelDescription | None:  # noqa: ARG003
        try:
            name = cls.get_model(model)
        except InvalidRequest:
            return None
        known = next((offers for (hub, one, _), (_, offers) in _known.items() if (hub, one) == (get_hub(), name)), None)
        return _describe(name, known or ()) if known is not None or is_address(name) else None

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        model = self.get_model(request.model)
        _check_request(request, model)
        _check_proxy(self._settings)
        token = require_token(self._settings, model, self._wanted)
        patience, told = Patience(self._connection.limits), False
        while True:
            gate = self._open_gate(model, token)
            try:
                if not is_address(model) and self._offers is None:
                    yield Waiting(f"asking the Hub who serves {model}")
                    self._offers = await self._fetch_offers(model)
                task = IMAGE_TO_IMAGE if request.images else TEXT_TO_IMAGE
                offer = None if is_address(model) else choose_offer(model, self._offers or (), self._wanted, task)
                service = SERVICES[offer.name] if offer else OWN_SERVER
                gate.who = offer.name if offer else "the server"
                if (note := service.describe_ignored(request, gate.who)) and not told:
                    told = True
                    yield Log(note, "note")
                billed = ", and billed" if offer else ""
                left = f"{gate.who} is not called back: the image may still be made{billed}"
                yield Running(description=f"{gate.who} is at work", if_stopped=left)
                self._data = await run_call(partial(ask, request, offer, service, gate), gate)
                break
            except FluxError as error:
                delay = patience.compute_delay(error) if _may_retry(error, gate) else None
                if delay is None:
                    raise
                yield Waiting(f"trying again in {delay:.0f} s: {error.message}")
                await asyncio.sleep(delay)
        ignored = service.list_ignored(request)
        self._details = _list_details(offer, ignored, has_seed=not request.randomize_seed)
        left_out: dict[str, Any] = {name: None for name in ignored if name in {"steps", "width", "height"}}
        yield ImageResponse([""], request.prompt, options={"model": model}, parameters=left_out)

    async def fetch(self, file: str) -> bytes:  # noqa: ARG002 - there is one
        return self._data

    async def environment(self) -> Mapping[str, Any]:
        return {"details": self._details}

    async def quota(self) -> str:
        return "" if is_address(self.get_model(self._settings.model)) else "each is paid for, unless it is in the store"

    async def status(self) -> Mapping[str, str]:
        """Return who serves the model, and where the token is from. No image is made."""
        model = self.get_model(self._settings.model)
        rows = {"huggingface_hub": find_version(), "model": model, "token": describe_token(self._settings, model)}
        if self._offers is not None:
            usable = [f"{one}{'' if one.name in SERVICES else ' (not asked here)'}" for one in self._offers]
            tasks = ", ".join(dict.fromkeys(one.task for one in self._offers))
            rows["served by"] = f"{', '.join(usable)}; {tasks}" if usable else "none of them"
        return rows

    def _open_gate(self, model: str, token: str) -> Gate:
        return Gate(model, "the Hub", token, self._connection.limits)

    async def _fetch_offers(self, model: str) -> tuple[Offer, ...]:
        """Return who serves a model, in the user's own order. Raises FluxError if the Hub does not say so."""
        found = find_token(self._settings, model)
        token = found.value if found else ""
        key = (get_hub(), model, hash(token))
        at, offers = _known.get(key, (0.0, ()))
        if not at or time.monotonic() - at > _REMEMBERED:
            offers = await run_call(partial(ask_offers, model), self._open_gate(model, token))
            _known[key] = (time.monotonic(), offers)
        return offers


def _get_wanted(settings: Settings) -> str:
    """Return the company that `--provider` names; "" for the user's own order. Raises InvalidRequest for no company."""
    wanted = settings.provider.partition(":")[2] if isinstance(settings.provider, str) else ""
    wanted = "" if wanted == "auto" else wanted
    check_service(wanted)
    return wanted


def _check_proxy(settings: Settings) -> None:
    if settings.proxy:
        raise InvalidRequest(
            "the proxy is not used for Inference Providers: leave out --proxy, and set HTTPS_PROXY before Python starts"
        )


def _check_request(request: ImageRequest, model: str) -> None:
    """Raise InvalidRequest for what nothing here takes."""
    if any(one.role == "mask" for one in request.images):
        raise InvalidRequest(f"{model} takes no mask by Inference Providers: leave out --mask")
    if len(request.images) > 1:
        raise InvalidRequest(f"Inference Providers take one image, not {len(request.images)}: give one --image")
    if "endpoint" in request.parameters:
        raise InvalidRequest("Inference Providers take no endpoint: leave it out")
    for name, own in OWN_NAMES.items():
        if own != name and own in request.parameters:
            raise InvalidRequest(f"{own} is {ROWS[name].flags[0]} here")


def _describe(model: str, offers: tuple[Offer, ...]) -> ModelDescription:
    tasks = {one.task for one in offers if one.name in SERVICES} or {TEXT_TO_IMAGE, IMAGE_TO_IMAGE}
    rows = [replace(ROWS[name], own_name=own) for name, own in OWN_NAMES.items()]
    scheduler = Parameter(
        name="scheduler", help="the scheduler, if the server takes it", kind=str, own_name="scheduler"
    )
    return ModelDescription(
        model,
        InferenceProviders.label,
        (*rows, scheduler),
        input_images=int(IMAGE_TO_IMAGE in tasks),
        needs_image=TEXT_TO_IMAGE not in tasks,
    )


def _list_details(offer: Offer | None, ignored: list[str], *, has_seed: bool) -> dict[str, str]:
    details = {
        "served_by": offer.name if offer else "",
        "provider_model": offer.model if offer else "",
        "seed": "sent, not confirmed" if has_seed else "",
        "ignored": ", ".join(ignored),
        "huggingface_hub": find_version(),
    }
    return {name: value for name, value in details.items() if value}


def _may_retry(error: FluxError, gate: Gate) -> bool:
    """Return True if no server can have taken the job: what may have been made is paid for."""
    is_refusal = isinstance(error, StatusError) and error.status == 503
    is_mapping = not gate.home
    return not gate.is_accepted and (is_mapping or is_refusal or not isinstance(error, StatusError | ConnectionLost))
