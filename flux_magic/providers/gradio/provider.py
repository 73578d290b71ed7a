"""A Gradio Space as a provider, the base class of every Space's file."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from ...errors import FluxError, InvalidArgument, InvalidRequest, ResponseError, SpaceAsleep, SpaceError, StreamLost
from ...images.inputs import paint_mask
from ...parameters.addresses import Space, get_hub
from ...parameters.table import EXTRA_NAMES, ROWS, SIDES
from ...types import Event, ImageRequest, ImageResponse, Preview, Waiting
from ..base import Limits, ModelDescription, Prepared
from ..http.connection import Connection
from ..http.retry import Patience, retry
from . import decoding, hub
from .by_file import find_endpoint, place_by_file
from .choosing import Need, choose_endpoint, list_endpoints
from .description import describe_space, list_rows
from .diffs import Partials
from .endpoint import Endpoint
from .meanings import name_all
from .original import OriginalInterface, check_shown, parse_endpoint
from .placing import PAINTED, File, Placed, Sizes, list_settable, place
from .results import find_images, find_used_seed
from .signature import Contract, Signature

FIELDS: Final = (
    "prompt",
    "steps",
    "seed",
    "randomize_seed",
    "sent_width",
    "sent_height",
    *sorted(EXTRA_NAMES - {"endpoint"}),
)
"""The fields of a request that an endpoint's inputs can use."""

_RECORDED: Final = {*FIELDS} - {"randomize_seed"}
"""The fields that have members of their own in a record."""

_CHOOSES: Final = "randomize_seed"
"""An input of many Spaces, on by default, that makes them ignore a seed that is sent."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A request, placed for its endpoint; `is_described` if the Space's own description placed it."""

    request: ImageRequest
    model: str
    contract: Contract
    signature: Signature
    placed: Placed
    is_described: bool


class GradioProvider(OriginalInterface):
    """A Space. A subclass says which; the Space says what it takes, unless the subclass has `parameters`.

    Attributes:
        space: the Space's id on the Hub, `owner/name`; empty if it has none. It gives the `url` if that is not set.
        endpoint: the name of the endpoint, which gives the `api_endpoint` if that is not set. Without it the likeliest
            endpoint is asked, as it is if the Space does not have it.
        api_endpoint: the URL that jobs are posted to: `{url}/call/{endpoint}`. A subclass that sets
            `url` alone moves it along; one that sets it wins.
        meanings: what inputs mean whose names and labels do not say so, by their names.
        sizes: the width and height of choices that do not say so, such as `16:9`.
        parameters: the endpoint's inputs in order, and for each the field of ImageRequest that fills
            it: one of FIELDS (`sent_width` and `sent_height` are the rounded sizes). An input that is not
            named here gets the Space's own default. The Space must have these inputs, and takes no others.
        constants: values for inputs that a request knows nothing of, by their names.
        seeded: whether a request's seed counts; set by `parameters`.

    Raises InvalidArgument if a subclass names a field that a request has not.
    """

    endpoint: ClassVar[str]
    api_endpoint: ClassVar[str]
    meanings: ClassVar[Mapping[str, str]] = {}
    sizes: ClassVar[Sizes] = {}
    parameters: ClassVar[Mapping[str, str]] = {}
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
            cls.seeded = "seed" in cls.parameters.values() or not cls.parameters
        if "url" in cls.__dict__ and "space" not in cls.__dict__:
            cls.space = ""  # another address is another Space
        elif "space" in cls.__dict__ and "url" not in cls.__dict__:
            cls.url = Space.parse(cls.space).url or ""
        if "endpoint" in cls.__dict__ and "api_endpoint" not in cls.__dict__:
            cls.api_endpoint = f"{cls.url.rstrip('/')}/call/{cls.endpoint}"
        inherited: str | None = getattr(cls, "api_endpoint", None)
        if "url" in cls.__dict__ and "api_endpoint" not in cls.__dict__ and inherited:
            cls.api_endpoint = f"{cls.url.rstrip('/')}/call/{parse_endpoint(inherited)['name']}"

    def __init__(self, connection: Connection, space: Space | None = None) -> None:
        known = parse_endpoint(self.api_endpoint) if hasattr(self, "api_endpoint") else None
        base = (space.url or "" if space else self.get_base()).rstrip("/")
        self._connection = connection
        self._place = space or Space.parse(self.own_space())
        self._at_home = base == self.url.rstrip("/")
        self._preferred = known["name"] if known else ""
        self._chosen: Signature | None = None
        self._space = Endpoint(
            connection,
            base,
            prefix=known["prefix"] if known and base == known["base"].rstrip("/") else None,
            space_id=self.space if self._at_home else self._place.hub_id,
        )

    @classmethod
    def get_base(cls) -> str:
        return str(parse_endpoint(cls.api_endpoint)["base"]) if hasattr(cls, "api_endpoint") else cls.url

    @classmethod
    def takes_by_file(cls) -> bool:
        return bool(cls.parameters)

    async def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        model, patience = self.get_model(request.model), Patience(self._connection.limits)
        while True:
            remote = None
            try:
                job = await self._place_request(request, model)
                yield Waiting("sending the request")
                one = job.signature
                remote = await self._space.submit(job.contract, one.name, one.function, job.placed.values)
                partials = Partials()
                async with aclosing(self._space.read_events(remote, progress=progress)) as events:
                    async for event in events:
                        if told := self._translate(event, partials, remote.routes, job):
                            yield told
                return
            except FluxError as error:
                if remote is not None and isinstance(error, SpaceError):
                    self._space.forget()
                    _explain_click(error, self._chosen)
                # If we chose the seed, resubmitting gives the same image. If the Space chose it, it would not.
                if remote is not None and (request.randomize_seed or not isinstance(error, StreamLost)):
                    raise
                delay = patience.compute_delay(error)
                if delay is None:
                    raise
                yield Waiting(_describe_retry(error, delay))
                await asyncio.sleep(delay)

    async def _place_request(self, request: ImageRequest, model: str) -> _Job:
        """Return the job of a request, after its images are uploaded; what is not taken is refused before that."""
        contract = await self._space.get_contract()
        if self.takes_by_file() and contract.stand_in is None:
            return self._place_by_file(contract, request, model)
        contract = self._name(await self._space.require_contract())
        wanted = str(request.parameters.get("endpoint", ""))
        files: dict[str, File] = {}
        constants = self.constants if self._at_home else {}
        # A stand-in's requests have the defaults of the model that it stands in for.
        options: dict[str, Any] = {"sizes": self.sizes, "constants": constants, "is_lenient": bool(contract.stand_in)}
        try:
            signature = choose_endpoint(contract, Need.of(request), wanted, self._preferred)
            placed = place(signature, request, files, **options)
        except InvalidRequest:
            self._space.forget()  # it may have changed: request it again
            raise
        for number, one in enumerate(request.images, 1):
            kind = one.record.media_type
            name = f"{one.role}{number}.{kind.rpartition('/')[2]}"
            files[one.record.sha256] = await self._space.upload(one.data, one.record.sha256, name, kind)
        if signature.find("mask") is None and (painted := await _paint(request)):
            for part, data in zip(PAINTED, painted, strict=True):
                sha256 = hashlib.sha256(data).hexdigest()
                files[part] = await self._space.upload(data, sha256, f"{part}.png", "image/png")
        if files:
            placed = place(signature, request, files, **options)
        self._chosen = signature
        return _Job(request, model, contract, signature, placed, is_described=True)

    @classmethod
    def _name(cls, contract: Contract) -> Contract:
        """Return the Space with the meanings that the model's file gives."""
        return name_all(contract, cls.meanings) if cls.meanings else contract

    def _place_by_file(self, contract: Contract, request: ImageRequest, model: str) -> _Job:
        values = self.get_inputs(request)  # what it does not take is refused
        signature = find_endpoint(contract, self._preferred, list(self.parameters))
        if any(one.name == _CHOOSES and one.kind in {"", "boolean"} for one in signature.inputs):
            values.setdefault(_CHOOSES, request.randomize_seed)
        placed = place_by_file(signature, values, self._describe_inputs(request))
        names = [one.name for one in signature.asked] or list(values)
        given = [one for one, known in zip(placed, signature.inputs, strict=False) if not known.is_filled] or placed
        sent = self._others(dict(zip(names, given, strict=True)))
        self._chosen = signature
        return _Job(request, model, contract, signature, Placed(placed, None, {}, sent), is_described=False)

    def _others(self, sent: Mapping[str, object]) -> Mapping[str, object]:
        """Return those values that a record has no field of its own for."""
        others = {name: value for name, value in sent.items() if self.parameters.get(name) not in _RECORDED}
        # On its own Space an input of the provider's file is what every request says.
        return {} if self._at_home and others.keys() <= self.parameters.keys() else others

    def _translate(self, event: decoding.WireEvent, partials: Partials, routes: str, job: _Job) -> Event | None:
        """Convert a decoded event to a public one; None for a preview that cannot be shown."""
        if isinstance(event, decoding.Finished):
            return self._build_response(event.data, routes, job)
        if isinstance(event, decoding.Partial):
            data = partials.take(event.data)
            try:
                return Preview(_find_images(data, routes, job)[: Limits().files]) if data else None
            except ResponseError:
                return None
        return event

    def _build_response(self, data: list[Any], routes: str, job: _Job) -> ImageResponse:
        request, placed = job.request, job.placed
        files = _find_images(data, routes, job)
        options = {"model": job.model, "width": request.sent_width, "height": request.sent_height}
        if not job.is_described:
            seed = decoding.find_seed(data, None if request.randomize_seed else request.seed)
            return ImageResponse(files, request.prompt, seed, {**options, "steps": request.steps}, placed.sent)
        told = dict(placed.parameters)
        is_own = job.signature.name == self._preferred and self._at_home
        if not is_own and len(list_endpoints(job.contract, job.signature)) > 1:
            told["endpoint"] = f"/{job.signature.name}"
        options |= {name: told.get(name, options.get(name)) for name in ("width", "height", "steps")}
        if job.contract.stand_in is not None:
            told = {}  # what was asked for is all that counts for its drawing
        seed = find_used_seed(job.signature, data, placed)
        return ImageResponse(files, request.prompt, seed, options, placed.sent, told)

    @classmethod
    def prepare(cls, request: ImageRequest) -> Prepared:
        if cls.takes_by_file():
            return Prepared(cls.api_endpoint, cls.get_inputs(request))
        asked = {name: request.get_value(name) for name in ("prompt", "seed", "steps", "sent_width", "sent_height")}
        asked = {name.removeprefix("sent_"): value for name, value in asked.items()} | {**cls.constants}
        if request.images:
            asked["images"] = [f"{one.role}, sha256 {one.record.sha256[:12]}" for one in request.images]
        values = {name: value for name, value in {**asked, **request.sent_parameters}.items() if value is not None}
        note = "what is left out is the Space's own default, which only the Space knows"
        return Prepared(getattr(cls, "api_endpoint", cls.url), values, note)

    @classmethod
    def get_inputs(cls, request: ImageRequest) -> dict[str, object]:
        """Return the endpoint's values by name, in its order; of a value that is None the Space has a default.

        Raises InvalidRequest for a parameter that the endpoint does not take: a record would claim that it counted.
        """
        if strange := sorted(request.parameters.keys() - cls.parameters.values()):
            raise InvalidRequest(f"{cls.get_model(request.model)} takes no {' and no '.join(strange)}: leave it out")
        if request.images:
            raise InvalidRequest(f"{cls.get_model(request.model)} takes no images: choose a model that edits (--model)")
        values = {name: request.get_value(field) for name, field in cls.parameters.items()}
        return {name: value for name, value in values.items() if value is not None} | {**cls.constants}

    @classmethod
    def takes(cls, name: str) -> bool | None:
        return name in cls.parameters.values() if cls.parameters else None

    async def list_untaken(self, request: ImageRequest) -> Collection[str]:
        contract = await self._space.get_contract()
        if self.takes_by_file() and contract.stand_in is None:
            return await super().list_untaken(request)
        contract = self._name(await self._space.require_contract())
        wanted = str(request.parameters.get("endpoint", ""))
        signature = choose_endpoint(contract, Need.of(request), wanted, self._preferred)
        taken = {one.parameter for one in list_settable(signature)} | {"endpoint"}
        taken |= {*SIDES} if signature.find("size") else set()
        return ROWS.keys() - taken - ({"seed"} if signature.find("seed") else set())

    @classmethod
    def _describe_inputs(cls, request: ImageRequest) -> dict[str, str]:
        """Return the requested values in the user's own words, by the endpoint's names."""
        return {name: f"{field} is {request.get_value(field)}" for name, field in cls._name_fields().items()}

    @classmethod
    def _name_fields(cls) -> dict[str, str]:
        """Return the fields of a request as it was made, by the endpoint's names."""
        return {name: field.removeprefix("sent_") for name, field in cls.parameters.items()}

    async def fetch(self, file: str) -> bytes:
        data = await self.read_file(file)
        check_shown(data, file)
        return data

    async def read_file(self, url: str, most: int | None = None) -> bytes:
        try:
            return await retry(lambda: self._connection.get_bytes(url, most), self._connection.limits)
        except FluxError as error:
            error.is_of_file = True
            raise

    async def describe(self, model: str = "") -> ModelDescription:
        contract = await self._space.get_contract()
        return self._describe(contract, model, self._preferred, self._chosen)

    @classmethod
    def recall_description(cls, space: Space | None = None, model: str = "") -> ModelDescription | None:
        contract = Endpoint.recall_contract(space.url or "" if space else cls.get_base())
        preferred = parse_endpoint(cls.api_endpoint)["name"] if hasattr(cls, "api_endpoint") else ""
        try:
            return None if contract is None else cls._describe(contract, model, preferred)
        except FluxError:
            return None

    @classmethod
    def _describe(
        cls, contract: Contract, model: str, preferred: str, chosen: Signature | None = None
    ) -> ModelDescription:
        """Return the description by the endpoint of the request that was placed, if there was one."""
        about: dict[str, Any] = {"seeded": cls.seeded}
        if cls.takes_by_file() and contract.stand_in is None:
            fields, signature = cls._name_fields(), find_endpoint(contract, preferred, list(cls.parameters))
            known = {name: field for name, field in fields.items() if field != _CHOOSES}
            kept = [replace(one, meaning=known[one.name]) for one in signature.asked if one.name in known]
            about["parameters"] = tuple(list_rows(replace(signature, inputs=tuple(kept))))
        elif contract.prefix is not None:
            about = describe_space(cls._name(contract), preferred, chosen, cls.sizes)
        rows = about.get("parameters", ())
        about["parameters"] = tuple(replace(row, default=cls.defaults.get(row.name, row.default)) for row in rows)
        return ModelDescription(
            model=cls.get_model(model),
            provider=cls.label,
            stand_in=contract.stand_in,
            title=contract.title,
            engine="Gradio",
            version=contract.version,
            **about,
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
        base = cls.get_base()
        moved = cls.space and base != cls.url.rstrip("/")  # the endpoint alone was set to another Space's
        return base if moved else cls.space or cls.url


def _find_images(data: list[Any], routes: str, job: _Job) -> list[str]:
    if job.is_described:
        return find_images(job.signature, data, routes, job.placed.values)
    return decoding.find_files(data, routes)


def _explain_click(error: FluxError, signature: Signature | None) -> None:
    """Say of an endpoint that needs a click in its page first that this cannot be made from here."""
    if signature is not None and signature.clicked and not error.hint:
        error.hint = (
            f"/{signature.name} may need a choice made by a click in its page first, which cannot be made here."
        )


async def _paint(request: ImageRequest) -> tuple[bytes, ...]:
    """Return a request's mask as it is painted on its image in an editor; nothing if it has none."""
    images = [one for one in request.images if one.role == "image"]
    masks = [one for one in request.images if one.role == "mask"]
    return await asyncio.to_thread(paint_mask, images[0], masks[0]) if images and masks else ()


def _describe_retry(error: FluxError, delay: float) -> str:
    if isinstance(error, SpaceAsleep):
        return "waking the Space"
    if isinstance(error, StreamLost):
        return f"asking again with the same seed: {error.message}"
    return f"trying again in {delay:.0f} s: {error.message}"
