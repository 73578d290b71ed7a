"""A provider that does as a test says: the one place where something is faked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from flux_magic.jupyter.panel import Panel
from flux_magic.parameters.addresses import Space
from flux_magic.providers.base import ModelDescription, Provider, ProviderModelMixin
from flux_magic.providers.gradio import hub
from flux_magic.providers.http.connection import Connection
from flux_magic.types import Event, ImageRequest, ImageResponse, Running
from tests.support.limits import PATIENCE
from tests.unit.samples import encoded

ADDRESS = "http://127.0.0.1:1/file=fox.png"


def answer(*addresses: str, seed: int | None = None) -> ImageResponse:
    return ImageResponse(list(addresses or [ADDRESS]), "a fox", seed, {"model": "scripted-1"})


class Scripted(ProviderModelMixin, Provider):
    """Each test makes a subclass with a script of its own.

    Attributes:
        script: what `stream` yields, waits for (a number of seconds, or until an event is set) or raises.
        images: what `fetch` finds, by address.
        drawing: of the stand-in that it describes itself as.
        sent: what went along with each request.
        made: the instances, in order; each has the request it got and whether its stream was closed.
    """

    label = "Scripted"
    defaults: ClassVar[dict[str, int]] = {"steps": 2, "width": 768, "height": 768}
    default_model = "scripted-1"
    model_aliases: ClassVar[dict[str, str]] = dict.fromkeys(
        ("flux", "flux-schnell", "black-forest-labs-flux-1-schnell"), default_model
    )
    url = "https://scripted.example"
    space: ClassVar[str] = ""
    script: ClassVar[list[Event | Exception | float | threading.Event]] = []
    pictures: ClassVar[dict[str, bytes]] = {}
    drawing: ClassVar[str | None] = None
    sent: ClassVar[Mapping[str, object]] = {}
    made: ClassVar[list[Scripted]] = []

    def __init__(self, connection: Connection, space: Space | None = None) -> None:
        super().__init__(connection, space)
        self.connection, self.place = connection, space
        self.at = space.url if space else None
        self.requests: list[ImageRequest] = []
        self.closed = False
        self.made.append(self)

    @classmethod
    def own_space(cls) -> str:
        return cls.space or cls.url

    @classmethod
    def get_model(cls, model: str) -> str:  # noqa: ARG003 - for every model
        return cls.default_model

    async def describe(self, model: str = "") -> ModelDescription:
        return ModelDescription(self.get_model(model), self.label, stand_in=self.drawing)

    async def environment(self) -> Mapping[str, str]:
        info = await hub.look_up(self.connection, self.place or Space.parse(self.url))
        return {"space_commit": info.commit, "model": info.model} if info.commit or info.model else {}

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        try:
            for item in self.script:
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, threading.Event):
                    while not item.is_set():  # noqa: ASYNC110 - another thread sets it
                        await asyncio.sleep(0.01)
                elif isinstance(item, int | float):
                    await asyncio.sleep(item)
                else:
                    yield replace(item, sent=self.sent) if isinstance(item, ImageResponse) else item
        finally:
            self.closed = True

    async def fetch(self, file: str) -> bytes:
        return self.pictures[file]


class Painter(Scripted):
    """Paints each request with its seed as the colour; some fail, by their seeds."""

    failing: ClassVar[dict[int, Exception]] = {}
    pause: ClassVar[float] = 0
    at_work: ClassVar[int] = 0
    most_at_work: ClassVar[int] = 0
    painted: ClassVar[list[int]] = []

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        kind = type(self)
        kind.at_work += 1
        kind.most_at_work = max(kind.at_work, kind.most_at_work)
        try:
            yield Running(1, 4)
            await asyncio.sleep(self.pause)
            if error := self.failing.get(request.seed):
                raise error
            self.painted.append(request.seed)
            yield answer(f"{ADDRESS}?{request.seed}", seed=request.seed)
        finally:
            kind.at_work -= 1

    async def fetch(self, file: str) -> bytes:
        return encoded(colour=int(file.rpartition("?")[2]))


def until(condition: Callable[[], object]) -> None:
    """Wait until another thread has brought something about; a test names the last of its effects."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def close(*panels: Panel) -> None:
    """Close these, and wait for their threads."""
    for panel in panels:
        panel.close()
    settle()


def settle() -> None:
    """Wait for the threads on which panels ask for descriptions and read the store."""
    for thread in threading.enumerate():
        if thread.name == "flux_magic panel":
            thread.join(PATIENCE)


def installed(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    """Return a provider of a test's own, for every model: it answers at once with one image."""

    class Mine(Scripted):
        script: ClassVar[list[Event | Exception | float | threading.Event]] = [answer()]
        pictures: ClassVar[dict[str, bytes]] = {ADDRESS: encoded()}
        made: ClassVar[list[Scripted]] = []

    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (Mine,))
    monkeypatch.setattr("flux_magic.providers.registry.AnySpace", Mine)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")  # no test asks the Hub of the world
    monkeypatch.setattr(hub, "_answers", {})
    return Mine


def painting(monkeypatch: pytest.MonkeyPatch) -> type[Painter]:
    """Return a painter of a test's own, for every model."""
    installed(monkeypatch)

    class Mine(Painter):
        made: ClassVar[list[Scripted]] = []
        painted: ClassVar[list[int]] = []

    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (Mine,))
    monkeypatch.setattr("flux_magic.providers.registry.AnySpace", Mine)
    return Mine
