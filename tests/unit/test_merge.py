"""Several streams as one: `merge.merged`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import pytest

from flux_magic.client.merge import merged
from tests.support.space import run


class Sources:
    """Streams that count how many of them are open, and how many items were made."""

    def __init__(self, items: int = 2, pause: float = 0) -> None:
        self.items, self.pause = items, pause
        self.open = self.most_open = self.made = self.started = 0

    async def one(self, number: int) -> AsyncGenerator[str, None]:
        self.started += 1
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            for item in range(self.items):
                await asyncio.sleep(self.pause)
                self.made += 1
                yield f"{number}.{item}"
        finally:
            self.open -= 1

    def several(self, count: int) -> Iterator[AsyncGenerator[str, None]]:
        return (self.one(number) for number in range(count))


async def read(sources: Sources, count: int, at_once: int) -> list[tuple[int, str]]:
    return [item async for item in merged(sources.several(count), at_once)]


def test_every_item_of_every_source_comes_once_with_its_sources_place() -> None:
    items = run(read(Sources(3), 5, 2))
    assert sorted(items) == [(place, f"{place}.{item}") for place in range(5) for item in range(3)]


def test_the_items_of_a_source_come_in_its_order() -> None:
    items = run(read(Sources(4), 3, 3))
    assert [item for place, item in items if place == 1] == ["1.0", "1.1", "1.2", "1.3"]


@pytest.mark.parametrize(("count", "at_once", "most"), [(9, 4, 4), (9, 1, 1), (2, 8, 2), (0, 3, 0)])
def test_so_many_sources_are_open_at_once_and_no_more(count: int, at_once: int, most: int) -> None:
    sources = Sources(2, pause=0.001)
    assert len(run(read(sources, count, at_once))) == 2 * count
    assert sources.most_open == most
    assert sources.open == 0


def test_sources_are_taken_as_there_is_room_and_not_before() -> None:
    async def read_some() -> int:
        sources = Sources()
        async with aclosing(merged(sources.several(10**9), 3)) as items:
            async for _ in items:
                return sources.started
        return 0

    assert run(read_some()) == 3


def test_a_slow_reader_holds_the_sources_up() -> None:
    async def read_slowly() -> int:
        sources = Sources(100)
        async with aclosing(merged(sources.several(4), 4)) as items:
            await anext(items)
            await asyncio.sleep(0.05)
            return sources.made

    assert run(read_slowly()) <= 2 * 4 + 1


def test_who_stops_reading_closes_what_is_open() -> None:
    async def stop() -> Sources:
        sources = Sources(2, pause=0.001)
        async with aclosing(merged(sources.several(50), 4)) as items:
            await anext(items)
            assert sources.open == 4
        return sources

    sources = run(stop())
    assert (sources.open, sources.started) == (0, 4)


def test_an_error_of_one_ends_the_others_and_comes_out_as_it_is() -> None:
    async def failing() -> Sources:
        sources = Sources(2, pause=0.001)

        async def broken() -> AsyncGenerator[str, None]:
            yield "first"
            raise ZeroDivisionError("by design")

        mixed = (broken() if number == 5 else sources.one(number) for number in range(50))
        with pytest.raises(ZeroDivisionError, match="by design"):
            async for _ in merged(mixed, 4):
                pass
        return sources

    sources = run(failing())
    assert sources.open == 0
    assert sources.started < 15
