"""One call for many images in a process of its own, and what that process takes. `python -m tests.soak.call …`."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """Resources of a process after some images: resident memory in MB, open descriptors, and threads."""

    images: int
    memory: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The images of a call.

    Attributes:
        made: those that it gave.
        twice: those that it gave more than once, or that are in the store more than once.
        stored: those in the store.
        seconds: the time that it took.
        error: the error that it ended with; "" for none.
        taken: resources, as the images came.
    """

    made: int
    twice: int
    stored: int
    seconds: float
    error: str
    taken: list[Taken]


def call(address: str, images: int, at_once: int, store: Path, looks: Sequence[int]) -> Outcome:
    """Make the images by one call of the package; resources are looked at after `looks` of them."""
    import flux_magic
    from flux_magic.types import ImageRequest

    begin, seeds, taken, error = time.monotonic(), Counter[int | None](), [], ""
    requests = (ImageRequest("a fox", seed=seed, width=64, height=64, steps=1) for seed in range(images))
    try:
        for image in flux_magic.generate_many(requests, space=address, concurrency=at_once, store=store, replay="off"):
            seeds[image.record.seed] += 1
            if (count := seeds.total()) in looks:
                taken.append(_taken(count))
    except flux_magic.FluxError as caught:
        error = f"{type(caught).__name__}: {str(caught)[:300]}"
    records = Counter(json.loads(path.read_text("utf-8"))["run"]["seed"] for path in store.rglob("*.json"))
    twice = sum(count > 1 for each in (seeds, records) for count in each.values())
    return Outcome(len(seeds), twice, len(records), time.monotonic() - begin, error, taken)


def _taken(images: int) -> Taken:
    gc.collect()
    status = Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]
    return Taken(images, int(status) / 1024, len(list(Path("/proc/self/fd").iterdir())), threading.active_count())


def called(address: str, images: int, at_once: int, store: Path, looks: Sequence[int]) -> Outcome:
    """Return the outcome of a call in a fresh process."""
    command = [
        sys.executable,
        "-m",
        "tests.soak.call",
        address,
        str(images),
        str(at_once),
        str(store),
        *map(str, looks),
    ]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return Outcome(**{**told, "taken": [Taken(**each) for each in told["taken"]]})


if __name__ == "__main__":
    address, images, at_once, store, *looks = sys.argv[1:]
    print(json.dumps(asdict(call(address, int(images), int(at_once), Path(store), [int(look) for look in looks]))))
