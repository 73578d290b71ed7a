"""Many images: some at once, none lost; and a thousand in a row, with what they cost in memory and pauses."""

from __future__ import annotations

from collections.abc import Iterator

from .heat import Told, fresh_space, racing, round_of
from .single import ratios
from .table import Row, count, row

NAMES = ("ours, the wire", "bare aiohttp", "ours")
COUNT, AT_ONCE, SIZE = 64, 8, 256
HEAT = 10
"""Batches between two restarts of Gradio."""

GROWN = 60.0
"""MB."""
PAUSE = 50.0
"""Milliseconds."""


def batches(compared: int, in_all: int) -> Iterator[Row]:
    """Yield some images at once, against a script that does the same; then as many batches as are to lose none."""
    rounds: list[dict[str, Told]] = []
    images, asked = 0, 0
    while asked < in_all:
        with fresh_space() as address, racing(NAMES, address) as racers:
            for number in range(asked, min(asked + HEAT, in_all)):
                taking_part = racers if number < compared else {"ours": racers["ours"]}
                told = round_of(taking_part, "batch", count=COUNT, at_once=AT_ONCE, size=SIZE, seed=1 + COUNT * number)
                images += told["ours"]["images"]
                if number < compared:
                    rounds.append(told)
        asked += HEAT
    lost = COUNT * in_all - images
    yield row("bare aiohttp", [told["bare aiohttp"]["seconds"] for told in rounds], "s")
    yield row("ours, the wire / bare aiohttp", ratios(rounds, "ours, the wire", "bare aiohttp"), target=1.0)
    yield row("ours, decoded and kept / bare aiohttp", ratios(rounds, "ours", "bare aiohttp"))
    for name in NAMES:
        worked = [told[name]["cpu"] / COUNT * 1000 for told in rounds]
        yield row(f"processor time of an image, {name}", worked, "ms")
    yield count(f"images lost of {COUNT * in_all:,}", lost, target=0)


def sweep(images: int) -> Iterator[Row]:
    """Yield a long sweep, with a store."""
    with fresh_space() as address, racing(["ours"], address) as racers:
        told = racers["ours"].ask("sweep", count=images, at_once=AT_ONCE)
    yield count(f"{images:,} images", told["seconds"], "s")
    yield count("memory grown since the 20th", told["grown"] / 1e6, "MB", GROWN)
    yield count("pauses of the loop, 99th percentile", told["pause 99"] * 1000, "ms", PAUSE)
    yield count("pauses of the loop, the longest", told["pause longest"] * 1000, "ms")
