"""The scenes that the tiny model learns from: drawings, captions, and what is kept out of training."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from PIL import ImageChops, ImageStat

from scripts.tiny.drawings import SIDE, draw_scene, draw_with_mask
from scripts.tiny.scenes import (
    COLOURS,
    HELD_OUT,
    SUBJECTS,
    TIMES,
    Scene,
    describe,
    is_held_out,
    list_words,
    make_caption,
    make_scene,
)

SCENES = [make_scene(seed) for seed in range(1500)]


def differ(one: Scene, other: Scene) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(draw_scene(one), draw_scene(other))).mean)


def test_what_is_kept_out_is_never_drawn_in_training_though_each_part_of_it_is() -> None:
    assert not [scene for scene in SCENES if is_held_out(scene) or (scene.subject, scene.colour) in HELD_OUT]
    assert all(is_held_out(make_scene(seed, held_out=True)) for seed in range(100))
    assert Counter(subject for subject, _ in HELD_OUT) == dict.fromkeys(SUBJECTS, 1)
    assert max(Counter(colour for _, colour in HELD_OUT).values()) == 2
    pairs = {(scene.subject, scene.colour) for scene in SCENES}
    assert pairs == {(subject, colour) for subject in SUBJECTS for colour in COLOURS} - HELD_OUT
    assert {(scene.subject, scene.time) for scene in SCENES} == {(one, time) for one in SUBJECTS for time in TIMES}


def test_a_caption_has_known_words_alone_and_says_only_what_is_drawn() -> None:
    words = set(list_words())
    names = {name for pair in SUBJECTS.items() for name in pair}
    captions = [make_caption(scene, random.Random(scene.seed)) for scene in SCENES]
    for scene, caption in zip(SCENES, captions, strict=True):
        said = set(caption.replace(",", " ").split())
        assert said <= words
        assert said & names <= {scene.subject, SUBJECTS[scene.subject]}
        assert said & (set(COLOURS) - {"green"}) <= {scene.colour}  # "in the green of summer"
    assert 0.08 < captions.count("") / len(captions) < 0.15, "dropped at times, so that a guidance can be learned"
    assert captions == [make_caption(scene, random.Random(scene.seed)) for scene in SCENES]


@pytest.mark.parametrize(
    ("changes", "caption"),
    [
        pytest.param({"colour": "red", "count": 1, "time": "night"}, "a red fox at night", id="one"),
        pytest.param({"colour": "orange", "count": 1, "time": "day"}, "an orange fox by day", id="an"),
        pytest.param({"colour": "blue", "count": 3, "time": "dawn"}, "three blue foxes at dawn", id="plural"),
    ],
)
def test_a_plain_caption_says_subject_colour_and_time(changes: dict[str, object], caption: str) -> None:
    assert describe(replace(SCENES[0], subject="fox", **changes)) == caption  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_drawing_is_the_same_each_time_and_shows_its_subject_colour_and_time(subject: str) -> None:
    scene = replace(SCENES[7], subject=subject, colour="red", count=1, size="big", place="middle", time="day")
    assert draw_scene(scene).size == (SIDE, SIDE)
    assert differ(scene, scene) == 0
    others = [replace(scene, colour="blue"), replace(scene, time="night"), replace(scene, seed=8)]
    others += [replace(scene, place="left"), replace(scene, season="winter" if scene.season != "winter" else "autumn")]
    others += [replace(scene, subject=other) for other in SUBJECTS if other != subject]
    assert min(differ(scene, other) for other in others) > 6


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_mask_has_all_that_a_subjects_colour_changes_and_little_else(subject: str) -> None:
    red = replace(make_scene(3), subject=subject, colour="red", count=1, size="medium", place="middle")
    image, mask = draw_with_mask(red)
    changed = ImageChops.difference(image, draw_scene(replace(red, colour="blue"))).convert("L")
    outside = ImageChops.multiply(changed, mask.point(lambda level: 255 * (level == 0)))
    assert outside.getbbox() is None
    share = ImageStat.Stat(mask).mean[0] / 255
    assert 0.04 < share < 0.35
