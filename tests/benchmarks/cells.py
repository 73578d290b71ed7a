"""What a person waits for in a notebook: the first image of a process, and what a cell adds to the Space's own time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.support.kernel import Kernel, run_kernel

from .heat import Racer, fresh_space, racing
from .racers import PROMPT, STEPS
from .table import Row, row

SIZES = (256, 768, 1024)
"""Pixels on a side; 768 is the size that an image has where nothing is said."""

FIRST = 0.6
"""Of the time that Gradio's own client takes."""
OVERHEAD = 40.0
"""Milliseconds."""

PARTS = """
import time as _time
_marks, _begin = {}, _time.perf_counter()
import flux_magic.client.blocking
from flux_magic.results.generation import Generation as _Generation
from flux_magic.providers.gradio.endpoint import Endpoint as _Endpoint
_marks["import"] = _time.perf_counter() - _begin

def _contract(wrapped):
    async def timing(self):
        begin = _time.perf_counter()
        told = await wrapped(self)
        _marks["connect and contract"] = _time.perf_counter() - begin
        return told
    return timing

def _display(wrapped):
    def timing(self):
        begin = _time.perf_counter()
        wrapped(self)
        _marks["display"] = _time.perf_counter() - begin
    return timing

_Endpoint.get_contract = _contract(_Endpoint.get_contract)
_Generation._ipython_display_ = _display(_Generation._ipython_display_)
"""
"""A cell that has the parts of the next one timed."""

DURATIONS = """
from flux_magic.providers.gradio import decoding as _wire
_durations = []

def _noted(decode):
    def noting(message):
        _durations.append(message["output"]["duration"])
        return decode(message)
    return noting

_wire._MESSAGES["process_completed"] = _noted(_wire._MESSAGES["process_completed"])
"""
"""A cell that has noted how long the Space itself took for each image that follows."""


def first_image(pairs: int, kernels: int) -> Iterator[Row]:
    """From the start of a process to its first image, and from `%load_ext` to the pixels."""
    taken: dict[str, list[float]] = defaultdict(list)
    with fresh_space() as address:
        for name in ("ours", "gradio_client"):
            in_a_process(name, address)  # it compiles the modules
        for number in range(pairs):
            for name in Random(number).sample(["ours", "gradio_client"], 2):
                taken[name].append(in_a_process(name, address))
        ratios = [ours / theirs for ours, theirs in zip(taken["ours"], taken["gradio_client"], strict=True)]
        for name, samples in sorted(taken.items()):
            yield row(f"a process with one image: {name}", [value * 1000 for value in samples], "ms")
        yield row("a process with one image: ours / gradio_client", ratios, target=FIRST)
        parts = [_in_a_kernel(address) for _ in range(kernels)]
    for part in parts[0]:
        yield row(f"a fresh kernel: {part}", [1000 * one[part] for one in parts], "ms")


def in_a_process(name: str, address: str, home: Path | None = None) -> float:
    """Return seconds from the start of a client to its first image; `home` is the checkout that it is of."""
    python = sys.executable if home is None else str(home / ".venv/bin/python")
    command = [python, "-m", "tests.benchmarks.racers", name, address, "once"]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as kept:
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**compiled, "TMPDIR": kept}, cwd=home)
        return time.perf_counter() - begin


def _in_a_kernel(address: str) -> dict[str, float]:
    """Return the seconds of the two cells, in one kernel; and of the second's parts, in another; and of a third."""
    with tempfile.TemporaryDirectory() as store:
        with run_kernel(FLUX_MAGIC_SPACE=address, FLUX_MAGIC_STORE=store) as kernel:
            loaded = kernel.run_ok("%load_ext flux_magic").seconds
            made = kernel.run_ok(make_cell(1, 256)).seconds
            second = kernel.run_ok(make_cell(2, 256)).seconds
        with run_kernel(FLUX_MAGIC_SPACE=address, FLUX_MAGIC_STORE=store) as kernel:
            kernel.run_ok("%load_ext flux_magic")
            kernel.run_ok(PARTS)
            rest = kernel.run_ok(make_cell(3, 256)).seconds
            marks = json.loads(kernel.run_ok("import json; print(json.dumps(_marks))").stdout)
    told = marks["connect and contract"] + marks["display"]
    parts = {f"of that, {label}": seconds for label, seconds in marks.items()}
    whole = {"%load_ext and the first %%flux": loaded + made, "%load_ext": loaded, "the first %%flux": made}
    return {**whole, **parts, "of that, the image and all else": rest - told, "the second %%flux": second}


def make_cell(seed: int, size: int) -> str:
    """Return a cell that asks for an image, even if it is in the store."""
    return f"%%flux --fresh --steps {STEPS} --seed {seed} --size {size}x{size}\n{PROMPT}"


def overhead(heats: int, pairs: int) -> Iterator[Row]:
    """Yield a cell's time beyond a floor's for the same image in the same round, each less what the Space itself
    took.
    """
    added: dict[int, list[float]] = defaultdict(list)
    for heat in range(heats):
        with (
            tempfile.TemporaryDirectory() as store,
            fresh_space() as address,
            racing(["floor"], address) as racers,
            run_kernel(FLUX_MAGIC_SPACE=address, FLUX_MAGIC_STORE=store) as kernel,
        ):
            kernel.run_ok("%load_ext flux_magic")
            kernel.run_ok(DURATIONS)
            for size in SIZES:
                kernel.run_ok(make_cell(0, size))
            for number in range(pairs):
                for size in SIZES:
                    added[size].append(_added(kernel, racers["floor"], size, 1 + heat * pairs + number))
    for size, samples in added.items():
        yield row(f"{size}×{size}: a cell's time beyond the floor", samples, "ms", OVERHEAD)


def _added(kernel: Kernel, floor: Racer, size: int, seed: int) -> float:
    """Milliseconds of a cell beyond the floor's; who is first is left to chance."""
    seconds: dict[str, float] = {}

    def cell() -> None:
        whole = kernel.run_ok(make_cell(seed, size)).seconds
        seconds["cell"] = whole - float(kernel.run_ok("print(_durations[-1])").stdout)

    def bare() -> None:
        told = floor.ask("image", size=size, seed=seed)
        seconds["floor"] = told["seconds"] - told["duration"]

    for measure in Random(seed).sample([cell, bare], 2):
        measure()
    return (seconds["cell"] - seconds["floor"]) * 1000
