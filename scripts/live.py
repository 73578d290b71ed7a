"""Five requests to the public Space through the whole stack, and one to each other model, for someone online.

What was seen is printed, and kept with the images under build/live: no address of yours, no proxy, no secret.
`--space` asks another Space instead, for trying this out; `--model` asks these models alone, once each.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

import flux_magic
from flux_magic.client.async_client import AsyncClient
from flux_magic.images import codecs
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.settings import resolve
from flux_magic.providers import BlackForestLabs_Flux1Schnell, get_provider
from flux_magic.providers.http.connection import open_connection
from flux_magic.results.generation import Generation
from flux_magic.sweeps.requests import build_requests
from flux_magic.types import InputImage, InputRecord

PROMPT = "a red fox in the morning mist"
Seen = dict[str, Any]


class Live:
    """The requests, by what they test."""

    def __init__(self, space: str | None, folder: Path) -> None:
        self.space = space
        self.folder = folder

    async def try_defaults(self) -> Seen:
        """Request an image with nothing but the prompt."""
        return await self._run_all()

    async def try_seed(self) -> Seen:
        """Request a seed, and more steps."""
        return await self._run_all(seed=42, steps=4)

    async def try_seed_again(self) -> Seen:
        """Request the same again: is the digest the same?"""
        return await self._run_all(seed=42, steps=4)

    async def try_size(self) -> Seen:
        """Request another size."""
        return await self._run_all(seed=7, width=1024, height=576)

    async def try_provider(self) -> Seen:
        """Use the provider by itself; the Space chooses the seed."""

        class Provider(BlackForestLabs_Flux1Schnell):
            url = (Space.parse(self.space).url if self.space else None) or BlackForestLabs_Flux1Schnell.url

        generator = await Provider.create_async_generator("flux", [], prompt=PROMPT)
        response = await generator.__anext__()
        return {"images": len(response.images), "seed": response.seed}

    async def try_model(self, name: str) -> Seen:
        """Request an image of a model with nothing but the prompt, and an image if it takes none without."""
        provider = get_provider(name)
        async with open_connection(space=provider.url) as connection:
            description = await provider(connection).describe(name)
        images = (_make_input(),) if description.needs_image else ()
        takes = [row.own_name for row in description.parameters]
        return {"takes": takes} | await self._run_all(images, model=name)

    async def _run_all(self, images: tuple[InputImage, ...] = (), **options: Any) -> Seen:
        settings = resolve(space=self.space, **options)
        events: list[str] = []
        request = replace(build_requests(PROMPT, settings)[0], images=images)
        async with aclosing(AsyncClient().stream(request, settings)) as stream:
            async for event in stream:
                if isinstance(event, Generation):
                    event.save(f"{self.folder}/images/", overwrite=True)
                    return {"events": events, "record": event.record.as_dict()}
                events.append(str(event))
        return {"events": events}


def _make_input() -> InputImage:
    """Return an image that goes in: a horizon."""
    out = io.BytesIO()
    picture = Image.new("RGB", (768, 768), "skyblue")
    picture.paste("seagreen", (0, 480, 768, 768))
    picture.save(out, "PNG")
    known = codecs.describe(out.getvalue())
    record = InputRecord("image", known.media_type, known.width, known.height, known.digest, known.sha256)
    return InputImage(record, out.getvalue())


def _show(name: str, found: Seen) -> None:
    """Print a line of the table: the model or the request, the seconds, and what came or why nothing did."""
    run = found.get("record", {}).get("run", {})
    size = f"{run.get('width')}x{run.get('height')}, {run.get('steps')} steps, seed {run.get('seed')}" if run else ""
    print(f"{name:<42} {found['seconds']:>7} s  {f'ok  {size}' if found['ok'] else found['error'].splitlines()[0]}")


async def observe(request: Callable[[], Awaitable[Seen]]) -> Seen:
    """Return the result of one request, or its error, and the seconds that it took."""
    begin = time.monotonic()
    try:
        found = {"ok": True, **await request()}
    except flux_magic.FluxError as error:
        found = {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return found | {"seconds": round(time.monotonic() - begin, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", help="another Space than the public one")
    parser.add_argument("--model", action="append", help="this model alone; several times")
    parser.add_argument("--folder", default=Path("build/live"), type=Path, help="where it is kept (%(default)s)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    live = Live(options.space, options.folder)
    report: Seen = {"python": platform.python_version(), "flux_magic": flux_magic.__version__, "requests": {}}
    own = (live.try_defaults, live.try_seed, live.try_seed_again, live.try_size, live.try_provider)
    others = [] if options.space else [one.name for one in flux_magic.list_models()[1:] if one.space]
    requests: list[tuple[str, Callable[[], Awaitable[Seen]]]] = [
        *((one.__name__.removeprefix("try_"), one) for one in own if not options.model),
        *((name, partial(live.try_model, name)) for name in options.model or others),
    ]
    for name, request in requests:
        found = report["requests"][name] = asyncio.run(observe(request))
        _show(name, found)
    path = options.folder / "report.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False))
    print(f"kept: {path}")
    return 0 if all(found["ok"] for found in report["requests"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
