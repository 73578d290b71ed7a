"""What is measured inside a client's process: the work around the wire, the memory and the pauses of a long sweep."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from PIL import Image

from flux_magic.client.async_client import AsyncClient
from flux_magic.parameters.settings import Settings
from flux_magic.providers.gradio.provider import GradioProvider
from flux_magic.types import ImageRequest

TICK = 0.005
WARM = 20


async def around_the_wire(
    client: AsyncClient, request: ImageRequest, settings: Settings, folder: Path
) -> dict[str, float]:
    """Return seconds from the call to the first request, and from the last byte to the Generation; and the least of
    them.

    The least is what decoding, a sha256 of the pixels and one of the file, and writing the image and its record to the
    disk take here and now, one after the other, with nothing around them.
    """
    marks: dict[str, float] = {}
    stream, fetch = GradioProvider.stream, GradioProvider.fetch

    def streamed(self: GradioProvider, asked: ImageRequest, **options: Any) -> Any:
        marks["asked"] = time.perf_counter()
        return stream(self, asked, **options)

    async def fetched(self: GradioProvider, url: str) -> bytes:
        data = await fetch(self, url)
        marks["fetched"], marks["worked"] = time.perf_counter(), time.process_time()
        return data

    with mock.patch.object(GradioProvider, "stream", streamed), mock.patch.object(GradioProvider, "fetch", fetched):
        begin, worked = time.perf_counter(), time.process_time()
        made = await client.make(request, settings)
        end = time.perf_counter()
    return {
        "before": marks["asked"] - begin,
        "after": end - marks["fetched"],
        "cpu before decoding": marks["worked"] - worked,
        **least_work(made.data, json.dumps(made.record.as_dict()).encode(), folder),
    }


def least_work(data: bytes, record: bytes, folder: Path) -> dict[str, float]:
    """Return seconds for decoding, for the digests, and for writing."""
    begin = time.perf_counter()
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGBA")
    decoded = time.perf_counter()
    hashlib.sha256(picture.tobytes()).hexdigest()
    hashlib.sha256(data).hexdigest()
    digested = time.perf_counter()
    for name, content in (("least.webp", data), ("least.json", record)):
        write(folder / name, content)
    return {"decode": decoded - begin, "digest": digested - decoded, "write": time.perf_counter() - digested}


def write(path: Path, content: bytes) -> None:
    """As anyone who wants to find it whole after a loss of power has to."""
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


async def watched_sweep(make: Callable[[int, int], Awaitable[object]], count: int) -> dict[str, Any]:
    """Return `make` makes the images from one number to another; memory is looked at after the first few, and at the
    end.

    A pause is how much too late a task came that wanted to run every 5 ms.
    """
    pauses: list[float] = []

    async def ticking() -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            pauses.append(time.perf_counter() - due)

    await make(0, WARM)
    first = psutil.Process().memory_info().rss
    ticker, begin = asyncio.ensure_future(ticking()), time.perf_counter()
    await make(WARM, count)
    seconds = time.perf_counter() - begin
    ticker.cancel()
    pauses.sort()
    return {
        "seconds": seconds,
        "grown": psutil.Process().memory_info().rss - first,
        "pause 99": pauses[len(pauses) * 99 // 100],
        "pause longest": pauses[-1],
    }
