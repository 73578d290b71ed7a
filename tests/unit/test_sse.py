from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.providers.http.sse import Decoder, ServerSentEvent

HEARTBEAT = ServerSentEvent("heartbeat", "null")


def decoded(*chunks: bytes) -> list[ServerSentEvent]:
    """Return the events of a whole stream that comes in these chunks."""
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.finish()


def message(data: str) -> ServerSentEvent:
    return ServerSentEvent("message", data)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n\n\n", [], id="blank lines"),
        pytest.param(b"event: heartbeat\ndata: null\n\n", [HEARTBEAT], id="LF"),
        pytest.param(b"event: heartbeat\r\ndata: null\r\n\r\n", [HEARTBEAT], id="CRLF"),
        pytest.param(b"event: heartbeat\rdata: null\r\r", [HEARTBEAT], id="CR"),
        pytest.param(b"event: heartbeat\r\ndata: null\n\r", [HEARTBEAT], id="mixed ends"),
        pytest.param(b"\xef\xbb\xbfdata: x\n\n", [message("x")], id="a byte order mark"),
        pytest.param(b"data: \xef\xbb\xbfx\n\n", [message("\ufeffx")], id="a mark that is data"),
        pytest.param(b"data: x\n\n", [message("x")], id="no name"),
        pytest.param(b"data:x\n\n", [message("x")], id="no space"),
        pytest.param(b"data:  x \n\n", [message(" x ")], id="one space belongs to the colon"),
        pytest.param(b"data: a:b\n\n", [message("a:b")], id="a colon in the data"),
        pytest.param(b"data: a\ndata: b\n\n", [message("a\nb")], id="two lines of data"),
        pytest.param(b"data\n\n", [message("")], id="data without a colon"),
        pytest.param(b"data: a\ndata:\n\n", [message("a\n")], id="an empty line of data"),
        pytest.param(b": ping\ndata: x\n:\n\n", [message("x")], id="comments"),
        pytest.param(b"id: 7\nretry: 10\ndata: x\n\n", [message("x")], id="id and retry"),
        pytest.param(b"foo: 7\n data: y\ndata: x\n\n", [message("x")], id="unknown fields"),
        pytest.param(b"event: a\nevent: b\ndata: x\n\n", [ServerSentEvent("b", "x")], id="the last name counts"),
        pytest.param(b"event: a\n\ndata: x\n\n", [message("x")], id="a name without data is dropped"),
        pytest.param(b"event: a\ndata: x\n\ndata: y\n\n", [ServerSentEvent("a", "x"), message("y")], id="two events"),
        pytest.param(b"data: x", [message("x")], id="cut before the line's end"),
        pytest.param(b"data: x\n", [message("x")], id="cut before the blank line"),
        pytest.param(b"data: x\r", [message("x")], id="cut after a CR"),
        pytest.param(b"data: \xff\n\n", [message("\ufffd")], id="not UTF-8"),
        pytest.param(b"data: \xe2\x82", [message("\ufffd")], id="cut in a letter"),
        pytest.param("data: é\u2028\x85\x0b€\n\n".encode(), [message("é\u2028\x85\x0b€")], id="other line separators"),
    ],
)
def test_a_stream_gives_its_events(stream: bytes, events: list[ServerSentEvent]) -> None:
    assert decoded(stream) == events
    assert decoded(*(stream[place : place + 1] for place in range(len(stream)))) == events


def test_an_event_is_given_out_as_soon_as_its_blank_line_is_there() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: x\r\n") == []
    assert decoder.feed(b"\r") == [message("x")]
    assert decoder.feed(b"\ndata: y\n\n") == [message("y")]
    assert decoder.finish() == []


def test_a_line_feed_after_a_carriage_return_is_one_line_end_in_two_chunks() -> None:
    assert decoded(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [message("a\nb")]
    assert decoded(b"data: a\r", b"", b"\ndata: b\r\n\r\n") == [message("a\nb")]


def test_a_carriage_return_and_later_a_line_feed_are_two_line_ends() -> None:
    assert decoded(b"data: a\r", b"\n", b"\ndata: b\n\n") == [message("a"), message("b")]


def test_a_line_of_megabytes_in_small_chunks_is_one_event() -> None:
    long = "é" * 2_000_000
    stream = f"event: complete\ndata: {long}\n\n".encode()
    chunks = [stream[place : place + 4096] for place in range(0, len(stream), 4096)]
    assert decoded(*chunks) == [ServerSentEvent("complete", long)]


LINES = st.sampled_from(
    ["data: a", "data:b", "data", "data:  c ", "event: x", "event:y", "event", "id: 7", "retry: 3", ": ping", "é€𝄞", ""]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
PIECES = st.lists(st.one_of(LINES, ENDS, st.text(max_size=5)), max_size=25)


@given(mark=st.sampled_from([b"", b"\xef\xbb\xbf"]), pieces=PIECES, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_however_the_bytes_are_cut_the_events_are_the_same(mark: bytes, pieces: list[str], cuts: list[int]) -> None:
    stream = mark + "".join(pieces).encode()
    places = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    chunks = [stream[begin:end] for begin, end in pairwise(places)]
    assert decoded(*chunks) == decoded(stream)


EVENTS = st.lists(
    st.builds(
        ServerSentEvent,
        st.sampled_from(["message", "complete", "heartbeat"]),
        st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=20),
    ),
    max_size=5,
)


@given(events=EVENTS, end=ENDS)
def test_what_a_server_writes_is_what_is_read(events: list[ServerSentEvent], end: str) -> None:
    lines = [
        line
        for event in events
        for line in (f"event: {event.name}", *(f"data: {part}" for part in event.data.split("\n")), ": ping", "")
    ]
    assert decoded("".join(line + end for line in lines).encode()) == events
