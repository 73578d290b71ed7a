"""When a request is sent again, and how long is waited before."""

from __future__ import annotations

import pytest

from flux_magic.errors import (
    ConnectionFailed,
    ConnectionLost,
    FluxError,
    QueueFull,
    RateLimited,
    SpaceAsleep,
    SpaceError,
    StreamLost,
    TokenRefused,
)
from flux_magic.providers.base import Limits
from flux_magic.providers.http.response import StatusError
from flux_magic.providers.http.retry import Patience


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RateLimited("no"), id="429"),
        pytest.param(QueueFull("no"), id="queue full"),
        pytest.param(StatusError("no", status=503), id="503"),
    ],
)
def test_a_passing_trouble_is_tried_again_with_growing_waits_until_it_is_enough(error: FluxError) -> None:
    patience = Patience(Limits(retries=3, backoff=1))
    delays = [patience.compute_delay(error) for _ in range(4)]
    assert delays[-1] is None
    assert [delay is not None and low <= delay <= low + 1 for delay, low in zip(delays, (1, 2, 4), strict=False)] == [
        True
    ] * 3


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(SpaceError("no"), id="the application's"),
        pytest.param(TokenRefused("no"), id="401"),
        pytest.param(StatusError("no", status=500), id="500"),
        pytest.param(StatusError("no", status=422), id="422"),
    ],
)
def test_any_other_error_is_not_tried_again(error: FluxError) -> None:
    assert Patience(Limits()).compute_delay(error) is None


def test_what_a_space_asks_for_is_waited_but_not_for_ever() -> None:
    assert Patience(Limits()).compute_delay(RateLimited("no", retry_after=7)) == 7
    assert Patience(Limits(longest_wait=60)).compute_delay(RateLimited("no", retry_after=61)) is None


def test_a_sleeping_space_is_waited_for_until_it_should_be_awake() -> None:
    patience = Patience(Limits(backoff=0.1, wake=300))
    assert [patience.compute_delay(SpaceAsleep("no")) for _ in range(20)] == [pytest.approx(0.3)] * 20
    assert Patience(Limits(wake=0)).compute_delay(SpaceAsleep("no")) is None


def test_where_nobody_hears_it_is_tried_twice_again() -> None:
    patience = Patience(Limits(retries=4))
    assert [patience.compute_delay(ConnectionFailed("no")) is not None for _ in range(3)] == [True, True, False]


def test_a_broken_connection_is_tried_again_more_often_and_sooner() -> None:
    patience = Patience(Limits(retries=1, reconnections=6, backoff=1))
    delays = [patience.compute_delay(ConnectionLost("no")) for _ in range(7)]
    assert delays[-1] is None
    assert all(
        delay is not None and low <= delay <= low + 1 for delay, low in zip(delays, (1, 2, 4, 4, 4, 4), strict=False)
    )


@pytest.mark.parametrize(
    ("cause", "times", "wait"),
    [pytest.param(ConnectionLost("no"), 3, 0, id="connection"), pytest.param(None, 2, 0.5, id="stream")],
)
def test_a_job_whose_stream_was_lost_is_submitted_again_with_all_its_tries(
    cause: FluxError | None, times: int, wait: float
) -> None:
    patience, lost = Patience(Limits(retries=1, resubmissions=2, reconnections=3, backoff=0.5)), StreamLost("no")
    lost.__cause__ = cause
    for _ in range(times):
        assert [patience.compute_delay(RateLimited("no")) is None for _ in range(2)] == [False, True]
        assert patience.compute_delay(lost) == wait
    assert patience.compute_delay(lost) is None
