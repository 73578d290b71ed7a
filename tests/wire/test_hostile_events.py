"""What a Space may say of a job, on the simple route and on the queue stream."""

from __future__ import annotations

import json

import pytest

from flux_magic.errors import (
    CancelledByServer,
    EmptyResult,
    FluxError,
    NotAnImage,
    ProtocolError,
    ResponseError,
    SpaceError,
    TimedOut,
)
from flux_magic.providers.base import Limits
from tests.support.hostile import (
    COMPLETE,
    COMPLETED,
    FILE,
    HEARTBEAT,
    NO_SESSION,
    Answer,
    answer_page,
    answer_stream,
    ask_hostile,
    format_event,
    format_finished,
    format_message,
)

QUOTA = {
    "error": 'You have exceeded your <a href="https://hf.co">quota</a>',
    "title": "ZeroGPU quota exceeded",
    "duration": 10,
    "visible": True,
}
QUOTA_WORDS = "the Space says: ZeroGPU quota exceeded: You have exceeded your quota"
NO_REASON = "the Space failed and gave no reason"
EARLY = "the Space's stream ended before the image was done"

CALL = [
    pytest.param(format_event("error", QUOTA), SpaceError, QUOTA_WORDS, id="error with a title"),
    pytest.param(
        format_event("error", {"error": "no GPU"}), SpaceError, "the Space says: no GPU", id="error with words"
    ),
    pytest.param(format_event("error", {"error": None}), SpaceError, NO_REASON, id="error without words"),
    pytest.param(format_event("error", None), SpaceError, NO_REASON, id="error with null"),
    pytest.param(format_event("error", "404"), SpaceError, "404", id="error with a text"),
    pytest.param(format_event("error", "404: Not Found"), ProtocolError, "does not know the job", id="an unknown job"),
    pytest.param("event: error\ndata: <h1>x\n\n", SpaceError, "x", id="error with no JSON"),
    pytest.param(format_event("complete", None), CancelledByServer, "cancelled the job", id="cancelled"),
    pytest.param(format_event("complete", [None, 42]), EmptyResult, "sent no image", id="no image"),
    pytest.param(format_event("complete", []), EmptyResult, "sent no image", id="no output"),
    pytest.param(format_event("complete", [[], 42]), EmptyResult, "sent no image", id="an empty gallery"),
    pytest.param(format_event("complete", ["a text", 42]), NotAnImage, "is no image", id="a text"),
    pytest.param(format_event("complete", {"x": 1}), ProtocolError, "not a list of outputs", id="an object"),
    pytest.param("event: complete\ndata: <html>\n\n", ProtocolError, "not a list of outputs", id="no JSON"),
    pytest.param(format_event("complete", [{"path": None, "url": "ftp://h/x"}]), ProtocolError, "not http", id="ftp"),
    pytest.param("", ProtocolError, EARLY, id="an empty stream"),
    pytest.param(format_event("generating", [FILE, 42]), ProtocolError, EARLY, id="an end before the end"),
    pytest.param(COMPLETE[: len(COMPLETE) // 2], ProtocolError, "not a list of outputs", id="half an event"),
    pytest.param("<html>\n\n</html>", ProtocolError, EARLY, id="a page"),
]

GAVE_UP = format_message("unexpected_error", message="out of memory", success=False)
QUEUE = [
    pytest.param(format_finished(QUOTA, success=False), SpaceError, QUOTA_WORDS, id="error with a title"),
    pytest.param(format_finished({"error": "no GPU"}, success=False), SpaceError, "no GPU", id="error with words"),
    pytest.param(format_finished({"error": None}, success=False), SpaceError, NO_REASON, id="error without words"),
    pytest.param(format_finished(None, success=False), SpaceError, NO_REASON, id="error with null"),
    pytest.param(format_finished({}), CancelledByServer, "cancelled the job", id="cancelled"),
    pytest.param(format_finished({"data": [None, 42]}), EmptyResult, "sent no image", id="no image"),
    pytest.param(format_finished({"data": ["a text", 42]}), NotAnImage, "is no image", id="a text"),
    pytest.param(format_finished({"data": 7}), ProtocolError, "not a list of outputs", id="a number"),
    pytest.param(GAVE_UP, ProtocolError, "gave up the job: out of memory", id="gave up"),
    pytest.param(format_message("server_stopped"), ProtocolError, "gave up the job", id="stopped"),
    pytest.param(format_message("close_stream"), ProtocolError, EARLY, id="closed"),
    pytest.param(format_message("process_starts"), ProtocolError, EARLY, id="an end before the end"),
    pytest.param("data: [1]\n\ndata: {\n\n", ProtocolError, EARLY, id="no messages"),
    pytest.param("", ProtocolError, EARLY, id="an empty stream"),
]


def check(error: ResponseError, words: str) -> None:
    assert words in str(error)
    assert len(str(error).splitlines()) <= 3
    assert "<" not in str(error)


@pytest.mark.parametrize(("told", "kind", "words"), CALL)
def test_what_goes_wrong_on_the_simple_route_is_a_response_error(
    told: str, kind: type[ResponseError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        ask_hostile(progress=False, call=answer_stream(told))
    check(caught.value, words)


@pytest.mark.parametrize(("told", "kind", "words"), QUEUE)
def test_what_goes_wrong_on_the_queue_stream_is_a_response_error(
    told: str, kind: type[ResponseError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        ask_hostile(queue=answer_stream(told))
    check(caught.value, words)


UNKNOWN = [
    pytest.param(NO_SESSION, id="session_not_found"),
    pytest.param(Answer(b"Not Found", 404), id="404"),
    pytest.param(Answer(b"", 405), id="405"),
]


@pytest.mark.parametrize("queue", UNKNOWN)
def test_without_a_queue_stream_the_simple_route_is_taken(queue: Answer) -> None:
    got = ask_hostile(queue=queue)
    assert got.seen == ["config", "post", "queue", "call", "file"]
    assert (got.seed, got.files[0].width) == (42, 64)


def test_with_a_queue_stream_the_simple_route_is_left_alone() -> None:
    assert ask_hostile().seen == ["config", "post", "queue", "file"]


def test_without_progress_the_queue_stream_is_left_alone() -> None:
    assert ask_hostile(progress=False).seen == ["config", "post", "call", "file"]


def test_a_job_that_fails_is_not_asked_for_again_on_the_other_route() -> None:
    with pytest.raises(SpaceError, match="no GPU"):
        ask_hostile(
            queue=answer_stream(format_finished({"error": "no GPU"}, success=False)), call=answer_stream(COMPLETE)
        )


SPOKEN = [
    pytest.param(HEARTBEAT.decode() + ": a comment\n\n" + COMPLETE, id="heartbeats and comments"),
    pytest.param(format_event("generating", [None, 1]) + COMPLETE, id="a generator"),
    pytest.param(COMPLETE.replace("\n", "\r\n"), id="CRLF"),
    pytest.param(COMPLETE.replace("\n", "\r"), id="CR"),
    pytest.param("\ufeff" + COMPLETE, id="a byte order mark"),
    pytest.param(COMPLETE.rstrip("\n"), id="no blank line at the end"),
    pytest.param(COMPLETE.replace(", 42", ",\ndata: 42"), id="data on two lines"),
    pytest.param(format_event("complete", [FILE, 42, "x" * 4_000_000]), id="a line of 4 MB"),
    pytest.param(format_event("log", "ü" * 2_000_000) + COMPLETE, id="4 MB before it"),
]


@pytest.mark.parametrize("told", SPOKEN)
def test_an_event_is_understood_however_it_is_written(told: str) -> None:
    got = ask_hostile(progress=False, call=answer_stream(told))
    assert (got.files[0].media_type, got.seed) == ("image/png", 42)


def test_an_event_is_understood_as_soon_as_it_is_whole() -> None:
    assert ask_hostile(progress=False, call=answer_stream(COMPLETE, then="silence")).seed == 42
    assert ask_hostile(queue=answer_stream(COMPLETED, then="silence")).seed == 42


def test_a_gallery_gives_all_its_files() -> None:
    gallery = [{"image": {**FILE, "path": f"/tmp/{name}.png"}, "caption": None} for name in ("a", "b c", "d#?%")]
    got = ask_hostile(queue=answer_stream(format_finished({"data": [gallery, 7]})))
    assert (len(got.files), got.seed) == (3, 7)
    assert [url.split("/file=")[1] for url in got.urls] == ["/tmp/a.png", "/tmp/b%20c.png", "/tmp/d%23%3F%25.png"]


def test_a_stream_with_no_more_than_a_rank_stays_readable() -> None:
    odd = "".join(f"data: {json.dumps(value)}\n\n" for value in (None, 7, {"msg": None}, {"msg": "estimation"}))
    assert ask_hostile(queue=answer_stream(odd, format_message("progress", progress_data=[]), COMPLETED)).seed == 42


ENDLESS = [
    pytest.param(answer_stream(then="silence"), Limits(silence=0.3), "sent nothing for 0.3 s", id="silence"),
    pytest.param(
        answer_stream(HEARTBEAT, then="silence"), Limits(silence=0.3), "sent nothing for 0.3 s", id="then silence"
    ),
    pytest.param(
        answer_stream(then="heartbeats"), Limits(progress=0.4), "showed no progress for 0.4 s", id="heartbeats"
    ),
    pytest.param(answer_stream(then="heartbeats"), Limits(total=0.4), "no image within 0.4 s", id="the whole"),
]


@pytest.mark.parametrize("progress", [True, False], ids=["the queue stream", "the simple route"])
@pytest.mark.parametrize(("endless", "limits", "words"), ENDLESS)
def test_a_stream_without_end_comes_to_a_limit(
    endless: Answer,
    limits: Limits,
    words: str,
    progress: bool,  # noqa: FBT001 - a table's column
) -> None:
    with pytest.raises(TimedOut) as caught:
        ask_hostile(progress=progress, limits=limits, queue=endless, call=endless)
    assert words in str(caught.value)


BROKEN = [
    pytest.param(answer_stream(HEARTBEAT, then="cut"), ProtocolError, "broke off in the middle", id="in the middle"),
    pytest.param(answer_stream(then="cut"), ProtocolError, "broke off in the middle", id="before any byte"),
    pytest.param(answer_stream(COMPLETE[:30], then="cut"), ProtocolError, "broke off in the middle", id="in an event"),
    pytest.param(answer_page(500), ProtocolError, "HTTP status 500", id="a page of status 500"),
]


@pytest.mark.parametrize("progress", [True, False], ids=["the queue stream", "the simple route"])
@pytest.mark.parametrize(("broken", "kind", "words"), BROKEN)
def test_a_broken_stream_is_an_error(
    broken: Answer,
    kind: type[FluxError],
    words: str,
    progress: bool,  # noqa: FBT001 - a table's column
) -> None:
    with pytest.raises(kind) as caught:
        ask_hostile(progress=progress, queue=broken, call=broken)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3
