"""Five requests to the public Space through the whole stack, for someone who is online.

What was seen is printed, and kept with the images under build/live: no address of yours, no proxy, no secret.
`--space` asks another Space instead, for trying this out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import flux_magic
from flux_magic.client.async_client import AsyncClient
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.settings import resolve
from flux_magic.providers import BlackForestLabs_Flux1Schnell
from flux_magic.results.generation import Generation
from flux_magic.sweeps.requests import plan

PROMPT = "a red fox in the morning mist"
Seen = dict[str, Any]


class Live:
    """The requests, by what they try."""

    def __init__(self, space: str | None, folder: Path) -> None:
        self.space = space
        self.folder = folder

    async def defaults(self) -> Seen:
        """An image with nothing said but the prompt."""
        return await self._made()

    async def seed(self) -> Seen:
        """A seed, and more steps."""
        return await self._made(seed=42, steps=4)

    async def seed_again(self) -> Seen:
        """The same again: is the digest the same?"""
        return await self._made(seed=42, steps=4)

    async def size(self) -> Seen:
        """Another size."""
        return await self._made(seed=7, width=1024, height=576)

    async def provider(self) -> Seen:
        """The provider by itself, its seed chosen by the Space."""

        class Provider(BlackForestLabs_Flux1Schnell):
            url = (Space.parse(self.space).url if self.space else None) or BlackForestLabs_Flux1Schnell.url

        generator = await Provider.create_async_generator("flux", [], prompt=PROMPT)
        response = await generator.__anext__()
        return {"images": len(response.images), "seed": response.seed}

    async def _made(self, **options: Any) -> Seen:
        settings = resolve(space=self.space, **options)
        events: list[str] = []
        async with aclosing(AsyncClient().stream(plan(PROMPT, settings)[0], settings)) as stream:
            async for event in stream:
                if isinstance(event, Generation):
                    event.save(f"{self.folder}/images/", overwrite=True)
                    return {"events": events, "record": event.record.as_dict()}
                events.append(str(event))
        return {"events": events}


async def seen(request: Callable[[], Awaitable[Seen]]) -> Seen:
    """What one request gave, or the error that it met, with the seconds that it took."""
    begin = time.monotonic()
    try:
        found = {"ok": True, **await request()}
    except flux_magic.FluxError as error:
        found = {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return found | {"seconds": round(time.monotonic() - begin, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", help="another Space than the public one")
    parser.add_argument("--folder", default=Path("build/live"), type=Path, help="where it is kept (%(default)s)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    live = Live(options.space, options.folder)
    report: Seen = {"python": platform.python_version(), "flux_magic": flux_magic.__version__, "requests": {}}
    for request in (live.defaults, live.seed, live.seed_again, live.size, live.provider):
        found = asyncio.run(seen(request))
        report["requests"][request.__name__] = found
        print(f"{request.__name__:<12} {found['seconds']:>6} s  {'ok' if found['ok'] else found['error']}")
    path = options.folder / "report.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False))
    print(f"kept: {path}")
    return 0 if all(found["ok"] for found in report["requests"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
