"""The measurements of a saved pipeline, on combinations that were never drawn together in training."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import diffusers
import numpy as np
import torch
from PIL import Image, ImageDraw

from flux_magic.providers.diffusers.tiny import DEFAULTS
from scripts.tiny.autoencoder import to_tensor
from scripts.tiny.drawings import SIDE, draw_scene
from scripts.tiny.looking import (
    Classifier,
    draw_for_looking,
    look_all,
    measure_distance,
    measure_shares,
    open_classifier,
)
from scripts.tiny.room import Room
from scripts.tiny.scenes import HELD_OUT, SUBJECTS, TIMES, Scene, describe, make_scene

STEPS: Final[int] = DEFAULTS["steps"]
GUIDANCE: Final[float] = DEFAULTS["guidance"]
SEEDS: Final = 8
_BATCH: Final = 32
_SHOWN: Final = (("fox", "red"), ("lighthouse", "pink"), ("balloon", "orange"), ("owl", "green"), ("house", "blue"))


def open_pipeline(folder: Path) -> Any:
    """Return the pipeline of a folder, as people load it."""
    diffusers.utils.logging.set_verbosity_error()  # a VAE of this class is none that the pipeline expects
    diffusers.utils.logging.disable_progress_bar()
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def make_images(
    pipe: Any, prompts: Sequence[str], seeds: Sequence[int], *, steps: int = STEPS, guidance: float = GUIDANCE
) -> torch.Tensor:
    """Return an image for each prompt and seed, from -1 to 1.

    Prompts are padded to 64 tokens: the model hardly minds, and it is four times as quick as to 512.
    """
    made = []
    for start in range(0, len(prompts), _BATCH):
        chosen = slice(start, start + _BATCH)
        images = pipe(
            list(prompts[chosen]),
            negative_prompt=[""] * len(prompts[chosen]),
            true_cfg_scale=guidance,
            guidance_scale=0.0,
            num_inference_steps=steps,
            height=SIDE,
            width=SIDE,
            max_sequence_length=64,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[chosen]],
        ).images
        made += [to_tensor(image) for image in images]
    return torch.stack(made)


def list_scenes() -> list[Scene]:
    """Return a scene for each pair that was kept out and each time of day."""
    return [
        replace(make_scene(number), subject=subject, colour=colour, time=time_of_day, count=1)
        for number, (subject, colour) in enumerate(sorted(HELD_OUT))
        for time_of_day in TIMES
    ]


def measure(room: Room) -> None:
    """Measure the pipeline by the rule, and write `measured.json`."""
    pipe, looker = open_pipeline(room.folder / "model"), open_classifier(room)
    scenes = list_scenes()[:: 1 if room.part >= 1 else 6]
    number = room.scale(SEEDS, 2)
    asked = [scene for scene in scenes for _ in range(number)]
    prompts, seeds = [describe(scene) for scene in asked], list(range(number)) * len(scenes)
    drawn = torch.stack([to_tensor(draw_scene(make_scene(80_000_000 + one))) for one in range(room.scale(1000, 64))])
    features = look_all(looker, drawn)
    figures: dict[str, Any] = {"prompts": len(scenes), "seeds": number, "steps": STEPS, "guidance": GUIDANCE}

    figures["right on drawings through the autoencoder"] = _measure_ceiling(pipe, looker, room.scale(400, 20))
    began = time.monotonic()
    images = make_images(pipe, prompts, seeds)
    figures["seconds an image, in batches"] = round((time.monotonic() - began) / len(prompts), 3)
    figures["right"] = measure_shares(looker, images, asked)
    figures["by subject"] = {
        subject: measure_shares(looker, images[rows], [asked[row] for row in rows])
        for subject in SUBJECTS
        if (rows := [row for row, scene in enumerate(asked) if scene.subject == subject])
    }
    room.write_json("measured.json", figures)
    room.say(f"right: {figures['right']}")
    pairs = images.view(len(scenes), number, -1)
    figures["mean difference of two seeds, of 255"] = round(float((pairs[:, 0] - pairs[:, 1]).abs().mean() * 127.5), 2)

    few = slice(0, None, 4)
    figures["by guidance"] = {
        guidance: measure_shares(looker, make_images(pipe, prompts[few], seeds[few], guidance=guidance), asked[few])
        for guidance in (1.0, 2.0, 3.0, 4.0)
    }
    room.write_json("measured.json", figures)
    plain = [make_scene(50_000_000 + one) for one in range(room.scale(256, 8))]
    figures["distance of other drawings"] = measure_distance(features[: len(plain)], features[len(plain) :])
    by_steps = {}
    for steps in (1, 2, 4, 8, 16):
        images = make_images(pipe, [describe(scene) for scene in plain], range(len(plain)), steps=steps)
        by_steps[steps] = {
            "distance": measure_distance(look_all(looker, images), features),
            **measure_shares(looker, images, plain),
        }
        figures["by steps"] = by_steps
        room.write_json("measured.json", figures)
    room.say(f"measured: {figures}")
    show_sheet(room)


@torch.no_grad()
def _measure_ceiling(pipe: Any, looker: Classifier, number: int) -> Mapping[str, float]:
    """Return what the classifier sees in drawings that the autoencoder alone has blurred: no image can do better."""
    drawn, scenes = draw_for_looking(60_000_000, number)
    made = [pipe.vae.decode(pipe.vae.encode(part).latents).sample.clamp(-1, 1) for part in drawn.split(20)]
    return measure_shares(looker, torch.cat(made), scenes)


def show_sheet(room: Room) -> None:
    """Write a sheet of five subjects by four seeds, enlarged without blur."""
    pipe = open_pipeline(room.folder / "model")
    scenes = [
        replace(make_scene(row), subject=subject, colour=colour, time=TIMES[(row + 1) % 4], count=1)
        for row, (subject, colour) in enumerate(_SHOWN)
    ]
    prompts = [describe(scene) for scene in scenes for _ in range(4)]
    images = make_images(pipe, prompts, list(range(4)) * len(scenes))
    save_sheet(to_pixels(images), prompts[::4], room.folder / "sheet.png")


def to_pixels(images: torch.Tensor) -> np.ndarray:
    """Return images from -1 to 1 as rows and columns of colours from 0 to 255."""
    made: np.ndarray = images.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return made


def save_sheet(pixels: np.ndarray, titles: Sequence[str], file: Path, scale: int = 2) -> None:
    """Save rows of images, each row under its title."""
    side, columns = SIDE * scale, len(pixels) // len(titles)
    sheet = Image.new("RGB", (columns * (side + 6), len(titles) * (side + 22)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, one in enumerate(pixels):
        row, column = divmod(number, columns)
        image = Image.fromarray(one).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(image, (column * (side + 6), row * (side + 22) + 16))
    for row, title in enumerate(titles):
        draw.text((4, row * (side + 22) + 2), title, fill="black")
    sheet.save(file)
