"""A provider for workers of a cluster: it sleeps for as long as it is asked to, and paints its seed."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar

from PIL import Image

from flux_magic.errors import NotEnoughMemory
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.settings import Settings
from flux_magic.providers.base import ModelDescription, Provider, ProviderModelMixin
from flux_magic.providers.http.connection import Connection
from flux_magic.types import Event, ImageRequest, ImageResponse, Running


class Sleeper(ProviderModelMixin, Provider):
    """Images of one colour each: `seconds` of sleep in ten steps; processes named by `small` have too little memory."""

    label = "Sleeper"
    engine = "sleeper"
    default_model = "sleeper-1"
    at_work: ClassVar[list[int]] = []
    most_at_work: ClassVar[int] = 0
    _token: str | None = None

    @classmethod
    def names(cls) -> list[str]:
        return []

    @classmethod
    def get_model(cls, model: str) -> str:  # noqa: ARG003 - there is one
        return cls.default_model

    async def describe(self, model: str = "") -> ModelDescription:
        return ModelDescription(self.get_model(model), self.label)

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        self.at_work.append(request.seed or 0)
        Sleeper.most_at_work = max(Sleeper.most_at_work, len(self.at_work))
        try:
            for step in range(10):
                yield Running(step + 1, 10)
                await asyncio.sleep(request.parameters.get("seconds", 0) / 10)
        finally:
            self.at_work.remove(request.seed or 0)
        if str(os.getpid()) in str(request.parameters.get("small", "")).split():
            raise NotEnoughMemory("an image of 8x8 does not fit into the memory")
        yield ImageResponse([str(request.seed)], request.prompt, request.seed)

    async def fetch(self, file: str) -> bytes:
        seed, out = int(file), io.BytesIO()
        image = Image.new("RGB", (8, 8), (seed % 256, seed // 256 % 256, 99))
        image.putpixel((0, 0), (255, 255, 255))
        image.save(out, "PNG")
        return out.getvalue()

    @classmethod
    def open(cls, connection: Connection, space: Space | None, settings: Settings) -> Provider:
        opened = cls(connection, space)
        opened._token = settings.token
        return opened

    async def environment(self) -> Mapping[str, Any]:
        return {"details": {"process": str(os.getpid()), "token": "given" if self._token else "none"}}


class OnGpu(Sleeper):
    """The same as a pipeline: a worker with a GPU is given one batch at a time."""

    label = "OnGpu"
    is_on_gpu = True
