"""One request on its way: replayed from the store, or made by a provider, fetched, recorded and kept."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import Any

from ..errors import ConnectionFailed, EmptyResult, FluxError, ProtocolError, StoreError
from ..images import codecs
from ..parameters.settings import Settings
from ..parameters.table import EXTRA_NAMES, FIELDS, Values
from ..providers import local
from ..providers.base import Limits, ModelDescription, Provider
from ..providers.http.connection import Session
from ..providers.log import get_logger
from ..records import in_hand
from ..records.record import get_version
from ..records.sent import sanitize
from ..records.store import SLOW, UNKEPT, Store, open_store
from ..results.generation import ClientEvent, Generation, ImageFile, build_generation
from ..results.output import describe_rewrites
from ..types import (
    ANY_SPACE,
    STAND_IN,
    UNKNOWN,
    Circumstances,
    ImageRequest,
    ImageResponse,
    Log,
    Queued,
    Record,
    Running,
    Waiting,
)
from .replay import Replay, find_drawing
from .target import Target

_log = get_logger(__name__)


@dataclass(slots=True)
class _Clock:
    """The times of a job, when it was sent and how long it waited in the queue, and the Space's warnings on the way."""

    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    begin: float = field(default_factory=time.monotonic)
    queued_at: float | None = None
    queued: float | None = None
    warnings: list[str] = field(default_factory=list)
    who: str = "the Space"

    def see(self, event: ClientEvent | ImageResponse) -> None:
        """Take in an event as it comes; load what the image needs while the Space is at work."""
        if isinstance(event, Queued | Running) and not _load.cache_info().currsize:
            asyncio.get_running_loop().run_in_executor(None, _load)
        if isinstance(event, Log) and event.level == "warning":
            self.warnings.append(f"{self.who} warned: {event.message}")
        if isinstance(event, Queued) and self.queued_at is None:
            self.queued_at = time.monotonic()
        elif isinstance(event, Running) and self.queued is None and self.queued_at is not None:
            self.queued = round(time.monotonic() - self.queued_at, 3)

    def read(self) -> Circumstances:
        """Return the times when the last byte has come."""
        seconds = round(time.monotonic() - self.begin, 3)
        return Circumstances(started=self.started.isoformat(timespec="seconds"), seconds=seconds, queued=self.queued)


@dataclass(frozen=True, slots=True)
class Job:
    """One request and its result."""

    request: ImageRequest
    target: Target
    session: Session
    limits: Limits

    async def stream(self) -> AsyncGenerator[ClientEvent, None]:
        """Yield what happens on the way; the last is the Generation. Raises as `AsyncClient.generate` does."""
        settled = replace(self, target=await self.target.settle(self.request))
        async with aclosing(settled._stream()) as events:  # noqa: SLF001 - of this class
            async for event in events:
                yield event

    async def _stream(self) -> AsyncGenerator[ClientEvent, None]:  # noqa: C901 - the way of a job, from top to bottom
        target, replay = self.target, Replay(self.request, self.target)
        if found := await replay.find_or_raise():
            yield found
            return
        for is_last in (False, True) if target.is_local else (True,):
            if target.is_local and not local.shared.running:
                yield Waiting("starting the local Space")
            try:
                provider = await target.connect(self.session, self.limits)
                if found := await replay.find_of_stand_in(provider):
                    yield found
                    return
                request = await self._fill(provider)
                if lost := _list_lost(self.request, request):
                    yield Log(f"this model takes no {' and no '.join(lost)}: what %config says is left out", "note")
                    if found := await Replay(request, target, replay.skipped).find_or_raise():
                        yield found
                        return
                clock, response = _Clock(who="the provider" if target.provider.engine else "the Space"), None
                async with aclosing(provider.stream(request)) as events:
                    async for event in events:
                        clock.see(event)
                        if isinstance(event, ImageResponse):
                            response = event
                        else:
                            yield event
                if response is None:
                    raise EmptyResult("the Space finished, but sent no image")
                made = await self._receive(request, provider, response, clock, [*replay.skipped, *clock.warnings])
                yield await keep(made, self.target.settings, self.limits)
                return
            except (ConnectionFailed, ProtocolError):
                # The seed is ours: if the local Space died, the same job on a new one makes the same image.
                if is_last or not await local.shared.has_ended():
                    raise
                _log.info("the local Space has died: the job is submitted to a new one")

    async def _fill(self, provider: Provider) -> ImageRequest:
        """Return the request as it is sent: a stand-in gets the defaults of the model that it stands in for."""
        is_stand_in = self.target.is_local or (self.target.is_loopback and await find_drawing(provider) is not None)
        request = self.target.fill_stand_in(self.request) if is_stand_in else self.request
        if not self.target.settings.configured:
            return request
        try:
            return self.target.drop_configured(request, await provider.list_untaken(request))
        except FluxError:  # the job will meet this error again, and report it better
            return request

    async def _receive(
        self, request: ImageRequest, provider: Provider, response: ImageResponse, clock: _Clock, notes: list[str]
    ) -> Generation:
        """Fetch the files of a response, and return the generation with their record."""
        fetched: list[tuple[bytes, str]] = []
        room, number = self.limits.sum, len(response.images)
        for address in response.images[: self.limits.files]:
            data = await provider.fetch(address)
            room -= len(data)
            if fetched and room < 0:
                break
            fetched.append((data, address))
        environment = await provider.environment()
        known: dict[str, Any] = {name: environment[name] for name in _CIRCUMSTANCES & environment.keys()}
        circumstances, description = replace(clock.read(), **known), await provider.describe(request.model)

        def record() -> Generation:
            files = tuple(
                ImageFile(codecs.describe(data), data, address if "//" in address else "") for data, address in fetched
            )
            decoder = codecs.describe_decoder(*(file.media_type for file in files))
            around = replace(circumstances, version=get_version(), decoder=decoder)
            record = self._build_record(request, response, files, description, around, environment.get("model", ""))
            said = "; ".join([*notes, *_list_doubts(response, files, description)])
            made = build_generation(request, record, files, self.target.settings, note=said)
            if len(files) == number:
                return made
            most = f"the limit is {self.limits.files} files and {self.limits.sum // 2**20} MiB per response"
            return add_note(made, f"the Space sent {number:,} files, of which the first {len(files)} are kept; {most}")

        # Decoding keeps the processor busy and writing the disk, so both run on a thread.
        return await asyncio.to_thread(record)

    def _build_record(
        self,
        request: ImageRequest,
        response: ImageResponse,
        files: tuple[ImageFile, ...],
        description: ModelDescription,
        circumstances: Circumstances,
        hub_model: str,
    ) -> Record:
        """Return the record; `hub_model` is the Hub's name for the model of the Space, or empty."""
        requested_space, identity = self.target.requested, self.target.identity
        names: Mapping[str, Any] = {"model": description.model, "provider": description.provider}
        if description.stand_in is not None:
            identity, requested_space = f"local:{description.stand_in}", "local"
            names = {"provider": self.target.key_names[0], "model": STAND_IN}
        elif requested_space is not None:  # the provider's file describes only its own Space
            label, model = self.target.key_names
            asked = {"key_model": model, "key_provider": label}
            named = hub_model or f"{UNKNOWN} (Space {requested_space})"
            names = {"model": named, "provider": ANY_SPACE, **asked}
        elif self.target.provider.engine and description.model != self.target.model:
            names = {**names, "key_provider": self.target.key_names[0], "key_model": self.target.model}
        seed = None if request.randomize_seed or not description.seeded else request.seed
        return Record(
            prompt=request.prompt,
            **names,
            space=identity,
            seed=seed if response.seed is None else response.seed,
            steps=response.parameters.get("steps", request.steps),
            width=response.parameters.get("width", request.sent_width),
            height=response.parameters.get("height", request.sent_height),
            requested_prompt=request.as_typed,
            requested_model=self.target.asked or request.model,
            requested_space=requested_space,
            requested_seed=None if request.chosen or request.randomize_seed else request.seed,
            requested_width=request.width,
            requested_height=request.height,
            files=tuple(file.record for file in files),
            circumstances=circumstances,
            parameters=_pick_parameters(response, request) or request.sent_parameters,
            requested_parameters=request.parameters,
            requested_steps=request.steps,
            images=tuple(one.record for one in request.images),
            rewrites=_list_rewrites(response, description),
            requested_provider=self.target.engine,
            sent={} if description.stand_in is not None else sanitize(_pick_others(response, request)),
        )


def _list_lost(asked: ImageRequest, sent: ImageRequest) -> list[str]:
    """Return the names of what was asked for and is not sent."""
    lost = [name for name in FIELDS if getattr(asked, name) is not None and getattr(sent, name) is None]
    lost += ["seed"] if sent.chosen and not asked.chosen else []
    return [*lost, *(name for name in asked.parameters if name not in sent.parameters)]


async def keep(made: Generation, settings: Settings, limits: Limits) -> Generation:
    """Put the files into the store, if any, and return the generation; a failure is a note.

    If the disk takes long, it goes on while the image is shown.
    """
    store = open_store(settings)
    if store.folder is None:
        return made if settings.store is False else add_note(made, UNKEPT)
    putting = asyncio.ensure_future(asyncio.to_thread(_put, store, made))
    await asyncio.wait({putting}, timeout=limits.disk)
    if putting.done():
        return putting.result()
    _log.info("%s", SLOW)
    return add_note(made, SLOW)


def _pick_parameters(response: ImageResponse, request: ImageRequest) -> Values:
    """Return the parameters that a provider reports as sent, without those that a record cannot hold as they are."""
    kept = {name: value for name, value in response.parameters.items() if name not in FIELDS}
    asked = {*request.parameters, *EXTRA_NAMES}
    return Values(
        {name: value for name, value in kept.items() if name in asked or sanitize({name: value}) == {name: value}}
    )


def _pick_others(response: ImageResponse, request: ImageRequest) -> dict[str, object]:
    """Return what was sent besides, such as a Space's default that is too long or a path, which a record names."""
    fields = {*FIELDS, *_pick_parameters(response, request)}
    return {**response.sent, **{name: value for name, value in response.parameters.items() if name not in fields}}


def _list_rewrites(response: ImageResponse, description: ModelDescription) -> tuple[str, ...]:
    return tuple(name for name in description.rewrites if response.parameters.get(name) is True)


def _list_doubts(response: ImageResponse, files: tuple[ImageFile, ...], description: ModelDescription) -> list[str]:
    """Return why the images may not be what was asked for: the prompt was rewritten, or they are of one flat colour."""
    rewrites = _list_rewrites(response, description)
    doubts = [describe_rewrites(rewrites)] if rewrites else []
    if any(codecs.is_flat(file.data, file.record) for file in files):
        doubts.append("an image is of one flat colour: the Space may have refused the prompt, or failed")
    return doubts


_CIRCUMSTANCES = {one.name for one in fields(Circumstances)} - {"version", "decoder", "started", "seconds", "queued"}
"""The provider's facts about where an image was made."""


def _put(store: Store, made: Generation) -> Generation:
    begin = time.monotonic()
    try:
        stored = store.put(made.record, [file.data for file in made.files], made.request.images)
    except StoreError as error:
        _log.info("%s", error.message)
        return add_note(made, error.message)
    in_hand.hold(stored, [file.data for file in made.files])
    _log.info("kept as %s in %.2f s", stored.path.name, time.monotonic() - begin)
    return replace(made, files=tuple(file.move_to(path) for file, path in zip(made.files, stored.files, strict=True)))


@functools.cache
def _load() -> None:
    """Load the modules that a delivered image needs, as loading them takes longer than using them."""
    from ..images import metadata  # noqa: F401

    codecs.describe_decoder()
    get_version()


def add_note(made: Generation, note: str) -> Generation:
    """Return the generation with this note as well."""
    return replace(made, note="; ".join(filter(None, (made.note, note))))
