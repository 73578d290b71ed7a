"""The tutorials through each front end that runs here, with real pages: `python -m tests.frontends [NAME …]`.

Each leaves images in build/frontends, to be looked at by a person. What a program can see is an error: a broken image,
HTML as text, a widget that is not shown.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from . import executed, exported, served
from .room import LeftOut, Room, opened

FrontEnd = Callable[[Room], Awaitable[str]]
FRONT_ENDS: tuple[FrontEnd, ...] = (
    served.jupyterlab, served.notebook7, served.voila, served.terminal, served.no_anywidget,
    exported.html, exported.slides, exported.markdown, exported.latex, exported.github,
    executed.papermill,
)  # fmt: skip
PICTURES = Path("build/frontends").absolute()


async def looked_at(front_ends: list[FrontEnd]) -> bool:
    """Take the tutorials through these, and tell of each what was seen; returns whether all is well."""
    well = True
    with tempfile.TemporaryDirectory(prefix="frontends-") as folder:
        async with opened(PICTURES, Path(folder)) as room:
            for front_end in front_ends:
                name, begin = front_end.__name__, time.monotonic()
                try:
                    seen = await front_end(room)
                except LeftOut as reason:
                    seen = f"left out: {reason}"
                except Exception as error:  # noqa: BLE001 - the others are still to be looked at
                    well, seen = False, f"FAILED: {error}"
                seconds = time.monotonic() - begin
                kept = ", ".join(path.name for path in sorted(PICTURES.glob(f"{name}*.png")))
                print(f"{name:<13} {seconds:4.0f} s  {front_end.__doc__}\n{'':<21} {seen}\n{'':<21} {kept}", flush=True)
    return well


def main() -> int:
    known = {front_end.__name__: front_end for front_end in FRONT_ENDS}
    parser = argparse.ArgumentParser(prog="python -m tests.frontends", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)} (all)")
    names = parser.parse_args().names or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no {', '.join(unknown)}: choose of {', '.join(known)}")
    return 0 if asyncio.run(looked_at([known[name] for name in names])) else 1


if __name__ == "__main__":
    sys.exit(main())
