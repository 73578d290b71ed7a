"""A Gradio Space as a provider: what every Space's file builds on."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Final

from ...errors import (
    ConnectionLost,
    FluxError,
    InvalidArgument,
    InvalidRequest,
    NotAnImage,
    ProtocolError,
    ResponseError,
    SpaceAsleep,
    StreamLost,
    TimedOut,
)
from ...images.codecs import check_readable
from ...images.formats import READ, media_type_of
from ...parameters.table import EXTRA_NAMES
from ...types import Event, ImageRequest, ImageResponse, Preview, Waiting
from ..base import AsyncGeneratorProvider, AsyncResult, Limits, Messages, ProviderModelMixin, limited, prompt_from
from ..http.connection import Connection, open_connection
from ..http.retry import Patience, retried
from . import decoding
from .endpoint import Endpoint
from .schema import Contract

_ENDPOINT = re.compile(r"(?P<base>https?://.+?)(?P<prefix>/gradio_api)?/call/(?:v2/)?(?P<name>[^/]+)/?")
_SMALLEST = 32
_MOST_HEAD: Final = 4096
"""Bytes of a file that say what it is, for who wants its address alone."""

FIELDS: Final = ("prompt", "steps", "seed", "randomize_seed", "sent_width", "sent_height", *sorted(EXTRA_NAMES))
"""What a request has for an endpoint's inputs."""

_RECORDED: Final = {*FIELDS} - {"randomize_seed"}
"""Those that a record has fields of its own for."""

_CHOOSES: Final = "randomize_seed"
"""An input that many Spaces have, and by default on: a seed that is sent then counts for nothing."""


class GradioProvider(AsyncGeneratorProvider, ProviderModelMixin):
    """A Space on one Gradio endpoint. A subclass says which, and what its inputs are.

    Attributes:
        api_endpoint: the URL that jobs are posted to: `{url}/call/{endpoint}`. A subclass that sets
            `url` alone moves it along; one that sets it wins.
        parameters: the endpoint's inputs in order, and for each the field of ImageRequest that fills
            it: one of FIELDS (`sent_width` and `sent_height` are the rounded sizes). An input that is not
            named here gets the Space's own default.
        constants: values for inputs that a request knows nothing of, by their names.

    Raises InvalidArgument where a subclass names a field that a request has not.
    """

    api_endpoint: ClassVar[str]
    parameters: ClassVar[Mapping[str, str]]
    constants: ClassVar[Mapping[str, object]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if wrong := sorted({*cls.__dict__.get("parameters", {}).values()} - {*FIELDS}):
            raise InvalidArgument(
                f"{cls.__name__}.parameters: no {', '.join(wrong)}; a request has {', '.join(FIELDS)}"
            )
        if "parameters" in cls.__dict__:
            cls.seeded = "seed" in cls.parameters.values()
        if "url" in cls.__dict__ and "space" not in cls.__dict__:
            cls.space = ""  # another address is another Space
        inherited: str | None = getattr(cls, "api_endpoint", None)
        if "url" in cls.__dict__ and "api_endpoint" not in cls.__dict__ and inherited:
            cls.api_endpoint = f"{cls.url.rstrip('/')}/call/{_endpoint(inherited)['name']}"

    def __init__(self, connection: Connection, url: str | None = None) -> None:
        known = _endpoint(self.api_endpoint)
        base = (url or known["base"]).rstrip("/")
        self._connection = connection
        self._at_home = base == self.url.rstrip("/")
        self._sent: dict[str, object] = {}
        self._space = Endpoint(
            connection,
            base,
            known["name"],
            list(self.parameters),
            prefix=None if url else known["prefix"],
            space_id=self.space if self._at_home else "",
        )

    async def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        model = self.get_model(request.model)
        self.inputs(request)  # what it does not take is refused before anything is sent
        limits, lost_streams, lost_connections = self._connection.limits, 0, 0
        while True:
            async with aclosing(self._once(request, model, progress=progress)) as events:
                try:
                    async for event in events:
                        yield event
                    return
                except StreamLost as lost:
                    is_line = isinstance(lost.__cause__, ConnectionLost)
                    lost_connections, lost_streams = lost_connections + is_line, lost_streams + (not is_line)
                    spent = lost_connections > limits.reconnections or lost_streams > limits.resubmissions
                    # If we chose the seed, the same job gives the same image. If the Space chose it, it would not.
                    if spent or request.randomize_seed:
                        raise
                    yield Waiting(f"asking again with the same seed: {lost.message}")
                    if not is_line:
                        await asyncio.sleep(limits.backoff)

    async def _once(self, request: ImageRequest, model: str, *, progress: bool) -> AsyncGenerator[Event, None]:
        """One job: submitted with patience, and its events."""
        patience = Patience(self._connection.limits)
        job = None
        while job is None:
            try:
                contract = await self._space.contract()
                values = self._values(contract, request)
                placed = contract.place(values, self._said(request))
                names = [parameter.name for parameter in contract.parameters] or list(values)
                yield Waiting("sending the request")
                job = await self._space.submit(contract, placed)
                self._sent = dict(zip(names, placed, strict=True))
            except FluxError as error:
                delay = patience.delay(error)
                if delay is None:
                    raise
                yield Waiting(_why(error, delay))
                await asyncio.sleep(delay)
        async with aclosing(self._space.events(job, progress=progress)) as events:
            async for event in events:
                if told := _told(event, job.routes, request, model):
                    yield told

    def _values(self, contract: Contract, request: ImageRequest) -> dict[str, object]:
        values = self.inputs(request)
        if any(one.name == _CHOOSES and one.kind in {"", "boolean"} for one in contract.parameters):
            values.setdefault(_CHOOSES, request.randomize_seed)
        return values

    @classmethod
    def inputs(cls, request: ImageRequest) -> dict[str, object]:
        """Return the endpoint's values by name, in its order; of a value that is None the Space has a default.

        Raises InvalidRequest for a parameter that the endpoint does not take: a record would claim that it counted.
        """
        if strange := sorted(request.parameters.keys() - cls.parameters.values()):
            raise InvalidRequest(f"{cls.get_model(request.model)} takes no {' and no '.join(strange)}: leave it out")
        values = {name: request.value_of(field) for name, field in cls.parameters.items()}
        return {name: value for name, value in values.items() if value is not None} | {**cls.constants}

    @classmethod
    def _said(cls, request: ImageRequest) -> dict[str, str]:
        """What was asked for, in the words of whoever asked, by the endpoint's names."""
        return {name: f"{field} is {request.value_of(field)}" for name, field in cls._fields().items()}

    @classmethod
    def _fields(cls) -> dict[str, str]:
        """The fields of a request as it was asked for, by the endpoint's names."""
        return {name: field.removeprefix("sent_") for name, field in cls.parameters.items()}

    async def fetch(self, url: str) -> bytes:
        data = await self._read(url)
        _check_readable(data, url)
        return data

    async def _read(self, url: str, most: int | None = None) -> bytes:
        try:
            return await retried(lambda: self._connection.get_bytes(url, most), self._connection.limits)
        except FluxError as error:
            error.is_of_file = True
            raise

    async def contract(self) -> Contract:
        """What the Space says of itself; raises ResponseError where it does not answer."""
        return await self._space.contract()

    async def bounds(self) -> Mapping[str, tuple[int, int]]:
        fields, told = self._fields(), (await self.contract()).parameters
        return {
            fields[one.name]: (math.ceil(one.least), math.floor(one.most))
            for one in told
            if one.name in fields and one.least is not None and one.most is not None
        }

    async def circumstances(self) -> Mapping[str, str]:
        version = (await self.contract()).version
        return {"gradio": version} if version else {}

    @classmethod
    def own_space(cls) -> str:
        base = str(_endpoint(cls.api_endpoint)["base"])
        moved = cls.space and base != cls.url.rstrip("/")  # the endpoint alone was set to another Space's
        return base if moved else super().own_space()

    def sent(self) -> Mapping[str, object]:
        others = {name: value for name, value in self._sent.items() if self.parameters.get(name) not in _RECORDED}
        # On its own Space an input of the provider's file is what every request says.
        return {} if self._at_home and others.keys() <= self.parameters.keys() else others

    async def stand_in(self) -> str | None:
        return (await self.contract()).stand_in

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
        async with open_connection(proxy, space=_endpoint(cls.api_endpoint)["base"]) as connection:
            provider = cls(connection)
            async with aclosing(limited(provider._looked_at(request), connection.limits)) as events:
                async for event in events:
                    if isinstance(event, ImageResponse):
                        return event
            raise ProtocolError("the Space's stream ended without an image")

    async def _looked_at(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        """The events of a job, whose images have been seen to be some."""
        limits = self._connection.limits
        async with aclosing(self.stream(request, progress=False)) as events:
            async for event in events:
                if isinstance(event, ImageResponse):
                    del event.images[limits.files :]
                    try:
                        await asyncio.wait_for(self._look_at(event.images), limits.silence)
                    except TimedOut:
                        raise
                    except asyncio.TimeoutError:
                        said = f"the image's address did not answer within {limits.silence:g} s"
                        raise TimedOut(said, "Run the cell again.") from None
                yield event

    async def _look_at(self, addresses: Sequence[str]) -> None:
        """Raise an error if there is no image that can be read behind one of the addresses."""
        for url in addresses:
            _check_readable(await self._read(url, _MOST_HEAD), url, shown=False)


def _told(event: decoding.WireEvent, routes: str, request: ImageRequest, model: str) -> Event | None:
    """A wire's event as everybody else knows it; None for a preview that cannot be looked at."""
    if isinstance(event, decoding.Finished):
        files = decoding.files_from(event.data, routes)
        seed = decoding.seed_from(event.data, None if request.randomize_seed else request.seed)
        return ImageResponse(files, request.prompt, seed, _options(request, model))
    if isinstance(event, decoding.Partial):
        try:
            return Preview(decoding.files_from(event.data, routes)[: Limits().files])
        except ResponseError:
            return None
    return event


def _why(error: FluxError, delay: float) -> str:
    if isinstance(error, SpaceAsleep):
        return "waking the Space"
    return f"trying again in {delay:.0f} s: {error.message}"


def _options(request: ImageRequest, model: str) -> dict[str, Any]:
    return {"model": model, "width": request.sent_width, "height": request.sent_height, "steps": request.steps}


def _at_least(pixels: Any) -> Any:
    """What is no number is refused where the request is made."""
    return max(pixels, _SMALLEST) if isinstance(pixels, int) else pixels


def _endpoint(api_endpoint: str) -> re.Match[str]:
    match = _ENDPOINT.fullmatch(api_endpoint)
    if match is None:
        raise InvalidArgument(f"api_endpoint is {api_endpoint!r}: it must read https://…/call/name")
    return match


def _check_readable(data: bytes, url: str, *, shown: bool = True) -> None:
    """Raise NotAnImage for a file that is none, or that cannot be `shown` here: the hint says where it is.

    Running the cell again would make such a file again. The address is told without its query, which may hold a key.
    """
    address = url.partition("?")[0]
    hint = f"It is at {address} for some hours: save it from there, or take a Space that gives {READ}."
    if not shown and media_type_of(data):
        return
    try:
        check_readable("the Space's file", data, hint)
    except NotAnImage as error:
        error.url = url
        raise
