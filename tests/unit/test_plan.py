"""From a prompt and settings to requests: `plan.plan`."""

from __future__ import annotations

from typing import Any

import pytest

from flux_magic.errors import InvalidRequest
from flux_magic.parameters.settings import Settings
from flux_magic.parameters.table import MAX_SEED
from flux_magic.sweeps.requests import build_requests
from flux_magic.types import ImageRequest


class Seven:
    """A integer of another library's, such as NumPy's."""

    def __index__(self) -> int:
        return 7


def test_a_plan_is_a_request_with_the_settings() -> None:
    settings = Settings(model="flux-schnell", width=512, height=256, steps=3, seed=9)
    assert build_requests("a fox", settings) == [ImageRequest("a fox", "flux-schnell", 512, 256, 3, 9)]


def test_the_space_never_chooses_the_seed() -> None:
    assert not any(request.randomize_seed for request in build_requests("a fox", Settings(), 3))


@pytest.mark.parametrize(
    ("seed", "count", "seeds"),
    [
        pytest.param(42, 4, [42, 43, 44, 45], id="from 42"),
        pytest.param(0, 2, [0, 1], id="from 0"),
        pytest.param(MAX_SEED, 1, [MAX_SEED], id="the largest"),
        pytest.param(MAX_SEED - 1, 2, [MAX_SEED - 1, MAX_SEED], id="up to the largest"),
    ],
)
def test_more_images_have_the_seeds_that_follow(seed: int, count: int, seeds: list[int]) -> None:
    assert [request.seed for request in build_requests("a fox", Settings(seed=seed), count)] == seeds


def test_a_seed_that_was_not_given_is_random() -> None:
    seeds = {build_requests("a fox", Settings())[0].seed for _ in range(20)}
    assert len(seeds) > 15
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_random_seeds_follow_each_other_too() -> None:
    first, second, third = (request.seed for request in build_requests("a fox", Settings(), 3))
    assert (second, third) == (first + 1, first + 2)


@pytest.mark.parametrize(
    ("seed", "count", "words"),
    [
        pytest.param(
            MAX_SEED, 2, f"2 seeds from {MAX_SEED} run past {MAX_SEED}: start at {MAX_SEED - 1}", id="past it"
        ),
        pytest.param(MAX_SEED + 1, 1, f"seed is {MAX_SEED + 1}: give", id="too large"),
        pytest.param(MAX_SEED + 1, 3, f"seed is {MAX_SEED + 1}: give", id="too large for the first already"),
        pytest.param(-1, 2, "seed is -1", id="negative"),
        pytest.param(1.0, 1, "seed is 1.0: give a whole number", id="a float"),
        pytest.param(1, 0, "count is 0: give a whole number from 1 up", id="no image"),
        pytest.param(1, -3, "count is -3", id="less than none"),
        pytest.param(1, True, "count is True: give a whole number", id="a bool"),
        pytest.param(1, "2", "count is '2': give a whole number", id="a string"),
    ],
)
def test_seeds_and_counts_that_cannot_be_are_refused(seed: Any, count: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        build_requests("a fox", Settings(seed=seed), count)


@pytest.mark.parametrize("name", ["width", "height", "steps"])
@pytest.mark.parametrize("value", [512.0, "512", [1]])
def test_a_setting_that_is_no_whole_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name} is "):
        build_requests("a fox", Settings(**{name: value}))


def test_what_counts_as_a_whole_number_is_one() -> None:
    seven: Any = Seven()
    [request, _] = build_requests("a fox", Settings(steps=seven, seed=seven), 2)
    assert (request.steps, request.seed) == (7, 7)
    assert type(request.seed) is type(request.steps) is int
    assert len(build_requests("a fox", Settings(), seven)) == 7


def test_more_images_than_there_are_seeds_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="there are only 2147483648 seeds"):
        build_requests("a fox", Settings(), 2**31 + 1)
