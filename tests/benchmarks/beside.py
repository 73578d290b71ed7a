"""This checkout beside another, such as one of an earlier commit: `python -m tests.benchmarks.beside FOLDER [ROUNDS]`.

The other has an environment of its own in `.venv`. Both do the same in rounds whose order is left to chance, on one
local Space. What counts is the median of the rounds' ratios: below 1 this checkout is quicker. Each second row is this
checkout beside itself, the noise.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

from tests.support.kernel import Kernel, run_kernel

from .cells import in_a_process, make_cell
from .heat import Racer, fresh_space
from .table import Row, Table, row

HERE = Path.cwd()
CLIENTS = ("ours", "ours, the wire")
HEATS = 4
"""Fresh Spaces, clients and kernels, as Gradio 6 slows down and a process may be slow by chance."""


def compare(other: Path, rounds: int) -> list[Row]:
    """Return a row for each thing that is measured."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for heat in range(HEATS):
        with ExitStack() as stack:
            address = stack.enter_context(fresh_space())
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            environment = {"FLUX_MAGIC_REPLAY": "off", "FLUX_MAGIC_SPACE": address, "TMPDIR": folder}
            homes = {"here": HERE, "other": other, "here again": HERE}
            kernels, racers = {}, {}
            for name, home in homes.items():
                python = str(home / ".venv/bin/python")
                kernels[name] = stack.enter_context(
                    run_kernel(home, python=python, FLUX_MAGIC_STORE=f"{folder}/{name}", **environment)
                )
                kernels[name].run_ok("%load_ext flux_magic")
                for client in CLIENTS:
                    racers[client, name] = Racer(client, address, environment, home)
                    stack.callback(racers[client, name].close)
                    racers[client, name].ready()
            for number in range(rounds):
                _run_round(ratios, homes, kernels, racers, address, heat * rounds + number + 1)
    return [row(what, samples) for what, samples in ratios.items()]


def _run_round(
    ratios: dict[str, list[float]],
    homes: dict[str, Path],
    kernels: dict[str, Kernel],
    racers: dict[tuple[str, str], Racer],
    address: str,
    seed: int,
) -> None:
    chance = Random(seed)

    def measure(what: str, take: Callable[[str], Mapping[str, float]]) -> None:
        taken = {name: take(name) for name in chance.sample(list(homes), len(homes))}
        for unit in taken["here"]:
            ratios[f"{what}, {unit}"].append(taken["here"][unit] / taken["other"][unit])
            ratios[f"{what}, {unit}: the noise"].append(taken["here again"][unit] / taken["here"][unit])

    def ask(client: str, do: str, name: str, **options: int) -> Mapping[str, float]:
        told = racers[client, name].ask(do, seed=seed, **options)
        return {"seconds": told["seconds"], "processor": told["cpu"]}

    def run_cell(name: str, size: int) -> Mapping[str, float]:
        return {"seconds": kernels[name].run_ok(make_cell(seed, size)).seconds}

    measure("a process with one image", lambda name: {"seconds": in_a_process("ours", address, homes[name])})
    for size in (256, 1024):
        for client in CLIENTS:
            measure(
                f"{size}×{size}: {client}",
                partial(ask, client, "image", size=size),
            )
        measure(f"{size}×{size}: a cell", partial(run_cell, size=size))
    measure("32 images, 8 at once", partial(ask, "ours", "batch", count=32, at_once=8, size=256))


def main() -> None:
    """Print the table."""
    other, rounds = Path(sys.argv[1]).resolve(), int((*sys.argv[2:], "6")[0])
    table = Table()
    table.add(f"Here / {other}", compare(other, rounds))
    print(table.markdown())


if __name__ == "__main__":
    main()
