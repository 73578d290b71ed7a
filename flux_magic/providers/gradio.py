"""A Gradio Space as a provider: the wire that every Space's file builds on.

A job is a POST to `/call/{endpoint}`, answered with an event id; its events are read from the queue
stream (`/queue/data`, with progress) or from the simple route (`/call/{endpoint}/{event_id}`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

from ..errors import NotAnImage, ProtocolError
from ..picture import media_type_of
from ..types import Event, ImageRequest, ImageResponse, Waiting
from . import wire
from .base import AsyncGeneratorProvider, AsyncResult, Messages, ProviderModelMixin, limited, prompt_from
from .connection import Connection, StatusError, http_error, open_connection
from .sse import Decoder, ServerSentEvent

_ENDPOINT = re.compile(r"(?P<base>https?://.+?)(?P<prefix>/gradio_api)?/call/(?:v2/)?(?P<name>[^/]+)/?")
_SMALLEST = 32
_NO_ROUTE = {404, 405}


class GradioProvider(AsyncGeneratorProvider, ProviderModelMixin):
    """A Space on one Gradio endpoint. A subclass says which, and what its inputs are.

    Attributes:
        api_endpoint: the URL that jobs are posted to: `{url}/call/{endpoint}`. A subclass that sets
            `url` alone moves it along; one that sets it wins.
        parameters: the endpoint's inputs in order, and for each the field of ImageRequest that fills
            it (`sent_width` and `sent_height` are the rounded sizes).
    """

    api_endpoint: ClassVar[str]
    parameters: ClassVar[Mapping[str, str]]

    _contracts: ClassVar[dict[tuple[str, str], wire.Contract]] = {}
    _prefixes: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherited: str | None = getattr(cls, "api_endpoint", None)
        if "url" in cls.__dict__ and "api_endpoint" not in cls.__dict__ and inherited:
            cls.api_endpoint = f"{cls.url.rstrip('/')}/call/{_endpoint(inherited)['name']}"

    def __init__(self, connection: Connection, url: str | None = None) -> None:
        endpoint = _endpoint(self.api_endpoint)
        self._connection = connection
        self._base = (url or endpoint["base"]).rstrip("/")
        self._prefix = None if url else endpoint["prefix"]
        self._name = endpoint["name"]

    async def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        model = self.get_model(request.model)
        values = self.inputs(request)
        contract = await self._contract()
        contract.check(values)
        yield Waiting("sending the request")
        routes, event_id = await self._submit(contract, values)
        async with aclosing(self._events(routes, event_id, progress=progress)) as events:
            async for event in events:
                if not isinstance(event, wire.Finished):
                    yield event
                    continue
                files, seed = wire.files_from(event.data, routes), wire.seed_from(event.data)
                yield ImageResponse(files, request.prompt, seed, _options(request, model))

    @classmethod
    def inputs(cls, request: ImageRequest) -> dict[str, object]:
        """The endpoint's values by name, in its order."""
        return {name: getattr(request, field) for name, field in cls.parameters.items()}

    async def fetch(self, url: str) -> bytes:
        data = await self._connection.get_bytes(url)
        _check_is_image(data)
        return data

    async def stand_in(self) -> str | None:
        return (await self._contract()).stand_in

    async def _contract(self) -> wire.Contract:
        """What the Space says of itself, asked once a process."""
        key = (self._base, self._name)
        if key in self._contracts:
            return self._contracts[key]
        status, config = await self._connection.get_json(f"{self._base}/config")
        contract = wire.contract_from(config if status == 200 else None, self._name, list(self.parameters))
        if contract.prefix is not None:
            self._contracts[key] = contract
        return contract

    async def _submit(self, contract: wire.Contract, values: Mapping[str, object]) -> tuple[str, str]:
        """Post the job; returns what the Space's routes begin with, which is remembered, and the event id."""
        known = contract.prefix if contract.prefix is not None else self._prefixes.get(self._base, self._prefix)
        status, text, routes = 404, "", self._base
        for prefix in dict.fromkeys([known or "", "/gradio_api", ""]):
            routes = f"{self._base}{prefix}"
            status, text = await self._connection.post_json(
                f"{routes}/call/{self._name}", {"data": list(values.values())}
            )
            if status not in _NO_ROUTE:
                self._prefixes[self._base] = prefix
                break
        if status != 200:
            raise http_error(status, text)
        return routes, wire.event_id_from(text)

    async def _events(self, routes: str, event_id: str, *, progress: bool) -> AsyncGenerator[wire.WireEvent, None]:
        """The job's events: from the queue stream, else from the simple route; ends with Finished."""
        if progress:
            try:
                async for event in self._read(f"{routes}/queue/data?session_hash={event_id}", wire.queue_event):
                    yield event
                return
            except wire.StreamNotFound:
                pass
            except StatusError as error:
                if error.status not in _NO_ROUTE:
                    raise
        async for event in self._read(f"{routes}/call/{self._name}/{event_id}", wire.call_event):
            yield event

    async def _read(
        self, url: str, decode: Callable[[ServerSentEvent], wire.WireEvent | None]
    ) -> AsyncGenerator[wire.WireEvent, None]:
        """The decoded events of one stream, up to Finished; raises ProtocolError where it ends before."""
        async with aclosing(self._server_sent(url)) as events:
            async for event in events:
                decoded = decode(event)
                if decoded is not None:
                    yield decoded
                if isinstance(decoded, wire.Finished):
                    return
        raise ProtocolError("the Space's stream ended before the image was done", "Run the cell again.")

    async def _server_sent(self, url: str) -> AsyncGenerator[ServerSentEvent, None]:
        decoder = Decoder()
        async with aclosing(self._connection.stream(url)) as chunks:
            async for chunk in chunks:
                for event in decoder.feed(chunk):
                    yield event
        for event in decoder.finish():
            yield event

    @classmethod
    def create_async_generator(
        cls,
        model: str,
        messages: Messages,
        proxy: str | None = None,
        prompt: str | None = None,
        width: int = 768,
        height: int = 768,
        num_inference_steps: int = 2,
        seed: int = 0,
        randomize_seed: bool = True,  # noqa: FBT001, FBT002 - the original's interface
        **kwargs: Any,  # noqa: ARG003 - the interface takes what other providers understand
    ) -> AsyncResult:
        """Make one image: yields one ImageResponse, whose addresses have been seen to hold images.

        Args:
            model: a name or an alias; empty for the default one.
            messages: a conversation, whose trailing user messages are the prompt where `prompt` is None.
            proxy: an http(s) proxy's URL.
            prompt: what the image shows.
            width, height: pixels; rounded down to a multiple of 8, and up to 32.
            num_inference_steps: 1 or more; the Space has a bound of its own.
            seed: 0 to 2147483647.
            randomize_seed: let the Space choose the seed; the ImageResponse has the one it chose.

        Raises, at the first `__anext__`: InvalidRequest, ConnectionFailed, TimedOut, or ResponseError
        for whatever the Space does wrong.
        """

        async def answers() -> AsyncGenerator[ImageResponse, None]:
            request = ImageRequest(
                prompt=prompt_from(messages or [], prompt),
                model=model or "",
                width=_at_least(width),
                height=_at_least(height),
                steps=num_inference_steps,
                seed=seed,
                randomize_seed=randomize_seed,
            )
            yield await cls._answer(request, proxy)

        return AsyncResult(answers())

    @classmethod
    async def _answer(cls, request: ImageRequest, proxy: str | None) -> ImageResponse:
        async with open_connection(proxy) as connection:
            provider = cls(connection)
            async with aclosing(limited(provider.stream(request, progress=False), connection.limits)) as events:
                *_, response = [event async for event in events]
            if not isinstance(response, ImageResponse):
                raise ProtocolError("the Space's stream ended without an image")
            for url in response.images:
                _check_is_image(await connection.get_bytes(url, most=16))
            return response


def _options(request: ImageRequest, model: str) -> dict[str, Any]:
    return {"model": model, "width": request.sent_width, "height": request.sent_height, "steps": request.steps}


def _at_least(pixels: Any) -> Any:
    """What is no number is refused where the request is made."""
    return max(pixels, _SMALLEST) if isinstance(pixels, int) else pixels


def _endpoint(api_endpoint: str) -> re.Match[str]:
    match = _ENDPOINT.fullmatch(api_endpoint)
    if match is None:
        raise TypeError(f"api_endpoint is {api_endpoint!r}: it must read https://…/call/name")
    return match


def _check_is_image(data: bytes) -> None:
    if media_type_of(data) is None:
        words = "a page" if data.lstrip()[:1] == b"<" else "nothing" if not data else "something else"
        raise NotAnImage(f"the Space's file is no PNG, JPEG or WebP, but {words}", "Run the cell again.")
