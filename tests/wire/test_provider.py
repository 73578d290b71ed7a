"""The provider by the interface that its users know, against a real Space."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from flux_magic.errors import InvalidRequest
from flux_magic.images import codecs
from flux_magic.providers import BlackForestLabs_Flux1Schnell
from flux_magic.providers.base import AsyncResult
from flux_magic.types import FileRecord, ImageResponse, Queued, Running, Waiting
from tests.support.space import collect_events, make_request, move_provider, run

SMALL: dict[str, Any] = {"prompt": "a red fox", "width": 256, "height": 256}


def asked(space: str, model: str = "flux", **options: Any) -> AsyncResult:
    return move_provider(space).create_async_generator(model, [], **{**SMALL, **options})


async def answers(space: str, model: str = "flux", **options: Any) -> list[ImageResponse]:
    return [answer async for answer in asked(space, model, **options)]


def answer(space: str, **options: Any) -> ImageResponse:
    (only,) = run(answers(space, **options))
    return only


def described(url: str) -> FileRecord:
    """Return what is found at an address by somebody who knows nothing of this package."""

    async def got() -> bytes:
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as response:
            return await response.read()

    return codecs.describe(run(got()))


async def first_of_awaited(space: str) -> ImageResponse:
    generator = await asked(space)
    response = await generator.__anext__()
    await generator.aclose()
    return response


async def first_and_then_the_end(space: str) -> ImageResponse:
    generator = asked(space)
    response = await anext(generator)
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
    return response


async def only_of_a_loop(space: str) -> ImageResponse:
    (only,) = await answers(space)
    return only


@pytest.mark.parametrize("way", [only_of_a_loop, first_of_awaited, first_and_then_the_end])
def test_it_yields_one_response_whichever_way_it_is_read(
    space: str, way: Callable[[str], Awaitable[ImageResponse]]
) -> None:
    async def read() -> ImageResponse:
        return await way(space)

    assert len(run(read()).images) == 1


def test_what_is_returned_can_be_iterated_and_awaited_at_once() -> None:
    generator = asked("http://127.0.0.1:9")
    assert isinstance(generator, AsyncGenerator)
    assert isinstance(generator, Awaitable)
    run(generator.aclose())


def test_a_generator_that_is_closed_unread_asks_for_nothing(space: str) -> None:
    async def closed() -> None:
        generator = asked(space)
        await generator.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(generator)

    run(closed())


def test_the_address_is_absolute_and_holds_a_webp(space: str) -> None:
    response = answer(space)
    (url,) = response.images
    assert url.startswith(f"{space}/")
    assert described(url).media_type == "image/webp"
    assert response.alt == "a red fox"


def test_a_given_seed_is_the_one_reported(space: str) -> None:
    assert answer(space, seed=42, randomize_seed=False).seed == 42
    assert answer(space, seed=0, randomize_seed=False).seed == 0


def test_by_default_the_space_chooses_the_seed_and_it_is_reported(space: str) -> None:
    first, second = answer(space, seed=42), answer(space, seed=42)
    assert first.seed is not None
    assert len({first.seed, second.seed, 42}) == 3
    again = answer(space, seed=first.seed, randomize_seed=False)
    assert described(again.images[0]).digest == described(first.images[0]).digest


def test_the_same_seed_gives_the_same_pixels(space: str) -> None:
    first, second, other = (answer(space, seed=seed, randomize_seed=False) for seed in (7, 7, 8))
    assert described(first.images[0]).digest == described(second.images[0]).digest
    assert described(other.images[0]).digest != described(first.images[0]).digest


def test_sizes_are_rounded_down_to_a_multiple_of_eight(space: str) -> None:
    response = answer(space, width=263, height=303)
    file = described(response.images[0])
    assert (file.width, file.height) == (256, 296)
    assert (response.options["width"], response.options["height"]) == (256, 296)


def test_the_steps_arrive(space: str) -> None:
    few, many = (answer(space, seed=1, randomize_seed=False, num_inference_steps=steps) for steps in (1, 5))
    assert (few.options["steps"], many.options["steps"]) == (1, 5)
    assert described(few.images[0]).digest != described(many.images[0]).digest


def test_what_other_providers_understand_is_accepted(space: str) -> None:
    assert answer(space, guidance_scale=3.5, cache=True, api_key=None).images


MESSAGES = [
    pytest.param([{"role": "user", "content": "a hen"}], "a hen", id="a text"),
    pytest.param(
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "a cat"},
            {"role": "assistant", "content": "no"},
            {"role": "user", "content": "a hen"},
            {"role": "user", "content": "at dawn"},
        ],
        "a hen\nat dawn",
        id="the trailing run",
    ),
    pytest.param([{"role": "user", "content": [{"type": "text", "text": "a hen"}]}], "a hen", id="parts"),
]


@pytest.mark.parametrize(("messages", "prompt"), MESSAGES)
def test_the_messages_are_the_prompt_where_none_is_given(space: str, messages: list[Any], prompt: str) -> None:
    async def one() -> ImageResponse:
        return await anext(
            move_provider(space).create_async_generator(
                "flux", messages, width=256, height=256, seed=1, randomize_seed=False
            )
        )

    told = run(one())
    assert told.alt == prompt
    explicit = answer(space, prompt=prompt, seed=1, randomize_seed=False)
    assert described(told.images[0]).digest == described(explicit.images[0]).digest


@pytest.mark.parametrize("model", ["", "flux", "flux-schnell", "black-forest-labs-flux-1-schnell"])
def test_every_name_of_the_model_is_accepted(space: str, model: str) -> None:
    assert answer(space, model=model).options["model"] == "black-forest-labs-flux-1-schnell"


REFUSED = [
    pytest.param({"prompt": ""}, "the prompt is empty", id="an empty prompt"),
    pytest.param({"prompt": " \n"}, "the prompt is empty", id="a blank prompt"),
    pytest.param({"model": "dall-e"}, "flux-schnell, flux, black-forest-labs-flux-1-schnell", id="an unknown model"),
    pytest.param({"width": 4096}, "width is 4096: this Space takes 256 to 2048", id="too wide"),
    pytest.param({"height": 64}, "height is 64: this Space takes 256 to 2048", id="too low"),
    pytest.param({"num_inference_steps": 51}, "steps is 51: this Space takes 1 to 50", id="steps"),
    pytest.param({"num_inference_steps": 0}, "steps is 0", id="no steps"),
    pytest.param({"seed": -1}, "seed is -1", id="a negative seed"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_cannot_be_asked_for_is_an_invalid_request(space: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        answer(space, **options)
    assert words in str(caught.value)


def test_a_subclass_that_sets_its_endpoint_goes_there_and_not_to_its_url(space: str) -> None:
    class Elsewhere(BlackForestLabs_Flux1Schnell):
        url = "http://127.0.0.1:9"
        api_endpoint = f"{space}/call/infer"

    async def one() -> ImageResponse:
        return await anext(Elsewhere.create_async_generator("flux", [], **SMALL))

    assert run(one()).images[0].startswith(f"{space}/")


def test_the_stream_tells_waiting_then_queued_then_running_then_the_image(slow_space: str) -> None:
    told = run(collect_events(move_provider(slow_space), make_request(steps=4)))
    kinds = [type(event) for event in told]
    assert list(dict.fromkeys(kinds)) == [Waiting, Queued, Running, ImageResponse]
    assert kinds.count(ImageResponse) == 1
    order = [(Waiting, Queued, Running, ImageResponse).index(kind) for kind in kinds]
    assert order == sorted(order)


def test_the_stream_counts_the_steps(slow_space: str) -> None:
    told = run(collect_events(move_provider(slow_space), make_request(steps=4)))
    running = [event for event in told if isinstance(event, Running)]
    steps = [event.step for event in running if event.step is not None]
    # Gradio looks every 50 to 100 ms, so that a step may be passed over, most often the last.
    assert len(steps) >= 2
    assert steps == sorted(set(steps) & {1, 2, 3, 4})
    assert {event.total for event in running[1:]} == {4}


def test_without_progress_the_simple_route_gives_the_same_image(space: str) -> None:
    waiting, response = run(collect_events(move_provider(space), progress=False))
    assert isinstance(waiting, Waiting)
    assert isinstance(response, ImageResponse)
    *_, other = run(collect_events(move_provider(space)))
    assert isinstance(other, ImageResponse)
    assert described(response.images[0]).digest == described(other.images[0]).digest
