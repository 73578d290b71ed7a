"""A Gradio Space as a provider, the base class of every Space's file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Final

from ...errors import (
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
from ...images.formats import READ, detect_media_type
from ...parameters.addresses import Space, get_hub
from ...parameters.table import EXTRA_NAMES, Parameter
from ...types import Event, ImageRequest, ImageResponse, Preview, Waiting
from ..base import (
    AsyncGeneratorProvider,
    AsyncResult,
    Limits,
    Messages,
    ModelDescription,
    Prepared,
    Provider,
    ProviderModelMixin,
    extract_prompt,
    limit_events,
)
from ..http.connection import Connection, open_connection
from ..http.retry import Patience, retry
from . import decoding, hub
from .endpoint import Endpoint
from .schema import Contract

_ENDPOINT = re.compile(r"(?P<base>https?://.+?)(?P<prefix>/gradio_api)?/call/(?:v2/)?(?P<name>[^/]+)/?")
_SMALLEST = 32
_MOST_HEAD: Final = 4096
"""The number of bytes that identify a file, if only its address is wanted."""

FIELDS: Final = ("prompt", "steps", "seed", "randomize_seed", "sent_width", "sent_height", *sorted(EXTRA_NAMES))
"""The fields of a request that an endpoint's inputs can use."""

_RECORDED: Final = {*FIELDS} - {"randomize_seed"}
"""The fields that have members of their own in a record."""

_CHOOSES: Final = "randomize_seed"
"""An input of many Spaces, on by default, that makes them ignore a seed that is sent."""


class GradioProvider(AsyncGeneratorProvider, ProviderModelMixin, Provider):
    """A Space on one Gradio endpoint. A subclass says which, and what its inputs are.

    Attributes:
        space: the Space's id on the Hub, `owner/name`; empty if it has none. It gives the `url` if that is not set.
        endpoint: the name of the endpoint, which gives the `api_endpoint` if that is not set.
        api_endpoint: the URL that jobs are posted to: `{url}/call/{endpoint}`. A subclass that sets
            `url` alone moves it along; one that sets it wins.
        parameters: the endpoint's inputs in order, and for each the field of ImageRequest that fills
            it: one of FIELDS (`sent_width` and `sent_height` are the rounded sizes). An input that is not
            named here gets the Space's own default.
        constants: values for inputs that a request knows nothing of, by their names.
        seeded: whether a request's seed counts; set by `parameters`.

    Raises InvalidArgument if a subclass names a field that a request has not.
    """

    endpoint: ClassVar[str]
    api_endpoint: ClassVar[str]
    parameters: ClassVar[Mapping[str, str]]
    constants: ClassVar[Mapping[str, object]] = {}
    space: ClassVar[str] = ""
    seeded: ClassVar[bool] = True

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
        elif "space" in cls.__dict__ and "url" not in cls.__dict__:
            cls.url = Space.parse(cls.space).url or ""
        if "endpoint" in cls.__dict__ and "api_endpoint" not in cls.__dict__:
            cls.api_endpoint = f"{cls.url.rstrip('/')}/call/{cls.endpoint}"
        inherited: str | None = getattr(cls, "api_endpoint", None)
        if "url" in cls.__dict__ and "api_endpoint" not in cls.__dict__ and inherited:
            cls.api_endpoint = f"{cls.url.rstrip('/')}/call/{_parse_endpoint(inherited)['name']}"

    def __init__(self, connection: Connection, space: Space | None = None) -> None:
        known = _parse_endpoint(self.api_endpoint)
        base = (space.url or "" if space else known["base"]).rstrip("/")
        self._connection = connection
        self._place = space or Space.parse(self.own_space())
        self._at_home = base == self.url.rstrip("/")
        self._space = Endpoint(
            connection,
            base,
            known["name"],
            list(self.parameters),
            prefix=known["prefix"] if base == known["base"].rstrip("/") else None,
            space_id=self.space if self._at_home else "",
        )

    async def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        model, patience = self.get_model(request.model), Patience(self._connection.limits)
        self.get_inputs(request)  # what it does not take is refused before anything is sent
        while True:
            job = None
            try:
                contract = await self._space.get_contract()
                values = self._place_values(contract, request)
                placed = contract.place(values, self._describe_inputs(request))
                names = [parameter.name for parameter in contract.parameters] or list(values)
                yield Waiting("sending the request")
                job = await self._space.submit(contract, placed)
                sent = self._others(dict(zip(names, placed, strict=True)))
                async with aclosing(self._space.read_events(job, progress=progress)) as events:
                    async for event in events:
                        if told := _translate_event(event, job.routes, request, model, sent):
                            yield told
                return
            except FluxError as error:
                # If we chose the seed, resubmitting gives the same image. If the Space chose it, it would not.
                if job is not None and (request.randomize_seed or not isinstance(error, StreamLost)):
                    raise
                delay = patience.compute_delay(error)
                if delay is None:
                    raise
                yield Waiting(_describe_retry(error, delay))
                await asyncio.sleep(delay)

    def _place_values(self, contract: Contract, request: ImageRequest) -> dict[str, object]:
        values = self.get_inputs(request)
        if any(one.name == _CHOOSES and one.kind in {"", "boolean"} for one in contract.parameters):
            values.setdefault(_CHOOSES, request.randomize_seed)
        return values

    def _others(self, sent: Mapping[str, object]) -> Mapping[str, object]:
        """Return those values that a record has no field of its own for."""
        others = {name: value for name, value in sent.items() if self.parameters.get(name) not in _RECORDED}
        # On its own Space an input of the provider's file is what every request says.
        return {} if self._at_home and others.keys() <= self.parameters.keys() else others

    @classmethod
    def prepare(cls, request: ImageRequest) -> Prepared:
        return Prepared(cls.api_endpoint, cls.get_inputs(request))

    @classmethod
    def get_inputs(cls, request: ImageRequest) -> dict[str, object]:
        """Return the endpoint's values by name, in its order; of a value that is None the Space has a default.

        Raises InvalidRequest for a parameter that the endpoint does not take: a record would claim that it counted.
        """
        if strange := sorted(request.parameters.keys() - cls.parameters.values()):
            raise InvalidRequest(f"{cls.get_model(request.model)} takes no {' and no '.join(strange)}: leave it out")
        values = {name: request.get_value(field) for name, field in cls.parameters.items()}
        return {name: value for name, value in values.items() if value is not None} | {**cls.constants}

    @classmethod
    def takes(cls, name: str) -> bool | None:
        return name in cls.parameters.values() if cls.parameters else None

    @classmethod
    def _describe_inputs(cls, request: ImageRequest) -> dict[str, str]:
        """Return the requested values in the user's own words, by the endpoint's names."""
        return {name: f"{field} is {request.get_value(field)}" for name, field in cls._name_fields().items()}

    @classmethod
    def _name_fields(cls) -> dict[str, str]:
        """Return the fields of a request as it was made, by the endpoint's names."""
        return {name: field.removeprefix("sent_") for name, field in cls.parameters.items()}

    async def fetch(self, file: str) -> bytes:
        data = await self._read_file(file)
        _check_readable(data, file)
        return data

    async def _read_file(self, url: str, most: int | None = None) -> bytes:
        try:
            return await retry(lambda: self._connection.get_bytes(url, most), self._connection.limits)
        except FluxError as error:
            error.is_of_file = True
            raise

    async def describe(self, model: str = "") -> ModelDescription:
        contract, fields = await self._space.get_contract(), self._name_fields()
        rows = [
            Parameter(
                name=fields.get(one.name, one.name),
                help="",
                kind=float,
                least=one.least,
                most=one.most,
                default=one.default,
                own_name=one.name,
            )
            for one in contract.parameters
        ]
        return ModelDescription(
            model=self.get_model(model),
            provider=self.label,
            parameters=tuple(rows),
            seeded=self.seeded,
            stand_in=contract.stand_in,
            title=contract.title,
            engine="Gradio",
            version=contract.version,
        )

    async def environment(self) -> Mapping[str, str]:
        info, contract = await hub.look_up(self._connection, self._place), await self._space.get_contract()
        known = {"gradio": contract.version, "space_commit": info.commit, "model": info.model}
        return {name: value for name, value in known.items() if value}

    async def status(self) -> Mapping[str, str]:
        if not self._place.hub_id:
            return {}
        stage = await hub.fetch_stage(self._connection, self._place.hub_id)
        left = await self.quota()
        return {"stage": stage or "not known: the Hub does not answer", **({"quota": left} if left else {})}

    async def quota(self) -> str:
        connection = self._to_hub()
        if not self._place.hub_id or not connection.has_token:
            return ""
        try:
            return await asyncio.wait_for(hub.fetch_quota(connection), hub.HUB_TIMEOUT)
        except asyncio.TimeoutError:
            return ""

    def _to_hub(self) -> Connection:
        """Return a connection to the Hub; only the token of a Space that is on the Hub goes there."""
        return self._connection.connect_to(get_hub(), with_token=bool(self._place.hub_id))

    @classmethod
    def own_space(cls) -> str:
        base = str(_parse_endpoint(cls.api_endpoint)["base"])
        moved = cls.space and base != cls.url.rstrip("/")  # the endpoint alone was set to another Space's
        return base if moved else cls.space or cls.url

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

        async def answer() -> AsyncGenerator[ImageResponse, None]:
            request = ImageRequest(
                prompt=extract_prompt(messages or [], prompt),
                model=model or "",
                width=_raise_to_least(width),
                height=_raise_to_least(height),
                steps=num_inference_steps,
                seed=seed,
                randomize_seed=randomize_seed,
            )
            yield await cls._make_answer(request, proxy)

        return AsyncResult(answer())

    @classmethod
    async def _make_answer(cls, request: ImageRequest, proxy: str | None) -> ImageResponse:
        async with open_connection(proxy, space=_parse_endpoint(cls.api_endpoint)["base"]) as connection:
            provider = cls(connection)
            async with aclosing(limit_events(provider._check_images(request), connection.limits)) as events:
                async for event in events:
                    if isinstance(event, ImageResponse):
                        return event
            raise ProtocolError("the Space's stream ended without an image")

    async def _check_images(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        """Yield the events of a job after checking that its images can be read."""
        limits = self._connection.limits
        async with aclosing(self.stream(request, progress=False)) as events:
            async for event in events:
                if isinstance(event, ImageResponse):
                    del event.images[limits.files :]
                    try:
                        await asyncio.wait_for(self._check_addresses(event.images), limits.silence)
                    except TimedOut:
                        raise
                    except asyncio.TimeoutError:
                        said = f"the image's address did not answer within {limits.silence:g} s"
                        raise TimedOut(said, "Run the cell again.") from None
                yield event

    async def _check_addresses(self, addresses: Sequence[str]) -> None:
        """Raise an error if there is no image that can be read behind one of the addresses."""
        for url in addresses:
            _check_readable(await self._read_file(url, _MOST_HEAD), url, shown=False)


def _translate_event(
    event: decoding.WireEvent, routes: str, request: ImageRequest, model: str, sent: Mapping[str, object]
) -> Event | None:
    """Convert a decoded event to a public one; None for a preview that cannot be shown."""
    if isinstance(event, decoding.Finished):
        files = decoding.find_files(event.data, routes)
        seed = decoding.find_seed(event.data, None if request.randomize_seed else request.seed)
        return ImageResponse(files, request.prompt, seed, _list_options(request, model), sent)
    if isinstance(event, decoding.Partial):
        try:
            return Preview(decoding.find_files(event.data, routes)[: Limits().files])
        except ResponseError:
            return None
    return event


def _describe_retry(error: FluxError, delay: float) -> str:
    if isinstance(error, SpaceAsleep):
        return "waking the Space"
    if isinstance(error, StreamLost):
        return f"asking again with the same seed: {error.message}"
    return f"trying again in {delay:.0f} s: {error.message}"


def _list_options(request: ImageRequest, model: str) -> dict[str, Any]:
    return {"model": model, "width": request.sent_width, "height": request.sent_height, "steps": request.steps}


def _raise_to_least(pixels: Any) -> Any:
    """Raise small sizes to the least. Anything that is not a number is refused when the request is made."""
    return max(pixels, _SMALLEST) if isinstance(pixels, int) else pixels


def _parse_endpoint(api_endpoint: str) -> re.Match[str]:
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
    if not shown and detect_media_type(data):
        return
    try:
        check_readable("the Space's file", data, hint)
    except NotAnImage as error:
        error.url = url
        raise
