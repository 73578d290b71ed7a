"""`python -m scripts.tiny all` draws, trains, saves and measures; each stage goes on where it was interrupted.

A stage is run alone by its name, and `--tenth` makes all of them small, for a check that they work.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.tiny.room import Room


def _draw(room: Room) -> None:
    from scripts.tiny.drawings import draw_sheet
    from scripts.tiny.scenes import make_scene

    draw_sheet([make_scene(seed) for seed in range(64)]).save(room.folder / "drawings.png")


def _train_autoencoder(room: Room) -> None:
    from scripts.tiny.autoencoder import train_autoencoder

    train_autoencoder(room)


def _train_decoder(room: Room) -> None:
    from scripts.tiny.autoencoder import show_autoencoder, train_decoder

    train_decoder(room)
    show_autoencoder(room)


def _show_autoencoder(room: Room) -> None:
    from scripts.tiny.autoencoder import show_autoencoder

    show_autoencoder(room)


def _make_latents(room: Room) -> None:
    from scripts.tiny.flow import make_latents

    make_latents(room)


def _train_flow(room: Room) -> None:
    from scripts.tiny.flow import train_flow

    train_flow(room)


def _save(room: Room) -> None:
    from scripts.tiny.flow import save_pipeline

    save_pipeline(room)


def _train_classifier(room: Room) -> None:
    from scripts.tiny.looking import train_classifier

    train_classifier(room)


def _measure(room: Room) -> None:
    from scripts.tiny.measuring import measure

    measure(room)


def _make_blind(room: Room) -> None:
    from scripts.tiny.blind import make_blind

    make_blind(room)


def _compare_blind(room: Room) -> None:
    from scripts.tiny.blind import compare_blind

    compare_blind(room)


def _show(room: Room) -> None:
    from scripts.tiny.measuring import show_sheet

    _save(room)
    show_sheet(room)


def _fill_box(room: Room) -> None:
    from scripts.tiny.box import fill_box

    fill_box(room)


STAGES: Final[dict[str, Callable[[Room], None]]] = {
    "drawings": _draw,
    "autoencoder": _train_autoencoder,
    "decoder": _train_decoder,
    "latents": _make_latents,
    "flow": _train_flow,
    "save": _save,
    "classifier": _train_classifier,
    "measure": _measure,
    "blind": _make_blind,
}
"""The stages in their order."""

LOOKS: Final[dict[str, Callable[[Room], None]]] = {
    "show-autoencoder": _show_autoencoder,
    "show": _show,
    "compare": _compare_blind,
}
"""A look at what a stage has come to, while it trains, and the comparison of a blind look."""

LAST: Final[dict[str, Callable[[Room], None]]] = {"box": _fill_box}
"""The step from a run to the package `tiny/`, which is taken by name alone, when the model is good enough."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.tiny", description=__doc__)
    parser.add_argument("stage", choices=["all", *STAGES, *LOOKS, *LAST])
    parser.add_argument("--folder", type=Path, help="where all is kept (build/tiny, or build/tiny-tenth)")
    parser.add_argument("--tenth", action="store_true", help="a check that all stages work, in about a minute")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (1)")
    options = parser.parse_args()
    folder: Path = options.folder or Path("build/tiny-tenth" if options.tenth else "build/tiny")
    if options.tenth and options.stage == "all":
        shutil.rmtree(folder, ignore_errors=True)
    room = Room(folder, 0.01 if options.tenth else 1.0, options.threads)
    for name, run in (STAGES | LOOKS | LAST).items():
        if options.stage == name or (options.stage == "all" and name in STAGES):
            room.say(f"{name}:")
            run(room)


if __name__ == "__main__":
    main()
