"""What the trained model tiny draws: what the prompt says, what an image that goes in shows, and where a mask is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import flux_magic
from flux_magic.providers.diffusers import tiny
from flux_magic.results.generation import Generation
from flux_magic.verify.similarity import Grade
from scripts.tiny.drawings import draw_scene
from scripts.tiny.scenes import make_scene

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of each other

SEEDS = range(1, 9)


@pytest.fixture(autouse=True)
def _trained() -> None:
    """Let no test pass with random weights: the package has to be installed, with the bytes that the code names."""
    tiny.open_folder()


def make(prompt: str, **options: Any) -> Generation:
    given = {"model": "tiny", "provider": "diffusers", "seed": 7, "quiet": True, **options}
    made = flux_magic.generate(prompt, **given)
    assert isinstance(made, Generation)
    return made


def read(image: Image.Image) -> Any:
    """Return an image as rows and columns of colours from 0 to 1."""
    return np.asarray(image.convert("RGB"), dtype=float) / 255


def correlate(one: Image.Image, other: Image.Image) -> float:
    """Return how alike two images are composed: the correlation of their brightness on a grid of 8 by 8."""
    grids = [image.convert("L").resize((8, 8), Image.Resampling.BOX) for image in (one, other)]
    return float(np.corrcoef([np.asarray(grid, dtype=float).ravel() for grid in grids])[0, 1])


def draw(number: int) -> Image.Image:
    """Return a drawing that the model was not trained on."""
    return draw_scene(make_scene(70_000_000 + number))


def test_night_is_darker_than_day() -> None:
    night, day = (
        [read(make(prompt, seed=seed).image).mean() for seed in SEEDS]
        for prompt in ("a red fox at night", "a blue house by day")
    )
    assert max(night) < min(day)


def test_a_colour_is_the_subjects() -> None:
    red, blue = (
        np.mean([read(make(prompt, seed=seed).image)[64:, 32:96].mean((0, 1)) for seed in SEEDS], axis=0)
        for prompt in ("a big red house by day", "a big blue house by day")
    )
    assert red[0] - red[2] > blue[0] - blue[2] + 0.05


def test_a_negative_prompt_leads_away_from_it() -> None:
    usual, away = (
        np.mean([read(make("a red fox", seed=seed, negative_prompt=words).image).mean() for seed in SEEDS])
        for words in ("", "night")
    )
    assert away > usual


def test_image_to_image_keeps_the_composition_and_a_strength_of_1_does_not() -> None:
    kept, lost = [], []
    for number in SEEDS:
        drawing = draw(number)
        kept.append(correlate(drawing, make("a red fox in winter", image=drawing, strength=0.4, seed=number).image))
        lost.append(correlate(drawing, make("a red fox in winter", image=drawing, strength=1.0, seed=number).image))
    assert np.mean(kept) > 0.8
    assert np.mean(kept) > np.mean(lost) + 0.1


def test_a_mask_keeps_what_is_outside_it() -> None:
    """What is kept has been through the autoencoder, which blurs it a little."""
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (64, 0, 128, 128))
    outside, inside = [], []
    for number in SEEDS:
        drawing = draw(number)
        made = make("a castle at night", image=drawing, mask=mask, strength=1.0, seed=number)
        differs = np.abs(read(made.image) - read(drawing)).mean(2)
        outside.append(differs[:, :56].mean())
        inside.append(differs[:, 72:].mean())
    assert max(outside) < 0.08
    assert np.mean(inside) > 3 * np.mean(outside)


def test_one_thread_and_two_make_the_same_image_to_the_eye(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        made = make("two yellow boats by the sea, at dusk", seed=42)
        made.save(tmp_path / "boats.png")
        torch.set_num_threads(2)
        (verdict,) = flux_magic.Client(provider="diffusers").verify(tmp_path / "boats.png").verdicts
    finally:
        torch.set_num_threads(before)
    assert verdict.grade in {Grade.SAME_BYTES, Grade.SAME_PIXELS, Grade.SAME_TO_THE_EYE}
