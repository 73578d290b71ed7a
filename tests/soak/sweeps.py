"""Memory that sweeps keep: 60 of 16 images each in one real kernel, every result in `Out`, on a local Space."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.support.kernel import run_kernel
from tests.support.space import run_space

SWEEPS: Final = 60
MOST: Final = 20.0
"""MB that 60 sweeps may add to the first."""

_CELL: Final = "%%flux --size 512x512 --seed {first}..{last} --concurrency 8\na red fox"
_MEMORY: Final = "import gc, pathlib; _ = gc.collect(); print(pathlib.Path('/proc/self/status').read_text())"


def grown(sweeps: int = SWEEPS) -> tuple[float, float]:
    """Return the kernel's resident memory in MB after the first sweep and after the last; each result is in `Out`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_space() as space,
        run_kernel(Path(folder), FLUX_MAGIC_SPACE=space, FLUX_MAGIC_STORE=folder) as kernel,
    ):
        kernel.run_ok("%load_ext flux_magic")
        measured = []
        for number in range(sweeps):
            kernel.run_ok(_CELL.format(first=16 * number, last=16 * number + 15))
            status = kernel.run_ok(_MEMORY).stdout
            measured.append(int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) / 1024)  # type: ignore[index]
            print(f"sweep {number + 1}: {measured[-1]:.0f} MB", file=sys.stderr, flush=True)
        assert (
            kernel.run_ok("print(sum(type(one).__name__ == 'Generations' for one in Out.values()))").stdout
            == f"{sweeps}\n"
        )
    return measured[0], measured[-1]


def main() -> int:
    """Print what 60 sweeps have added; return 1 if that is too much."""
    first, last = grown()
    print(f"{SWEEPS} sweeps of 16: {first:.0f} to {last:.0f} MB, {last - first:+.1f} (at most {MOST:.0f})")
    return 0 if last - first < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
