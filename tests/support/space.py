"""A real local Space, and the ways in which tests ask it for images."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.providers import BlackForestLabs_Flux1Schnell, GradioProvider, local
from flux_magic.providers.base import Limits, limit_events
from flux_magic.providers.http.connection import open_connection
from flux_magic.providers.local import LocalSpace
from flux_magic.results.generation import Generation
from flux_magic.types import Event, ImageRequest
from tests.support.limits import PATIENCE, PROGRAM

PYTHON = os.environ.get("FLUX_MAGIC_SPACE_PYTHON", sys.executable)
"""The interpreter that runs the Spaces: another one may have another Gradio."""

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], patience: float = PATIENCE) -> T:
    """Run to the end on a loop of its own, and see that no task, socket or session is left."""

    async def watch() -> T:
        result = await asyncio.wait_for(work, patience)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    try:
        return asyncio.run(watch())
    finally:
        gc.collect()  # what was left open warns now, and a warning is an error


@contextmanager
def run_space(*arguments: str, app: Path | None = None, python: str = PYTHON) -> Iterator[str]:
    """Provide the address of a Space of its own: the bundled one, or another app that starts and ends as it does."""
    with pytest.MonkeyPatch.context() as patch:
        if app is not None:
            patch.setattr(local, "APP", app)
        space = LocalSpace(python=python, arguments=arguments, patience=PROGRAM)
    try:
        yield asyncio.run(space.get_address())
    finally:
        space.close()


def move_provider(address: str) -> type[BlackForestLabs_Flux1Schnell]:
    """Return the provider, moved to `address` in the way that its users do."""

    class Moved(BlackForestLabs_Flux1Schnell):
        url = address

    return Moved


def make_request(prompt: str = "a red fox", **changes: Any) -> ImageRequest:
    """Return a small job."""
    return ImageRequest(prompt, **{"width": 256, "height": 256, "steps": 2, "seed": 42, **changes})


def hasten_limits(limits: Limits | None) -> Limits:
    """Return the limits, or the usual ones, with hardly a wait between tries: a test waits for no Space."""
    return replace(limits or Limits(), backoff=0.01, wake=0.2)


async def collect_events(
    provider: type[GradioProvider],
    asked: ImageRequest | None = None,
    *,
    progress: bool = True,
    limits: Limits | None = None,
    seen: Callable[[Event], object] = lambda _event: None,
) -> list[Event]:
    """Return what `provider.stream` yields for a small job, or for `asked`; each event is shown to `seen` as it
    comes.
    """
    collected = []
    async with open_connection(limits=hasten_limits(limits)) as connection:
        stream = provider(connection).stream(asked or make_request(), progress=progress)
        async with aclosing(limit_events(stream, connection.limits)) as coming:
            async for event in coming:
                seen(event)
                collected.append(event)
    return collected


async def make_image(space: str, prompt: str = "a red fox", **options: Any) -> Generation:
    """Return one small image by a client of its own."""
    small = {"width": 256, "height": 256, "seed": 42}
    made = await AsyncClient(space=space).generate(prompt, **{**small, **options})
    assert isinstance(made, Generation)
    return made


def make_digest(space: str, prompt: str = "a red fox", **options: Any) -> str:
    """Return the digest of one small image."""
    return run(make_image(space, prompt, **options)).digest
