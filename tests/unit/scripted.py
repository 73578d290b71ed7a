"""A provider that does as a test says: the one place where something is faked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

import pytest

from flux_magic.client import async_client, job
from flux_magic.jupyter.panel import Panel
from flux_magic.providers.base import AsyncGeneratorProvider, AsyncResult, Messages, ProviderModelMixin
from flux_magic.providers.gradio import hub
from flux_magic.providers.http.connection import Connection
from flux_magic.types import Event, ImageRequest, ImageResponse, Running
from tests.support.limits import PATIENCE
from tests.unit.samples import encoded

ADDRESS = "http://127.0.0.1:1/file=fox.png"


def answer(*addresses: str, seed: int | None = None) -> ImageResponse:
    return ImageResponse(list(addresses or [ADDRESS]), "a fox", seed, {"model": "scripted-1"})


class Scripted(AsyncGeneratorProvider, ProviderModelMixin):
    """Each test makes a subclass with a script of its own.

    Attributes:
        script: what `stream` yields, waits for (a number of seconds) or raises.
        pictures: what `fetch` finds, by address.
        drawing: what `stand_in` answers.
        made: the instances, in order; each has the request it got and whether its stream was closed.
    """

    label = "Scripted"
    default_model = "scripted-1"
    model_aliases: ClassVar[dict[str, str]] = {"flux": default_model}
    url = "https://scripted.example"
    script: ClassVar[list[Event | Exception | float]] = []
    pictures: ClassVar[dict[str, bytes]] = {}
    drawing: ClassVar[str | None] = None
    made: ClassVar[list[Scripted]] = []

    def __init__(self, connection: Connection, url: str | None = None) -> None:
        self.connection, self.at = connection, url
        self.requests: list[ImageRequest] = []
        self.closed = False
        self.made.append(self)

    async def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        assert progress
        self.requests.append(request)
        try:
            for item in self.script:
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, int | float):
                    await asyncio.sleep(item)
                else:
                    yield item
        finally:
            self.closed = True

    async def fetch(self, url: str) -> bytes:
        return self.pictures[url]

    async def stand_in(self) -> str | None:
        return self.drawing

    @classmethod
    def create_async_generator(cls, model: str, messages: Messages, *args: Any, **kwargs: Any) -> AsyncResult:
        raise NotImplementedError


class Painter(Scripted):
    """Paints each request with its seed as the colour; some fail, by their seeds."""

    failing: ClassVar[dict[int, Exception]] = {}
    pause: ClassVar[float] = 0
    at_work: ClassVar[int] = 0
    most_at_work: ClassVar[int] = 0
    painted: ClassVar[list[int]] = []

    async def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        assert progress
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

    async def fetch(self, url: str) -> bytes:
        return encoded(colour=int(url.rpartition("?")[2]))


def close(*panels: Panel) -> None:
    """Close these, and wait for the threads on which they ask for bounds and read the store."""
    for panel in panels:
        panel.close()
    for thread in threading.enumerate():
        if thread.name == "flux_magic panel":
            thread.join(PATIENCE)


def installed(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    """A provider of a test's own, for every model: it answers at once with one picture."""

    class Mine(Scripted):
        script: ClassVar[list[Event | Exception | float]] = [answer()]
        pictures: ClassVar[dict[str, bytes]] = {ADDRESS: encoded()}
        made: ClassVar[list[Scripted]] = []

    for asker in (async_client, job):
        monkeypatch.setattr(asker, "get_provider", lambda _model: Mine)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")  # no test asks the Hub of the world
    monkeypatch.setattr(hub, "_answers", {})
    return Mine


def painting(monkeypatch: pytest.MonkeyPatch) -> type[Painter]:
    """A painter of a test's own, for every model."""
    installed(monkeypatch)

    class Mine(Painter):
        made: ClassVar[list[Scripted]] = []
        painted: ClassVar[list[int]] = []

    for asker in (async_client, job):
        monkeypatch.setattr(asker, "get_provider", lambda _model: Mine)
    return Mine
