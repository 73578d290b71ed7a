"""Six checks of `--provider diffusers` on the GPU at hand, for someone who has one: a table, and no secret.

    make live-gpu                       FLUX.1-schnell, which is downloaded if it is not on the disk (34 GB)
    make live-gpu MODEL=FOLDER          any other model: a Hub id, id@revision, or a folder of save_pretrained

Without a GPU it says so, and runs on the processor only if a model is named. A line is what was checked, what was
seen, and how long it took. Nothing is kept in the store.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import flux_magic
from flux_magic.client.progress import find_previews
from flux_magic.errors import FluxError
from flux_magic.providers.diffusers.loading import choose_device, require_libraries
from flux_magic.providers.diffusers.models import DEFAULT
from flux_magic.providers.diffusers.worker import worker
from flux_magic.results.generation import Generation
from flux_magic.types import Preview, Running

PROMPT = "a red fox in the morning mist"


class Checks:
    """The checks, in their order; each returns what was seen, and raises AssertionError if that is wrong."""

    def __init__(self, model: str, size: str) -> None:
        self._options: dict[str, Any] = {"model": model, "size": size, "provider": "diffusers", "store": False}
        self._first: Generation | None = None

    def _make(self, **options: Any) -> Generation:
        made = flux_magic.generate(PROMPT, **{**self._options, "seed": 42, "quiet": True, **options})
        assert isinstance(made, Generation)
        return made

    def load(self) -> str:
        """Load the model, and make an image."""
        self._first = made = self._make()
        about = made.record.circumstances
        seen = [about.hardware, *(about.details.get(name, "") for name in ("device", "dtype", "torch", "diffusers"))]
        return ", ".join(filter(None, [made.record.model, *seen]))

    def repeat(self) -> str:
        """Make the same seed again."""
        again = self._make()
        assert self._first is not None
        assert again.digest == self._first.digest, "other pixels"
        return f"sha256:{again.digest[:12]}"

    def preview(self) -> str:
        """Count the steps and previews of an image."""
        events: list[object] = []
        self._make(on_event=events.append)
        steps = [one for one in events if isinstance(one, Running)]
        shown = [one for one in events if isinstance(one, Preview) and find_previews(one)]
        assert steps, "no step was told"
        assert len(shown) == len(steps), f"{len(shown)} previews of {len(steps)} steps"
        return f"{len(steps)} steps, {len(shown)} previews"

    def interrupt(self) -> str:
        """Cancel an image of 50 steps in its first."""
        reached, steps = threading.Event(), []

        def see(event: object) -> None:
            if isinstance(event, Running):
                steps.append(time.monotonic())
                reached.set()

        job = flux_magic.submit(PROMPT, **self._options, seed=1, steps=50, on_event=see)
        reached.wait(600)
        begin = time.monotonic()
        job.cancel()
        worker.submit(lambda: None).result(600)
        assert len(steps) < 50, "it ran to its end"
        return f"free again after {time.monotonic() - begin:.2f} s"

    def batch(self) -> str:
        """Make two seeds at once, one of them made before."""
        swept = flux_magic.sweep(PROMPT, **self._options, seed=[42, 43], batch=2, quiet=True)
        assert self._first is not None
        same = swept[0].digest == self._first.digest
        return f"batch {swept[1].record.circumstances.details.get('batch', '1')}, {'same' if same else 'other'} pixels"

    def unload(self) -> str:
        """Free the memory."""
        import torch

        assert flux_magic.unload(), "nothing was loaded"
        left = torch.cuda.memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
        assert left < 0.5, f"{left:.1f} GiB are still in use"
        return f"{left:.2f} GiB of the GPU in use"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--size", default="1024x1024")
    options = parser.parse_args()
    try:
        require_libraries()
        device = choose_device("auto")
    except FluxError as error:
        print(error)
        return 1
    if device == "cpu":
        print("no GPU: torch finds none here, neither CUDA nor MPS nor XPU")
        if options.model == DEFAULT:
            print(
                f"{DEFAULT} is not loaded for that: give a small model to run the checks on the processor, MODEL=FOLDER"
            )
            return 1
        print("the checks run on the processor, and say nothing of a GPU")
    checks = Checks(options.model, options.size)
    order: dict[str, Callable[[], str]] = {
        "the model is loaded, and makes an image": checks.load,
        "the same seed has the same pixels": checks.repeat,
        "each step is reported, with a preview": checks.preview,
        "an interrupt ends within a step": checks.interrupt,
        "two at once are as they are alone": checks.batch,
        "the memory is freed": checks.unload,
    }
    failed = 0
    for what, check in order.items():
        begin = time.monotonic()
        try:
            state, seen = "ok", check()
        except (AssertionError, FluxError) as error:
            state, seen, failed = "FAILED", " ".join(str(error).split()), failed + 1
        print(f"{state:<7} {what:<40} {time.monotonic() - begin:>7.1f} s  {seen}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
