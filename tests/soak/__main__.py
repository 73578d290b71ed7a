"""Thousands of images in one call, over a line that breaks: `python -m tests.soak --images 2000 --rates 1 5`.

For each rate: a real Gradio, a proxy before it that drops connections, and one call for all images. The table is
printed; the exit code is 1 if an image was lost or came twice, or if something grew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.soak.call import Outcome, called
from tests.soak.proxy import STAGES, dropping
from tests.support.space import run_space

GROWTH = 20.0
"""MB of memory between the first look and the last."""

LOOKS = (100, 1000, 2000)
APP = Path(__file__).with_name("space_app.py")


def soak(images: int, percent: float, at_once: int, seed: int) -> tuple[Outcome, dict[str, int]]:
    """Return the outcome of a call over a line that drops so many percent, and what the proxy counted."""
    looks = sorted({look for look in LOOKS if look < images} | {images})
    with (
        tempfile.TemporaryDirectory(prefix="soak-store-") as store,
        run_space(app=APP) as space,
        dropping(space, percent / 100, seed) as proxy,
    ):
        return called(proxy.address, images, at_once, Path(store), looks), proxy.counts()


def missed(images: int, at_once: int, outcome: Outcome) -> Iterator[str]:
    """Give the goals that an outcome misses, in words."""
    if (outcome.made, outcome.stored) != (images, images):
        yield f"{outcome.made} of {images} were made, and {outcome.stored} are in the store"
    if outcome.twice:
        yield f"{outcome.twice} came twice"
    if outcome.error:
        yield outcome.error
    if outcome.taken:
        first, last = outcome.taken[0], outcome.taken[-1]
        if last.memory - first.memory > GROWTH:
            yield f"memory grew by {last.memory - first.memory:.0f} MB"
        if last.descriptors - first.descriptors > 3 * at_once:
            yield f"descriptors grew from {first.descriptors} to {last.descriptors}"
        if last.threads - first.threads > at_once:
            yield f"threads grew from {first.threads} to {last.threads}"


def lines(images: int, percent: float, outcome: Outcome, counts: dict[str, int]) -> Iterator[str]:
    """Give the table of one rate."""
    dropped = ", ".join(f"{counts[stage]} {stage}" for stage in STAGES)
    yield f"{percent:g} % of the connections dropped at every stage"
    lost = images - outcome.made
    yield f"  made {outcome.made} of {images}, lost {lost}, twice {outcome.twice}, in {outcome.seconds:.0f} s"
    yield f"  jobs posted {counts['posted']}, arrived {counts['arrived']}, retries {counts['posted'] - images}"
    yield f"  requests {counts['requests']} on {counts['connections']} connections; dropped: {dropped}"
    for taken in outcome.taken:
        known = f"{taken.memory:6.1f} MB  {taken.descriptors:3} descriptors  {taken.threads:2} threads"
        yield f"  after {taken.images:5} images  {known}"


def main() -> int:
    """Return 0 if all goals are reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rates", type=float, nargs="+", default=[1.0, 5.0], help="percent, one round each")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1, help="of the drops")
    options = parser.parse_args()
    code = 0
    for percent in options.rates:
        outcome, counts = soak(options.images, percent, options.at_once, options.seed)
        print("\n".join(lines(options.images, percent, outcome, counts)), flush=True)
        for goal in missed(options.images, options.at_once, outcome):
            print(f"  MISSED: {goal}", flush=True)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
