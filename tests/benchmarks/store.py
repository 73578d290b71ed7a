"""What the store costs and saves: a replayed image against a fresh one, many records, a notebook's size.

Medians are shown. A store is filled without waiting for the disk; what is written to be measured waits for it.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from unittest import mock

import nbformat
from PIL import Image

import flux_magic
from flux_magic.providers.local import LocalSpace
from flux_magic.records.record import compute_key
from flux_magic.records.store import Store
from flux_magic.results.generation import Generation
from tests.unit.samples import generation

ROUNDS = 15
SETTLED = 2.1
"""Seconds after which the store knows a folder's names, if no one has changed it."""

INLINE = (None, "png", "jpeg", "link")


def milliseconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median of some rounds."""
    samples = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        samples.append((time.perf_counter() - begin) * 1000)
    return statistics.median(samples)


def image(space: str, seed: int, *, fresh: bool = False) -> Generation:
    made = flux_magic.generate(
        "a red fox in the snow", seed=seed, steps=4, width=1024, height=1024, space=space, fresh=fresh, quiet=True
    )
    assert isinstance(made, Generation)
    return made


def replaying(space: str) -> None:
    first, second = image(space, 1), image(space, 1)
    assert (first.replayed, second.replayed) == (False, True)
    fresh, replayed = milliseconds(lambda: image(space, 1, fresh=True)), milliseconds(lambda: image(space, 1))
    shown = milliseconds(second.build_outputs)
    print(f"1024x1024 asked of the local Space  {fresh:8.1f} ms")
    print(f"          replayed                  {replayed:8.1f} ms, 1/{fresh / replayed:.0f} of that")
    print(f"          shown in the notebook     {shown:8.1f} ms more, in either case")


@contextmanager
def unwaiting() -> Iterator[None]:
    """Files are not waited for until they are on the disk."""
    with mock.patch.object(os, "fsync", return_value=None):
        yield


def filled(folder: Path, count: int) -> Store:
    """Return a store with this many records, all of one month."""
    made, store = generation(), Store(folder, None)
    with unwaiting():
        for number in range(count):
            store.put(replace(made.record, seed=number, prompt=f"a red fox, number {number}, in the snow"), [made.data])
    return store


def records(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder), count)
        made = generation()
        middle = replace(made.record, seed=count // 2, prompt=f"a red fox, number {count // 2}, in the snow")
        key = str(compute_key(middle))
        put = milliseconds(lambda: store.put(made.record, [made.data]), 50)
        after_a_write = milliseconds(lambda: store.find(key))
        time.sleep(SETTLED)
        assert store.find(key) is not None
        found, missing = milliseconds(lambda: store.find(key)), milliseconds(lambda: store.find("0" * 64))
        last = milliseconds(lambda: list(islice(store, 20)))
    print(f"{count:,} records")
    print(f"  write one                         {put:8.2f} ms, until it is on the disk")
    print(f"  find by its key                   {found:8.2f} ms; {missing:.2f} where it is not there;", end="")
    print(f" {after_a_write:.1f} after a write to the folder")
    print(f"  the last 20                       {last:8.2f} ms")


def photograph(seed: int) -> bytes:
    """Return a lossy WebP of noise at several scales, which takes about the space of a photograph."""
    picture = Image.new("L", (1024, 1024), 128)
    for scale in (4, 16, 64, 256, 1024):
        noise = Image.effect_noise((scale, scale), 60 + seed % 3).resize((1024, 1024), Image.Resampling.BICUBIC)
        picture = Image.blend(picture, noise, 0.5 if scale < 1024 else 0.08)
    out = io.BytesIO()
    Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(180))).save(out, "WEBP", quality=80)
    return out.getvalue()


def notebook_size(made: list[Generation], inline: str | None) -> float:
    """MB of a notebook with these images, each in a cell of its own."""
    cells = []
    for one in made:
        outputs = [
            nbformat.v4.new_output("display_data", output.data, metadata=output.metadata)
            for output in replace(one, inline=inline).build_outputs()
        ]
        cells.append(nbformat.v4.new_code_cell(one.command(), outputs=outputs))
    return len(nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()) / 1e6


def sizes(name: str, made: list[Generation]) -> None:
    told = ", ".join(f"{inline or 'by default'} {notebook_size(made, inline):.1f} MB" for inline in INLINE)
    delivered = sum(len(one.data) for one in made) / 1e6
    print(f"a notebook with {len(made)} {name} of 1024x1024: {told} (delivered: {delivered:.1f} MB)")


def main() -> None:
    running = LocalSpace()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"FLUX_MAGIC_STORE": folder, "FLUX_MAGIC_REPLAY": "auto"}
        space = asyncio.run(running.get_address())
        replaying(space)
        drawings = [image(space, seed, fresh=True) for seed in range(20)]
        running.close()
        sizes("drawings", drawings)
    sizes("lossy WebP such as a photograph", [generation(photograph(seed)) for seed in range(20)])
    for count in (1_000, 20_000):
        records(count)


if __name__ == "__main__":
    main()
