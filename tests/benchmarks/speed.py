"""How quick the package is beside other ways to the same image: `python -m tests.benchmarks.speed [SECTION …]`.

Every comparison is between processes that live on, in rounds: each makes the same image, in an order by chance. What is
shown is the median of the rounds' ratios, with the interval that it lies in with a probability of 95 %. CONTRIBUTING.md
("Measuring") tells how to read it. The table is kept as `build/bench/speed.md` and `speed.json`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import cells, distance, many, own_code, single
from .table import Row, Table

FOLDER = Path("build/bench")

Section = Callable[[bool], Iterator[Row]]
"""Measures with few samples if it is told so."""

SECTIONS: dict[str, tuple[str, Section]] = {
    "single": ("One warm image", lambda quick: single.one_image(*((1, 8) if quick else (3, 12)))),
    "far": ("TLS, 50 ms away", lambda quick: distance.far_image(*((1, 8) if quick else (3, 12)))),
    "first": ("The first image", lambda quick: cells.first_image(*((5, 2) if quick else (30, 9)))),
    "many": ("64 images, 8 at once", lambda quick: many.batches(*((4, 4) if quick else (30, 100)))),
    "cell": ("A cell", lambda quick: cells.overhead(*((1, 8) if quick else (3, 12)))),
    "own": ("Our own code beside the plain way", lambda quick: own_code.own_code(5 if quick else 30)),
    "sweep": ("A long sweep", lambda quick: many.sweep(200 if quick else 1000)),
}
"""By name: a title, and what measures."""


def options_from(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What an image costs, beside other clients and a floor.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few samples, to see where one is while at work")
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = options_from(arguments)
    table = Table()
    for name in options.sections or SECTIONS:
        title, measure = SECTIONS[name]
        table.add(title, list(measure(options.quick)))
        table.write(FOLDER)
    print(table.markdown())


if __name__ == "__main__":
    main()
