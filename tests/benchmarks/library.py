"""What a search and a page of the library take at 1,000, 20,000 and 100,000 records, beside a walk through all of them.

The records are real ones, over twelve months, with prompts of 50 to 300 characters, a tenth of them in Chinese; their
images are links to a few files of 1024×1024. Medians are shown, by the clock and of the processor. What is measured
includes the check for changes. The gallery is opened in a real kernel: until it is on the page, until its first 50
thumbnails are sent, and until all records were read.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from unittest import mock

from PIL import Image

from flux_magic.images import codecs
from flux_magic.jupyter.gallery.gallery import PAGE
from flux_magic.jupyter.gallery.grid import BATCH
from flux_magic.parameters.settings import Settings
from flux_magic.records import index
from flux_magic.records.query import Query
from flux_magic.records.sidecar import format_record
from flux_magic.records.store import Store, get_export_path
from flux_magic.results.generation import Generation
from flux_magic.results.library import Library, open_library
from tests.support.kernel import run_kernel
from tests.support.limits import PATIENCE
from tests.unit.samples import generation, record

WORDS = """
red green blue quiet ancient misty glowing wooden silver paper fox owl castle river harbour lantern forest city robot
portrait landscape winter summer snow rain night morning light shadow soft detailed cinematic watercolour oil painting
photograph macro lens bokeh depth field symmetrical garden bridge market mountain ocean whale train
""".split()  # noqa: SIM905 - a list of these would be 50 lines
SIGNS = "一只红色的狐狸在雪地里山水城市夜晚灯光古老森林图书馆月亮星空河流桥梁花园"
MODELS = ("black-forest-labs-flux-1-schnell", "black-forest-labs-flux-1-dev", "qwen-image")
BEGIN = datetime(2025, 12, 1, tzinfo=timezone.utc)
LINKS = 30_000
"""Links to one file: a file system has a limit."""


def write_prompt(draw: random.Random, number: int) -> str:
    if number % 10 == 0:
        return "".join(draw.choices(SIGNS, k=draw.randint(8, 40))) + str(number)
    return f"a {' '.join(draw.choices(WORDS, k=draw.randint(8, 40)))}, number {number}"


def paint() -> bytes:
    """Return an image that takes as long to decode as one of a model."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).resize((1024, 1024), Image.Resampling.BICUBIC).convert("RGB").save(buffer, "WEBP")
    return buffer.getvalue()


def fill(folder: Path, count: int, months: int) -> None:
    draw, data = random.Random(count), paint()
    file = codecs.describe(data)
    for number in range(count):
        at = BEGIN + timedelta(days=30 * months) * (number / count)
        one = record(
            prompt=write_prompt(draw, number),
            seed=number,
            steps=draw.choice([4, 20, 28]),
            model=draw.choice(MODELS),
            started=at.isoformat(),
            files=(replace(file, digest=f"{number:064x}"),),
            parameters={"guidance": draw.choice([1.0, 3.5, 7.0])} if number % 2 else {},
        )
        part = folder / (f"{at:%Y-%m}" if months > 1 else f"{BEGIN:%Y-%m}")
        part.mkdir(parents=True, exist_ok=True)
        path = part / f"{at:%d-%H%M%S.%f}-{get_export_path(part, one).name}"
        path.write_text(format_record(one), "utf-8")
        first = folder.parent / f"{number // LINKS}.webp"
        if number % LINKS == 0:
            first.write_bytes(data)
        os.link(first, path.with_suffix(".webp"))


def time_it(work: Callable[[], object], rounds: int = 9) -> str:
    """Return the medians of some rounds: by the clock, and of the processor, which others may be using as well."""
    samples = []
    for _ in range(rounds):
        begin, busy = time.perf_counter(), time.process_time()
        work()
        samples.append((time.perf_counter() - begin, time.process_time() - busy))
    return " of ".join(f"{statistics.median(found) * 1000:7.1f} ms" for found in zip(*samples, strict=True))


def walk(folder: Path, words: str) -> int:
    """Read every record, as a search does without an index."""
    wanted = words.split()
    return sum(all(word in one.record.prompt.casefold() for word in wanted) for one in Store(folder, None))


QUERIES = {
    "the newest 50": Query(),
    "a frequent word": Query("fox"),
    "three words": Query("fox owl bridge"),
    "a rare word": Query("number 777"),
    "a word that no prompt has": Query("zebra"),
    "two signs of Chinese": Query("狐狸"),
    "two characters of no prompt": Query("qz"),
    "a word and a model": Query("fox", model="qwen"),
    "a word, a model and no such size": Query("number", model="qwen", steps=20, width=999),
    "a seed": Query(seed=500),
    "a parameter": Query(parameters={"guidance": 3.5}),
    "a month": Query(after="2026-03-01", before="2026-04-01"),
    "#best": Query("#best"),
    "is:starred fox": Query("is:starred fox"),
}


def measure(folder: Path, count: int) -> None:
    found: list[int] = []
    print(f"  a walk through all records          {time_it(lambda: found.append(walk(folder, 'fox')), 1)}")
    library = open_library(Settings(store=str(folder)))
    print(f"  the index is made in                {time_it(library.refresh, 1)}", end="")
    size = sum(path.stat().st_size for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*.sqlite*"))
    print(f", {size / 1e6:.0f} MB")
    assert library.count(Query("fox")) == found[0]
    for place, one in enumerate(library.find(number=40)):
        library.mark(one, starred=place % 2 == 0, tags=["best"])
    library.refresh()
    time.sleep(index.SETTLED + 0.1)
    library.refresh()
    print(f"  that nothing has changed is known   {time_it(library.refresh)}")
    for name, query in QUERIES.items():
        page = time_it(partial(library.find, query))
        print(f"  {name:<35} {page}; {library.count(query):,} counted in", end="")
        print(time_it(partial(library.count, query)))
    print(f"  the last page                       {time_it(lambda: library.find(start=count - 50))}")
    print(f"  a page by a new process' library    {time_it(lambda: open_new(folder))}")
    made = generation(seed=count + 1)
    print(f"  a new image kept, and a page        {time_it(lambda: put_and_find(folder, library, made))}", flush=True)


def open_new(folder: Path) -> None:
    assert len(open_library(Settings(store=str(folder))).find()) == 50


def put_and_find(folder: Path, library: Library, made: Generation) -> None:
    started = datetime.now(timezone.utc).isoformat()
    new = replace(made.record, circumstances=replace(made.record.circumstances, started=started))
    with mock.patch.object(os, "fsync", return_value=None):
        stored = Store(folder, None).put(new, [made.data])
    assert library.find(number=50)[0].path == stored.files[0]


def open_gallery(folder: Path, count: int) -> str:
    """Return how long a new kernel takes from `%flux_history` to each stage."""
    with run_kernel(folder.parent, FLUX_MAGIC_STORE=str(folder)) as kernel:
        kernel.run_ok("%load_ext flux_magic\nimport time\nbefore = time.process_time()")
        begin, sheets, stages = time.perf_counter(), set[str](), dict[str, float]()
        kernel.send("%flux_history")
        while not stages.keys() >= {"shown", "50 thumbnails", "all read"}:
            message = kernel.client.get_iopub_msg(timeout=PATIENCE)
            said = json.dumps(message["content"])
            if "vnd.jupyter.widget-view+json" in said:
                stages.setdefault("shown", time.perf_counter() - begin)
            elif said.count("data:image/jpeg") == BATCH:
                sheets.add(message["content"]["comm_id"])
            if len(sheets) == PAGE // BATCH:
                stages.setdefault("50 thumbnails", time.perf_counter() - begin)
            if f">{count:,} images<" in said:
                stages.setdefault("all read", time.perf_counter() - begin)
        busy = float(kernel.run_ok("print(time.process_time() - before)").stdout)
    return ", ".join([*(f"{name} {seconds:.2f} s" for name, seconds in stages.items()), f"processor {busy:.1f} s"])


def measure_gallery(folder: Path, count: int) -> None:
    print(f"  a gallery of a store not yet read   {open_gallery(folder, count)}")
    print(f"  a gallery in another kernel         {open_gallery(folder, count)}", flush=True)


def main(counts: list[int]) -> None:
    for count, months in [*((one, 12) for one in counts), (counts[-1], 1)]:
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, XDG_CACHE_HOME=f"{folder}/cache"):
            fill(Path(folder, "store"), count, months)
            print(f"{count:,} records in {months} folder{'s' * (months > 1)}", flush=True)
            measure_gallery(Path(folder, "store"), count)
            shutil.rmtree(f"{folder}/cache")
            measure(Path(folder, "store"), count)


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]] or [1_000, 20_000, 100_000])
