"""How many connections images take, and that none waits for a stream's end."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from flux_magic.client.async_client import AsyncClient
from tests.support.hostile import COMPLETED, Answer, answer_stream, run_hostile
from tests.support.space import run

Then = Literal["silence", "heartbeats", "cut"]

LATE = 0.01
"""Seconds in which a stream that has said all ends in a packet of its own."""


def peers(images: int, queue: Answer) -> int:
    """Return how many connections a server sees while a client makes some images, one after the other."""

    async def work() -> int:
        async with run_hostile(queue=queue) as server, AsyncClient(space=server.address, store=False) as client:
            for seed in range(images):
                await client.generate("a red fox", seed=seed)
            return len(server.peers)

    return run(work())


def test_one_connection_serves_several_images() -> None:
    # On a busy machine a stream may end later than is waited for: so in one of three tries.
    assert 1 in (peers(4, answer_stream(COMPLETED)) for _ in range(3))


def test_a_stream_that_ends_a_little_later_costs_no_connection_an_image() -> None:
    assert 1 in (peers(4, replace(answer_stream(COMPLETED), lingers=LATE)) for _ in range(3))


@pytest.mark.parametrize("then", ["silence", "heartbeats", "cut"])
def test_a_stream_that_the_server_does_not_end_delays_and_loses_no_image(then: Then) -> None:
    # It costs a connection for each image, and the first one's before.
    assert peers(3, replace(answer_stream(COMPLETED), then=then)) == 4
