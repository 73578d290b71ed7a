"""What `--provider diffusers` costs beside the bare call of the same tiny pipeline, a preview a step, and the import.

    make bench-engines

It is the processor's time, so that a machine at other work changes little. Each image is made anew and kept nowhere.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
ROUNDS = 25
STEPS = 4


def measure(work: Callable[[int], object], seed: int) -> float:
    """Return the milliseconds of the processor that a piece of work takes, on all threads."""
    begin = time.process_time()
    work(seed)
    return 1000 * (time.process_time() - begin)


def measure_import() -> None:
    """Print the milliseconds of the processor that the package's import takes, and which engines it loads: none."""
    engines = "[one for one in ('torch', 'diffusers', 'huggingface_hub') if one in sys.modules]"
    code = (
        "import sys, time; begin = time.process_time(); import flux_magic; flux_magic.generate; "
        f"print(1000 * (time.process_time() - begin), {engines})"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(5)
    ]
    times = [float(line.split()[0]) for line in said]
    print(
        f"import flux_magic: {statistics.median(times):.0f} ms, engines loaded: {said[0].split(maxsplit=1)[1].strip()}"
    )


def main() -> None:
    measure_import()
    import diffusers
    import torch

    import flux_magic
    from flux_magic.providers.diffusers.worker import worker
    from tests.engines import tiny

    with tempfile.TemporaryDirectory() as folder:
        model = tiny.save("flux", Path(folder) / "flux")
        pipe = diffusers.FluxPipeline.from_pretrained(model, use_safetensors=True)
        pipe.set_progress_bar_config(disable=True)

        def make_bare(seed: int) -> object:
            generator = torch.Generator("cpu").manual_seed(seed)
            return pipe("a fox", width=64, height=64, num_inference_steps=STEPS, generator=generator)

        def make_ours(seed: int) -> object:
            options: dict[str, Any] = {"size": "64x64", "steps": STEPS, "store": False, "fresh": True, "quiet": True}
            return flux_magic.generate("a fox", provider="diffusers", model=str(model), seed=seed, **options)

        first = measure(make_bare, 0), measure(make_ours, 0)
        print(f"first image: {first[0]:.0f} ms bare, loaded; {first[1]:.0f} ms ours, with the model's loading")
        bare, ours, plain = [], [], []
        assert worker.loaded is not None
        factors = worker.loaded.memo["factors"]
        for seed in range(1, ROUNDS + 1):
            bare.append(measure(make_bare, seed))
            ours.append(measure(make_ours, seed))
            worker.loaded.memo["factors"] = None
            plain.append(measure(make_ours, seed))
            worker.loaded.memo["factors"] = factors
        more = statistics.median(one - other for one, other in zip(ours, bare, strict=True))
        preview = statistics.median(one - other for one, other in zip(ours, plain, strict=True)) / STEPS
        middle = statistics.median(bare), statistics.median(ours)
        print(f"next image: {middle[0]:.1f} ms bare, {middle[1]:.1f} ms ours: {more:.1f} ms more")
        print(f"fastest of {ROUNDS}: {min(bare):.1f} ms bare, {min(ours):.1f} ms ours, {min(plain):.1f} ms unseen")
        print(f"a preview: {preview:.2f} ms a step")


if __name__ == "__main__":
    main()
