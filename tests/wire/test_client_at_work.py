"""The client, on loops of the caller's own, against a real Space."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import FluxError, InvalidRequest, TimedOut
from flux_magic.images import codecs
from flux_magic.parameters.settings import resolve
from flux_magic.parameters.table import MAX_SEED
from flux_magic.providers import local
from flux_magic.results.generation import ClientEvent, Generation
from flux_magic.results.generations import Generations
from flux_magic.types import Queued, Running, Waiting
from tests.support.limits import PATIENCE
from tests.support.space import make_image, make_request, run

SMALL: dict[str, Any] = {"width": 256, "height": 256}


async def streamed(client: AsyncClient, **changes: Any) -> list[ClientEvent]:
    async with aclosing(client.stream(make_request(**changes))) as events:
        return [event async for event in events]


def test_an_image_comes_with_its_bytes_its_size_and_its_address(space: str) -> None:
    made = run(make_image(space))
    assert (made.prompt, made.seed, made.steps, made.width, made.height) == ("a red fox", 42, 2, 256, 256)
    assert made.url.startswith(f"{space}/")
    assert codecs.describe(made.data) == made.files[0].record
    assert made.images[0].size == (256, 256)


def test_the_record_has_what_was_asked_for_and_what_was_run(space: str) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    made = run(make_image(space, "a hen", seed=7, steps=3, width=261, height=300, model="flux-schnell"))
    record = made.record
    assert (record.prompt, record.seed, record.steps) == ("a hen", 7, 3)
    assert (record.model, record.requested_model) == ("flux_magic stand-in", "flux-schnell")
    assert (record.space, record.requested_space, record.stand_in) == ("local:1", "local", True)
    assert record.provider == "BlackForestLabs Flux-1-Schnell"
    assert (record.requested_width, record.requested_height, record.width, record.height) == (261, 300, 256, 296)
    assert record.circumstances.version == version("flux-magic")
    assert before <= datetime.fromisoformat(record.circumstances.started) <= datetime.now(timezone.utc)
    assert 0 < (record.circumstances.seconds or -1) < PATIENCE
    (file,) = record.files
    assert (file.media_type, file.width, file.height) == ("image/webp", 256, 296)
    assert file.sha256 == hashlib.sha256(made.data).hexdigest()


def test_a_record_holds_no_address_of_the_machine(space: str) -> None:
    made = run(make_image(space))
    assert "127.0.0.1" in made.url
    assert "127.0.0.1" not in str(made.record.as_dict())
    assert "/tmp" not in str(made.record.as_dict())


def test_the_command_of_an_image_names_what_makes_it_again(space: str) -> None:
    assert "--seed 42" in run(make_image(space)).command()
    assert "--space local" in run(make_image(space)).command()


def test_an_edit_keeps_its_images_size_and_another_size_is_refused(space: str) -> None:
    """The stand-in is sent a model's default steps, which its endpoint for edits may lack, but a size is somebody's."""
    fox = run(make_image(space))
    winter = run(AsyncClient(space=space).generate("make it winter", image=fox, seed=2))
    assert (winter.width, winter.height) == (fox.width, fox.height)
    with pytest.raises(InvalidRequest, match="this Space takes no width"):
        run(AsyncClient(space=space).generate("make it winter", image=fox, seed=3, **SMALL))


def test_without_a_seed_each_image_has_one_of_its_own(space: str) -> None:
    first, second = (run(make_image(space, seed=None)) for _ in range(2))
    assert first.seed != second.seed
    assert run(make_image(space, seed=first.seed)).digest == first.digest


def test_a_count_gives_successive_seeds_in_order(space: str) -> None:
    made = run(AsyncClient(space=space).generate("a red fox", count=3, seed=42, **SMALL))
    assert isinstance(made, Generations)
    assert [one.seed for one in made] == [42, 43, 44]
    assert len({one.digest for one in made}) == 3
    assert made[1].digest == run(make_image(space, seed=43)).digest


def test_a_stream_ends_with_its_generation(slow_space: str) -> None:
    *events, last = run(streamed(AsyncClient(space=slow_space), steps=2))
    assert isinstance(last, Generation)
    assert list(dict.fromkeys(map(type, events))) == [Waiting, Queued, Running]


def test_a_stream_that_is_left_early_leaves_nothing(slow_space: str) -> None:
    async def first_event() -> ClientEvent:
        async with aclosing(AsyncClient(space=slow_space).stream(make_request(steps=2))) as events:
            return await anext(events)

    assert isinstance(run(first_event()), Waiting)


def test_one_client_serves_one_loop_after_the_other(space: str) -> None:
    client = AsyncClient(space=space, seed=42, **SMALL)
    made = [run(client.generate("a red fox")) for _ in range(2)]
    assert [one.digest for one in made] == [run(make_image(space)).digest] * 2


def test_as_a_context_one_client_serves_several_loops_too(space: str) -> None:
    client = AsyncClient(space=space, seed=42, **SMALL)

    async def twice() -> tuple[object, object]:
        async with client:
            return await client.generate("a red fox"), await client.generate("a hen")

    for _ in range(2):
        first, second = run(twice())
        assert isinstance(first, Generation)
        assert isinstance(second, Generation)
        assert first.digest != second.digest


def test_after_its_context_a_client_still_works(space: str) -> None:
    async def work() -> object:
        async with AsyncClient(space=space, **SMALL) as client:
            pass
        return await client.generate("a red fox", seed=42)

    made = run(work())
    assert isinstance(made, Generation)


def test_two_images_at_once_on_one_client_do_not_mix(space: str) -> None:
    async def work() -> list[Any]:
        async with AsyncClient(space=space, **SMALL) as client:
            return await asyncio.gather(*(client.generate(prompt, seed=1) for prompt in ("a fox", "a hen", "an owl")))

    made = run(work())
    assert [one.prompt for one in made] == ["a fox", "a hen", "an owl"]
    assert [one.digest for one in made] == [run(make_image(space, one.prompt, seed=1)).digest for one in made]


REFUSED = [
    pytest.param({"steps": 51}, "steps is 51: this Space takes 1 to 50", id="the Space's bound"),
    pytest.param({"steps": "many"}, "steps is 'many': give a whole number", id="another type"),
    pytest.param({"count": 0}, "count is 0", id="none at all"),
    pytest.param({"seed": 2**31}, "seed is 2147483648: give a whole number from 0 to", id="a seed"),
    pytest.param({"model": "dall-e"}, "there is no model 'dall-e'", id="a model"),
    pytest.param({"space": "nowhere"}, "'nowhere' is no Space", id="a Space"),
    pytest.param({"timeout": -1}, "timeout is -1", id="a timeout"),
    pytest.param({"proxy": "socks5://h:1"}, "cannot use a socks5 proxy", id="a proxy"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_an_option_that_cannot_be_is_refused(space: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        run(AsyncClient(space=space).generate("a fox", **options))
    assert words in str(caught.value)


def test_an_unknown_option_is_the_callers_mistake(space: str) -> None:
    with pytest.raises(TypeError, match=r"has no argument colour"):
        AsyncClient(colour="red")  # type: ignore[call-arg]  # the mistake
    with pytest.raises(TypeError, match=r"has no argument colour"):
        run(AsyncClient(space=space).generate("a fox", colour="red"))  # type: ignore[call-overload]  # the mistake  # type: ignore[call-overload]  # the mistake


def test_a_timeout_names_itself_and_the_option_that_allows_more(slow_space: str) -> None:
    with pytest.raises(TimedOut) as caught:
        run(make_image(slow_space, steps=5, timeout=0.3))
    assert str(caught.value).splitlines() == [
        "no image within 0.3 s, the limit that was set",
        "Allow more with --timeout.",
    ]
    assert isinstance(caught.value, FluxError)


def now() -> float:
    return asyncio.get_running_loop().time()


async def cancelled(task: asyncio.Task[Generation]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_job_that_is_cancelled_in_the_queue_frees_its_place(slow_space: str) -> None:
    async def work() -> None:
        running = asyncio.create_task(make_image(slow_space, steps=4))
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(make_image(slow_space, steps=50))
        await asyncio.sleep(0.2)
        await cancelled(waiting)
        begin = now()
        await asyncio.gather(running, make_image(slow_space, steps=1))
        taken, begin = now() - begin, now()
        await asyncio.gather(make_image(slow_space, steps=4), make_image(slow_space, steps=1))
        assert taken < 2 * (now() - begin) + 5  # the 50 steps would have taken 15 s

    run(work())


def test_a_job_that_is_cancelled_while_it_runs_ends_at_once_and_the_next_image_comes(slow_space: str) -> None:
    async def work() -> None:
        running = asyncio.create_task(make_image(slow_space, steps=50))
        await asyncio.sleep(0.4)
        begin = now()
        await cancelled(running)
        ending, begin = now() - begin, now()
        assert (await make_image(slow_space, steps=1)).seed == 42
        coming, begin = now() - begin, now()
        await make_image(slow_space, steps=1)
        usual = now() - begin
        assert ending < 2 * usual + 5
        assert coming < 2 * usual + 5  # the 50 steps would have taken 15 s

    run(work())


def test_a_space_tells_what_it_takes_by_the_names_of_a_request(space: str) -> None:
    async def work() -> Any:
        async with AsyncClient() as client:
            return await client.fetch_description(resolve(space=space))

    ranges = {row.name: (row.least, row.most) for row in run(work()).parameters}
    sides = {"width": (256, 2048), "height": (256, 2048)}
    assert {"seed": (0, MAX_SEED), **sides, "steps": (1, 50), "guidance": (0, 20)}.items() <= ranges.items()


def test_the_local_space_is_not_started_for_its_description() -> None:
    assert not local.shared.running
    assert run(AsyncClient().fetch_description(resolve(space="local"))) is None
    assert not local.shared.running
