"""What a provider's stream is wrapped in: an awaitable generator, and limits of time."""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from typing import Any

import pytest

from flux_magic.errors import TimedOut
from flux_magic.providers.base import AsyncResult, Limits, limit_events
from flux_magic.types import ImageResponse
from tests.support.limits import PATIENCE


def result(closed: list[str]) -> AsyncResult:
    """Yield an AsyncResult of two answers; `closed` gets what its generator was thrown."""

    async def answers() -> AsyncGenerator[ImageResponse, None]:
        try:
            yield ImageResponse(["1"], "")
            yield ImageResponse(["2"], "")
        except BaseException as error:
            closed.append(type(error).__name__)
            raise

    return AsyncResult(answers())


def test_what_the_provider_returns_is_an_async_generator_that_can_be_awaited() -> None:
    async def both_ways() -> list[list[str]]:
        awaited = await result([])
        return [response.images async for response in awaited]

    assert inspect.isawaitable(result([]))
    assert asyncio.run(both_ways()) == [["1"], ["2"]]


def test_awaiting_a_result_gives_itself() -> None:
    async def itself() -> bool:
        made = result([])
        return await made is made

    assert asyncio.run(itself())


@pytest.mark.parametrize(
    ("thrown", "name"),
    [
        pytest.param((ZeroDivisionError("x"),), "ZeroDivisionError", id="an error"),
        pytest.param((ZeroDivisionError,), "ZeroDivisionError", id="a kind"),
        pytest.param((ZeroDivisionError, ZeroDivisionError("x")), "ZeroDivisionError", id="kind and error"),
        pytest.param((ZeroDivisionError, None, None), "ZeroDivisionError", id="the old form"),
    ],
)
def test_an_error_is_thrown_into_the_generator(thrown: tuple[Any, ...], name: str) -> None:
    closed: list[str] = []

    async def throw() -> None:
        made = result(closed)
        assert (await made.asend(None)).images == ["1"]
        await made.athrow(*thrown)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(throw())
    assert closed == [name]


def test_closing_a_result_closes_its_generator() -> None:
    closed: list[str] = []

    async def close() -> None:
        made = result(closed)
        await anext(made)
        await made.aclose()

    asyncio.run(close())
    assert closed == ["GeneratorExit"]


class _Hasty(asyncio.SelectorEventLoop):
    """A loop on which a pause takes no time, and however busy the machine is, no longer than was said."""

    def __init__(self) -> None:
        super().__init__(selector := selectors.SelectSelector())
        self.now, select = 0.0, selector.select

        def skip(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self.now += timeout or 0
            return select(0 if timeout is not None else None)

        selector.select = skip  # type: ignore[method-assign]

    def time(self) -> float:
        return self.now


def limited_events(limits: Limits, *pauses: float, error: Exception | None = None) -> list[int]:
    """Return what comes within the limits of a generator with these pauses before its items."""

    async def events() -> AsyncGenerator[int, None]:
        for number, pause in enumerate(pauses):
            await asyncio.sleep(pause)
            yield number
        if error:
            raise error

    async def collected() -> list[int]:
        return [event async for event in limit_events(events(), limits)]

    with closing(_Hasty()) as loop:
        return loop.run_until_complete(collected())


def test_within_its_limits_a_stream_is_as_it_is() -> None:
    assert limited_events(Limits(), 0, 0, 0) == [0, 1, 2]
    assert limited_events(Limits(total=30), 0, 0) == [0, 1]


def test_the_limit_on_the_whole_is_over_all_events() -> None:
    with pytest.raises(TimedOut, match=r"no image within 0\.15 s, the limit that was set"):
        limited_events(Limits(total=0.15), *[0.06] * 5)


def test_the_limit_on_progress_is_between_two_events() -> None:
    assert limited_events(Limits(progress=2), *[0.3] * 8) == list(range(8))
    with pytest.raises(TimedOut, match=r"the Space showed no progress for 0\.05 s"):
        limited_events(Limits(progress=0.05, total=60), 0, 0.3)


def test_a_limit_that_the_provider_reached_itself_keeps_its_words() -> None:
    with pytest.raises(TimedOut, match="sent nothing"):
        limited_events(Limits(), 0, error=TimedOut("h.example sent nothing for 35 s"))


def test_a_cancellation_that_comes_together_with_an_event_is_not_lost() -> None:
    async def endless() -> AsyncGenerator[int, None]:
        while True:
            await asyncio.sleep(0)
            yield 1

    async def read() -> None:
        async with aclosing(limit_events(endless(), Limits())) as events:
            async for _ in events:
                pass

    async def cancel_after(turns: int) -> None:
        reading = asyncio.ensure_future(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        done, _ = await asyncio.wait({reading}, timeout=PATIENCE)
        assert done

    async def cancelled_at_each_turn() -> None:
        for turns in range(1, 30):
            await cancel_after(turns)

    asyncio.run(cancelled_at_each_turn())
