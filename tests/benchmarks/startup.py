"""What a person waits for before the first image: importing, loading the extension, the first cell.

Each is measured in processes of its own, in rounds whose order is left to chance; an import is measured above a bare
Python of the same round. `--beside PYTHON` measures the package of another environment in the same rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping

from flux_magic.providers.local import LocalSpace
from tests.support.kernel import run_kernel

ROUNDS = 30
LOADED = """
import sys, time, types
import ipykernel.ipkernel  # what a kernel has imported when a person's first cell runs
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets.config import Config
shell = ZMQInteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
sys.modules["bare"] = types.ModuleType("bare")
sys.modules["bare"].load_ipython_extension = lambda shell: None
shell.run_line_magic("load_ext", "bare")  # IPython itself loads its magic and its completer at the first use
begin = time.perf_counter()
shell.run_line_magic("load_ext", "flux_magic")
print(time.perf_counter() - begin)
"""


def _take_milliseconds(samples: list[float]) -> str:
    least, *_, most = statistics.quantiles(samples, n=10)
    middle = statistics.median(samples)
    return f"{middle * 1000:.1f} ms (80 % of {len(samples)} within {least * 1000:.1f} and {most * 1000:.1f})"


def _run(python: str, code: str) -> str:
    """Run a program away from this folder, with compiled modules, as an installed package has them."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as elsewhere:
        command = [python, "-c", code]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, cwd=elsewhere
        ).stdout


def _measure_process(python: str, code: str) -> float:
    begin = time.perf_counter()
    _run(python, code)
    return time.perf_counter() - begin


def _measure_import(python: str) -> float:
    """Return the seconds of an import above those of a bare Python in the same round."""
    first, second = random.sample(["pass", "import flux_magic"], 2)
    taken = {code: _measure_process(python, code) for code in (first, second)}
    return taken["import flux_magic"] - taken["pass"]


def compare(title: str, measure: Callable[[str], float], pythons: Mapping[str, str]) -> None:
    """Print what is measured with each Python, in rounds whose order is left to chance."""
    samples: dict[str, list[float]] = {name: [] for name in pythons}
    for number in range(-1, ROUNDS):
        for name in random.sample(list(pythons), len(pythons)):
            seconds = measure(pythons[name])
            if number >= 0:  # the round before compiles the modules
                samples[name].append(seconds)
    for name, taken in samples.items():
        print(f"{title:<38} {name:<7} {_take_milliseconds(taken)}", flush=True)


def first_image(name: str, space: str) -> None:
    """Print the time of a fresh kernel's first image, and of its second."""
    samples, second = [], []
    for _ in range(3):
        with (
            tempfile.TemporaryDirectory() as store,
            run_kernel(FLUX_MAGIC_SPACE=space, FLUX_MAGIC_STORE=store) as kernel,
        ):
            kernel.run_ok("%load_ext flux_magic")
            samples.append(kernel.run_ok("%flux --seed 1 --steps 4 a fox").seconds)
            second.append(kernel.run_ok("%flux --seed 2 --steps 4 a fox").seconds)
    first, then = statistics.median(samples), statistics.median(second)
    print(f"first image, {name}  {first * 1000:.0f} ms; the second {then * 1000:.0f} ms (medians of 3)", flush=True)


def main() -> None:
    """Measure all, in some two minutes."""
    parser = argparse.ArgumentParser(description="What a person waits for before the first image.")
    parser.add_argument("--beside", metavar="PYTHON", help="of an environment with another flux_magic")
    beside = parser.parse_args().beside
    pythons = {"ours": sys.executable, **({"beside": beside} if beside else {})}
    compare("import flux_magic, above bare Python's", _measure_import, pythons)
    compare("%load_ext flux_magic", lambda python: float(_run(python, LOADED)), pythons)
    running = LocalSpace()
    first_image("Space runs already  ", asyncio.run(running.get_address()))
    running.close()
    first_image("local Space starts  ", "local")


if __name__ == "__main__":
    main()
