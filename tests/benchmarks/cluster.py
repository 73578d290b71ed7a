"""Images a second on the workers of a Dask cluster beside the plain client, the cost of a task, and memory.

    .venv/bin/python -m tests.benchmarks.cluster                  # half a second of sleep an image, and no work
    .venv-engines/bin/python -m tests.benchmarks.cluster --tiny   # the tiny pipeline of diffusers, if Dask is there

A worker is a process of four threads (a pipeline: of one). The scheduler is in the caller's process, so that its memory
is counted as well.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flux_magic
from flux_magic.types import ImageRequest
from tests.support.sleeper import Sleeper

IMAGES = 400


def run_cluster(workers: int, threads: int) -> Any:
    from distributed import LocalCluster

    usual: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    return LocalCluster(n_workers=workers, threads_per_worker=threads, **usual)


def make_sweep(number: int, **options: Any) -> float:
    """Return the seconds of a sweep, of which nothing is in the store."""
    with tempfile.TemporaryDirectory() as store:
        begin = time.perf_counter()
        made = flux_magic.sweep("a fox", seed=list(range(number)), store=store, quiet=True, **options)
        seconds = time.perf_counter() - begin
        assert len(made) == number
        return seconds


def measure(what: str, threads: int, number: int, **options: Any) -> None:
    """Print how long a sweep takes with the plain client, and on one worker and two."""
    for workers in (0, 1, 2):
        if workers:
            with run_cluster(workers, threads) as cluster:
                make_sweep(2 * workers * threads, cluster=cluster, **options)  # the modules and the pipeline are loaded
                seconds = make_sweep(number, cluster=cluster, **options)
        else:
            make_sweep(2, **options)
            seconds = make_sweep(number, concurrency=threads, **options)  # as many at once as one worker makes
        name = f"{workers} worker{'s' if workers > 1 else ''}" if workers else "plain client"
        each = f"{number / seconds:5.1f} images/s, {1000 * seconds / number:6.1f} ms an image"
        print(f"{what}, {number} images, {name}: {each}", flush=True)


def read_memory() -> float:
    """Return the resident memory of this process in MB."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure_memory(number: int) -> None:
    def ask() -> Iterator[ImageRequest]:
        return (ImageRequest("a fox", seed=seed) for seed in range(number))

    with tempfile.TemporaryDirectory() as store, run_cluster(2, 4) as cluster:
        begin, seen, most = time.perf_counter(), {}, 0
        for at, _ in enumerate(flux_magic.generate_many(ask(), provider=Sleeper, cluster=cluster, store=store), 1):
            if at in {100, 1000, 2000, 5000, 10_000}:
                seen[at] = read_memory()
            most = max(most, len(cluster.scheduler.tasks)) if at % 50 == 0 else most
        seconds = time.perf_counter() - begin
        listed = ", ".join(f"{size:.0f} MB at {at:,}" for at, size in seen.items())
        print(
            f"client and scheduler: {listed}; at most {most} tasks are known; {1000 * seconds / number:.1f} ms an image"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="the tiny pipeline of the tests, on the CPU")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--most", type=int, default=10_000, help="images of which the memory is measured; 0 for none")
    options = parser.parse_args()
    if options.tiny:
        os.environ["OMP_NUM_THREADS"] = "1"  # as Dask sets it for its workers
        from tests.engines import tiny

        with tempfile.TemporaryDirectory() as folder:
            model = str(tiny.save("flux", Path(folder) / "flux"))
            own: dict[str, Any] = {"provider": "diffusers", "model": model, "size": "64x64", "steps": 4}
            measure("tiny pipeline", 1, options.images, **own)
        return
    measure("0.5 s of sleep", 4, options.images, provider=Sleeper, parameters={"seconds": 0.5})
    measure("no work", 4, options.images, provider=Sleeper)
    if options.most:
        measure_memory(options.most)


if __name__ == "__main__":
    main()
