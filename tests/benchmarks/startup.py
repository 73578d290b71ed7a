"""What a person waits for before the first image: importing, loading the extension, the first cell.

Each is measured in processes of its own, against a bare Python or kernel in the same run, and the medians are shown.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

from flux_magic.providers.local import LocalSpace
from tests.support.kernel import run_kernel

ROUNDS = 9
LOADED = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
begin = time.perf_counter()
shell.run_line_magic("load_ext", "flux_magic")
print(time.perf_counter() - begin)
"""


def milliseconds(samples: list[float]) -> str:
    return f"{statistics.median(samples) * 1000:.1f} ms (of {len(samples)}, {min(samples) * 1000:.1f} at the least)"


def process(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def importing() -> None:
    pairs = [(process("pass"), process("import flux_magic")) for _ in range(ROUNDS)]
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import flux_magic      {(ours - bare) * 1000:.1f} ms above bare Python's {bare * 1000:.1f} ms")


def loading() -> None:
    command = [sys.executable, "-c", LOADED]
    runs = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(ROUNDS)]
    print(f"%load_ext flux_magic   {milliseconds(runs)}")


def first_image(name: str, space: str) -> None:
    samples, second = [], []
    for _ in range(3):
        with run_kernel(FLUX_MAGIC_SPACE=space) as kernel:
            kernel.run_ok("%load_ext flux_magic")
            samples.append(kernel.run_ok("%flux --seed 1 --steps 4 a fox").seconds)
            second.append(kernel.run_ok("%flux --seed 2 --steps 4 a fox").seconds)
    print(f"first image, {name}  {milliseconds(samples)}; the second {milliseconds(second)}")


def main() -> None:
    importing()
    loading()
    running = LocalSpace()
    first_image("Space runs already  ", asyncio.run(running.get_address()))
    running.close()
    first_image("local Space starts  ", "local")


if __name__ == "__main__":
    main()
