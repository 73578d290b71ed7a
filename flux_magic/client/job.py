"""One request on its way: replayed from the store, or asked of a Space, fetched, recorded and kept."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ..errors import ConnectionFailed, EmptyResult, FluxError, NotInStore, ProtocolError, StoreError
from ..images import codecs
from ..parameters.addresses import Space
from ..parameters.settings import Settings, shared_folders
from ..providers import get_provider, local
from ..providers.base import AsyncGeneratorProvider, Limits
from ..providers.gradio import hub
from ..providers.http.connection import Connection, Session
from ..providers.http.hosts import is_loopback
from ..records import in_hand
from ..records.record import our_version, replay_key
from ..records.sent import sanitize
from ..records.store import SLOW, UNKEPT, Store, Stored, store_of
from ..results.generation import ClientEvent, Generation, ImageFile, replay
from ..types import (
    ANY_SPACE,
    STAND_IN,
    UNKNOWN,
    Circumstances,
    ImageRequest,
    ImageResponse,
    Queued,
    Record,
    Running,
    Waiting,
)
from .target import address_of, connection_for, identity_of, is_local, why_unasked


@dataclass(slots=True)
class _Clock:
    """When a job was sent, and how long it stood in the queue."""

    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    begin: float = field(default_factory=time.monotonic)
    queued_at: float | None = None
    queued: float | None = None

    def see(self, event: ClientEvent | ImageResponse) -> None:
        if isinstance(event, Queued) and self.queued_at is None:
            self.queued_at = time.monotonic()
        elif isinstance(event, Running) and self.queued is None and self.queued_at is not None:
            self.queued = round(time.monotonic() - self.queued_at, 3)

    def told(self) -> Circumstances:
        """What it shows when the last byte has come."""
        seconds = round(time.monotonic() - self.begin, 3)
        return Circumstances(started=self.started.isoformat(timespec="seconds"), seconds=seconds, queued=self.queued)


@dataclass(frozen=True, slots=True)
class Job:
    """One request, and what becomes of it."""

    request: ImageRequest
    settings: Settings
    session: Session
    limits: Limits
    skipped: list[str] = field(default_factory=list)
    """What was found in the store in place of the image, and is damaged: a line each."""

    async def events(self) -> AsyncGenerator[ClientEvent, None]:
        """What happens on the way; the last is the Generation. Raises as `AsyncClient.generate` does."""
        if replayed := await self._replayed():
            yield replayed
            return
        if self._unasked:
            raise self._not_in_store()
        asked = self._asked_of_local() if is_local(self.settings) else self._asked(await address_of(self.settings))
        async with aclosing(asked) as events:
            async for event in events:
                yield event

    async def _asked_of_local(self) -> AsyncGenerator[ClientEvent, None]:
        for last_try in (False, True):
            if not local.shared.running:
                yield Waiting("starting the local Space")
            try:
                async with aclosing(self._asked(await address_of(self.settings))) as events:
                    async for event in events:
                        yield event
                return
            except (ConnectionFailed, ProtocolError):
                # The seed is ours: if the Space died, the same job on a new one makes the same image.
                if last_try or not await local.shared.ended():
                    raise

    async def _asked(self, url: str | None) -> AsyncGenerator[ClientEvent, None]:
        kind = get_provider(self.request.model)
        provider = kind(connection_for(kind, url, self.settings, self.session, self.limits), url)
        if replayed := await self._replayed_of(provider):
            yield replayed
            return
        clock, response, ready = _Clock(), None, bool(_load.cache_info().currsize)
        async with aclosing(provider.stream(self.request)) as events:
            async for event in events:
                clock.see(event)
                if not ready and isinstance(event, Queued | Running):
                    asyncio.get_running_loop().run_in_executor(None, _load)  # while the Space is at work
                    ready = True
                if isinstance(event, ImageResponse):
                    response = event
                else:
                    yield event
        if response is None:
            raise EmptyResult("the Space finished, but sent no image")
        fetched = await self._fetched(provider, response.images)
        to_the_hub = Connection(self.session, proxy=self.settings.proxy, limits=self.limits, space=hub.address())
        info = await hub.look_up(to_the_hub, Space.parse(self.settings.space or provider.own_space()))
        around: dict[str, Any] = dict(await provider.circumstances())
        if info.commit:
            around["space_commit"] = info.commit
        circumstances = replace(clock.told(), **around)
        drawing = await provider.stand_in()

        def made() -> Generation:
            files = tuple(ImageFile(codecs.describe(data), data, address) for data, address in fetched)
            decoder = codecs.decoder(*(file.media_type for file in files))
            known = replace(circumstances, version=our_version(), decoder=decoder)
            made = self._made(self._record(provider, response, files, drawing, known, info.model), files)
            return _noted(made, self._left_out(len(fetched), len(response.images)))

        # Decoding is the processor's work, and writing the disk's: both are a thread's.
        yield await self._kept(await asyncio.to_thread(made))

    async def _fetched(self, provider: AsyncGeneratorProvider, addresses: list[str]) -> list[tuple[bytes, str]]:
        """Return the files of an answer, each with its address: no more than the limits allow, and at least one."""
        fetched: list[tuple[bytes, str]] = []
        room = self.limits.sum
        for address in addresses[: self.limits.files]:
            data = await provider.fetch(address)
            room -= len(data)
            if fetched and room < 0:
                break
            fetched.append((data, address))
        return fetched

    def _left_out(self, kept: int, sent: int) -> str:
        """Return what a person should know of files that were not fetched; empty if there are none."""
        if kept == sent:
            return ""
        most = f"{self.limits.files} files and {self.limits.sum // 2**20} MiB"
        return f"the Space sent {sent:,} files, of which the first {kept} are kept: at most {most} of an answer are"

    def _record(
        self,
        provider: AsyncGeneratorProvider,
        response: ImageResponse,
        files: tuple[ImageFile, ...],
        drawing: str | None,
        circumstances: Circumstances,
        hub_model: str,
    ) -> Record:
        """Return the record; `hub_model` is the Hub's name for the model of the Space, or empty."""
        identity, requested_space = identity_of(provider, self.settings.space, drawing)
        request, asked = self.request, str(response.options["model"])
        names: dict[str, Any] = {"model": STAND_IN if drawing else asked, "provider": provider.label}
        if requested_space is not None and not drawing:  # the provider's file speaks of its own Space alone
            names = {"model": hub_model or f"{UNKNOWN} (Space {requested_space})", "provider": ANY_SPACE}
            names |= {"key_model": asked, "key_provider": provider.label}
        seed = None if request.randomize_seed or not provider.seeded else request.seed
        return Record(
            prompt=request.prompt,
            **names,
            space=identity,
            seed=seed if response.seed is None else response.seed,
            steps=request.steps,
            width=request.sent_width,
            height=request.sent_height,
            requested_prompt=request.as_typed,
            requested_model=request.model,
            requested_space=requested_space,
            requested_seed=None if request.chosen or request.randomize_seed else request.seed,
            requested_width=request.width,
            requested_height=request.height,
            files=tuple(file.record for file in files),
            circumstances=circumstances,
            parameters=request.sent_parameters,
            requested_parameters=request.parameters,
            sent={} if drawing else sanitize(provider.sent()),
        )

    def _made(self, record: Record, files: tuple[ImageFile, ...]) -> Generation:
        notes, metadata, strip = "; ".join(self.skipped), self.settings.metadata, self.settings.strip_credentials
        inline = self.settings.inline
        return Generation(self.request, record, files, inline, metadata=metadata, note=notes, strip_credentials=strip)

    async def _kept(self, made: Generation) -> Generation:
        """The generation with its files in the store, where there is one; what cannot be kept is not lost.

        A disk that takes long goes on with it while the image is shown.
        """
        store = store_of(self.settings)
        if store.folder is None:
            return made if self.settings.store is False else _noted(made, UNKEPT)
        putting = asyncio.ensure_future(asyncio.to_thread(_put, store, made))
        await asyncio.wait({putting}, timeout=self.limits.disk)
        return putting.result() if putting.done() else _noted(made, SLOW)

    async def _replayed(self) -> Generation | None:
        """The stored generation of a Space whose identity is known without asking it."""
        for identity in self._identities():
            if found := await self._found(identity):
                return found
        return None

    async def _replayed_of(self, provider: AsyncGeneratorProvider) -> Generation | None:
        """The stored generation, where the Space that runs on this machine turns out to be a stand-in."""
        space = Space.parse(self.settings.space) if self.settings.space else None
        if space is None or not self._may_replay or not is_loopback(space.host):
            return None
        try:
            drawing = await provider.stand_in()
        except FluxError:  # the job meets it again, and tells it better
            return None
        return await self._found(f"local:{drawing}") if drawing else None

    @property
    def _unasked(self) -> str:
        """Why the Space is not asked; empty if it may be."""
        return why_unasked(get_provider(self.request.model), self.settings)

    @property
    def _may_replay(self) -> bool:
        wanted = self.settings.replay != "off" or self._unasked
        return bool(wanted) and not self.request.chosen and not self.request.randomize_seed

    def _identities(self) -> list[str]:
        if not self._may_replay:
            return []
        if is_local(self.settings):
            return [f"local:{local.drawing()}"]
        provider = get_provider(self.request.model)
        identity, _ = identity_of(provider, self.settings.space, None)
        space = Space.parse(self.settings.space or provider.own_space())
        if self._unasked and is_loopback(space.host):
            return [identity, f"local:{local.drawing()}"]  # no one is asked whether it is a stand-in
        return [identity]

    async def _found(self, identity: str) -> Generation | None:
        provider, request = get_provider(self.request.model), self.request
        key = replay_key(
            provider=provider.label,
            model=STAND_IN if identity.startswith("local:") else provider.get_model(request.model),
            space=identity,
            prompt=request.prompt,
            seed=request.seed,
            steps=request.steps,
            width=request.sent_width,
            height=request.sent_height,
            parameters=request.sent_parameters,
        )
        store = store_of(self.settings)
        stored = await asyncio.to_thread(store.find, key)
        self.skipped.extend(line for line in store.skipped if line not in self.skipped)
        return None if stored is None else self._again(stored)

    def _again(self, stored: Stored) -> Generation:
        """A stored generation as the answer to this request: what was asked for is this request's."""
        request = self.request
        record = replace(
            stored.record,
            requested_prompt=request.as_typed,
            requested_model=request.model,
            requested_seed=request.seed,
            requested_width=request.width,
            requested_height=request.height,
            requested_parameters=request.parameters,
        )
        return replay(request, Stored(record, stored.path), self.settings, "; ".join(self.skipped))

    def _not_in_store(self) -> NotInStore:
        request, why = self.request, self._unasked
        space = Space.parse(self.settings.space or get_provider(request.model).own_space()).name
        what = f"{request.prompt[:60]!r}, seed {request.seed}, {request.steps} steps, {request.width}x{request.height}"
        of_the_hub = why.startswith("HF_")
        unasked = f"with {why} no Space{' of the Hub' if of_the_hub else ''} is asked"
        give = f"Unset {why.partition('=')[0]} to ask it, or give" if of_the_hub else "Give"
        if not self._may_replay:
            return NotInStore(
                f"{request.prompt[:60]!r} has no seed, and {unasked}",
                f"{give} the seed of an image that is in flux_images or in the store.",
            )
        others, hint = "", "Run the cell where there is a network, then: flux-magic export NOTEBOOK"
        if shared_folders(self.settings):
            others, hint = (
                " in the shared store, nor",
                "Are the Space, the steps and the size those of whoever made it?",
            )
        if of_the_hub:
            hint = f"{give} --space local, which needs no network."
        return NotInStore(
            f"not in flux_images, nor{others} in the store, and {unasked}: {what}, {space}",
            "; ".join(self.skipped) or hint,
        )


def _put(store: Store, made: Generation) -> Generation:
    try:
        stored = store.put(made.record, [file.data for file in made.files])
        in_hand.hold(dict(zip(stored.files, (file.data for file in made.files), strict=True)))
    except StoreError as error:
        return _noted(made, error.message)
    return replace(made, files=tuple(file.at(path) for file, path in zip(made.files, stored.files, strict=True)))


def _noted(made: Generation, note: str) -> Generation:
    return replace(made, note="; ".join(filter(None, (made.note, note))))


@functools.cache
def _load() -> None:
    """Load what an image needs once it is there: it takes longer than all that is done with it."""
    from ..images import metadata  # noqa: F401

    codecs.decoder()
    our_version()
