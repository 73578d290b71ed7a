"""The two streams of a job, message by message, in the forms of Gradio 4, 5 and 6."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux_magic.errors import (
    CancelledByServer,
    FluxError,
    GpuTrouble,
    ProtocolError,
    QueueFull,
    QuotaExceeded,
    ResponseError,
    SpaceError,
)
from flux_magic.providers.gradio import decoding
from flux_magic.providers.gradio.by_file import find_endpoint, place_by_file
from flux_magic.providers.gradio.choosing import Need, choose_endpoint
from flux_magic.providers.gradio.decoding import (
    Finished,
    JobUnknown,
    Partial,
    WireEvent,
    decode_call_event,
    decode_queue_event,
    find_files,
    find_seed,
    make_space_error,
    parse,
    parse_event_id,
    strip_markup,
)
from flux_magic.providers.gradio.description import describe_space
from flux_magic.providers.gradio.meanings import name_all
from flux_magic.providers.gradio.placing import place
from flux_magic.providers.gradio.signature import Contract, read_contract
from flux_magic.providers.http.response import Answer, check_login, make_http_error
from flux_magic.providers.http.sse import ServerSentEvent
from flux_magic.types import ImageRequest, Log, Queued, Running

FILE = {"path": "/tmp/g/image.webp", "url": "http://host/file=/tmp/g/image.webp", "meta": {"_type": "gradio.FileData"}}
QUOTA = "You have exceeded your free ZeroGPU quota (60s requested vs. 0s left). Try again in 1:02:03."
LINKS = (
    'You have exceeded your <b>free</b> ZeroGPU quota &amp; more. <a style="color: red" href="https://h.example">'
    "Sign-up on Hugging Face</a>\n to get more quota"
)


def message(msg: str, **fields: Any) -> ServerSentEvent:
    return ServerSentEvent("message", json.dumps({"msg": msg, "event_id": "b889", **fields}))


def progress(*bars: object) -> ServerSentEvent:
    return message("progress", progress_data=list(bars))


def steps(index: object, length: object = None, unit: object = None) -> dict[str, object]:
    return {"index": index, "length": length, "unit": unit, "progress": None, "desc": None}


def completed(output: object, *, success: bool = True) -> ServerSentEvent:
    return message("process_completed", output=output, success=success, title=None)


def called(name: str, data: object) -> ServerSentEvent:
    return ServerSentEvent(name, json.dumps(data))


@pytest.mark.parametrize(
    ("event", "decoded"),
    [
        pytest.param(message("estimation", rank=0, queue_size=1, rank_eta=None), Queued(1, 1, None), id="first"),
        pytest.param(message("estimation", rank=4, queue_size=9, rank_eta=21.5), Queued(5, 9, 21.5), id="fifth"),
        pytest.param(message("estimation", rank=0), Queued(1, None, None), id="no size"),
        pytest.param(message("estimation", rank=None), None, id="no rank"),
        pytest.param(message("process_starts", eta=2.34), Running(None, None), id="start"),
        pytest.param(progress(steps(1, 4, "steps")), Running(1, 4, "steps"), id="a step"),
        pytest.param(progress(steps(0, 4, "steps"), steps(2, 9, "tiles")), Running(2, 9, "tiles"), id="nested bars"),
        pytest.param(progress(steps(7)), Running(7, None, "steps"), id="no length and no unit"),
        pytest.param(progress(steps(7, 1.5)), Running(7, None, "steps"), id="an odd length"),
        pytest.param(progress(), None, id="no bar"),
        pytest.param(progress(steps(None)), None, id="a bar without an index"),
        pytest.param(progress("half"), None, id="a bar that is none"),
        pytest.param(message("progress", progress_data=None), None, id="no list of bars"),
        pytest.param(
            message("log", log="Waiting for a GPU", level="info", title="x"), Log("Waiting for a GPU"), id="a log"
        ),
        pytest.param(message("heartbeat"), None, id="a heartbeat"),
        pytest.param(
            message("process_generating", output={"data": [[["replace", [], 1]]]}),
            Partial([[["replace", [], 1]]]),
            id="a generator's step",
        ),
        pytest.param(message("close_stream"), None, id="the end"),
        pytest.param(ServerSentEvent("message", "not json"), None, id="no JSON"),
        pytest.param(ServerSentEvent("message", "[1]"), None, id="no message"),
        pytest.param(
            completed({"data": [FILE, 42], "is_generating": False, "duration": 0.002}), Finished([FILE, 42]), id="done"
        ),
        pytest.param(message("process_completed", output={"data": []}), Finished([]), id="done, without success"),
    ],
)
def test_the_queue_stream_tells_where_a_job_stands(event: ServerSentEvent, decoded: WireEvent | None) -> None:
    assert decode_queue_event(event) == decoded


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        pytest.param(
            completed({"error": QUOTA, "title": "ZeroGPU quota exceeded"}, success=False),
            SpaceError,
            f"the Space says: ZeroGPU quota exceeded: {QUOTA}",
            id="an error with a title",
        ),
        pytest.param(completed({"error": "no"}, success=False), SpaceError, "the Space says: no", id="an error"),
        pytest.param(completed({"error": None}, success=False), SpaceError, "gave no reason", id="an exception"),
        pytest.param(completed(None, success=False), SpaceError, "gave no reason", id="an error without output"),
        pytest.param(completed({}), CancelledByServer, "cancelled the job", id="cancelled"),
        pytest.param(completed(None), CancelledByServer, "cancelled the job", id="no output"),
        pytest.param(completed({"data": "x"}), ProtocolError, "not a list of outputs", id="no list"),
        pytest.param(
            message("unexpected_error", message="404: Not Found", session_not_found=True, success=False),
            JobUnknown,
            "does not know the job",
            id="an unknown session",
        ),
        pytest.param(
            message("unexpected_error", message="<b>out of</b> memory", success=False),
            ProtocolError,
            "the Space gave up the job: out of memory",
            id="an unexpected error",
        ),
        pytest.param(
            message("unexpected_error", message="404: Not Found"), JobUnknown, "not know", id="without a flag"
        ),
        pytest.param(message("unexpected_error"), ProtocolError, "no reason given", id="an error without a message"),
        pytest.param(message("server_stopped"), ProtocolError, "the Space gave up the job", id="the server stops"),
    ],
)
def test_the_queue_stream_tells_why_a_job_failed(event: ServerSentEvent, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        decode_queue_event(event)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("event", "decoded"),
    [
        pytest.param(called("complete", [FILE, 42]), Finished([FILE, 42]), id="done"),
        pytest.param(called("complete", [None, 42]), Finished([None, 42]), id="done, without an image"),
        pytest.param(called("heartbeat", None), None, id="a heartbeat"),
        pytest.param(called("generating", [FILE, 42]), Partial([FILE, 42]), id="a generator's step"),
        pytest.param(called("generating", None), None, id="a generator's step without outputs"),
        pytest.param(called("message", [FILE, 42]), None, id="no name"),
    ],
)
def test_the_simple_route_tells_the_end_alone(event: ServerSentEvent, decoded: WireEvent | None) -> None:
    assert decode_call_event(event) == decoded


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        pytest.param(
            called("error", {"error": "too much", "duration": 10, "visible": True, "title": "ZeroGPU quota exceeded"}),
            SpaceError,
            "the Space says: ZeroGPU quota exceeded: too much",
            id="Gradio 6",
        ),
        pytest.param(called("error", None), SpaceError, "gave no reason", id="Gradio 4 and 5"),
        pytest.param(called("error", {"error": None}), SpaceError, "gave no reason", id="an exception"),
        pytest.param(called("error", "404: Not Found"), JobUnknown, "does not know the job", id="an unknown event"),
        pytest.param(ServerSentEvent("error", "broken"), SpaceError, "says: broken", id="no JSON"),
        pytest.param(called("complete", None), CancelledByServer, "cancelled the job", id="cancelled"),
        pytest.param(called("complete", {"data": []}), ProtocolError, "not a list of outputs", id="no list"),
        pytest.param(ServerSentEvent("complete", "[1,"), ProtocolError, "not a list of outputs", id="cut JSON"),
    ],
)
def test_the_simple_route_tells_why_a_job_failed(event: ServerSentEvent, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        decode_call_event(event)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(
            {"error": LINKS, "title": "ZeroGPU quota exceeded"},
            "the Space says: ZeroGPU quota exceeded: You have exceeded your free ZeroGPU quota & more. "
            "Sign-up on Hugging Face to get more quota",
            id="HTML",
        ),
        pytest.param({"error": "no", "title": "Error"}, "the Space says: no", id="a title that says nothing"),
        pytest.param({"error": "no", "title": None}, "the Space says: no", id="no title"),
        pytest.param({"error": 7}, "the Space failed and gave no reason", id="a number"),
        pytest.param([1], "the Space failed and gave no reason", id="a list"),
    ],
)
def test_an_error_is_told_in_the_spaces_own_words_without_its_markup(said: object, shown: str) -> None:
    assert str(make_space_error(said)).split("\n")[0] == shown


def test_an_error_of_pages_is_cut() -> None:
    assert strip_markup("word " * 500) == ("word " * 500)[:500]
    assert "\n" not in strip_markup("a\n\r\nb")


def test_an_error_without_a_reason_says_what_to_do() -> None:
    assert make_space_error(None).hint == "Run the cell again, or with other parameters."


def test_a_title_alone_is_what_the_space_says() -> None:
    assert "ZeroGPU worker error" in str(make_space_error({"error": None, "title": "ZeroGPU worker error"}))


def test_nesting_without_end_is_a_response_error() -> None:
    with pytest.raises(ResponseError):
        decode_call_event(ServerSentEvent("complete", "[" * 200_000))


def test_a_time_that_is_no_number_is_unknown() -> None:
    event = decode_queue_event(
        ServerSentEvent("message", '{"msg":"estimation","rank":0,"rank_eta":"soon","queue_size":"?"}')
    )
    assert event == Queued(1, None, None)


@pytest.mark.parametrize(
    ("words", "kind", "seconds"),
    [
        pytest.param(
            "You have exceeded your free ZeroGPU quota. Try again in 1:02:03.", QuotaExceeded, 3723, id="quota"
        ),
        pytest.param("You have exceeded your GPU quota (60s left)", QuotaExceeded, None, id="quota without a time"),
        pytest.param("ZeroGPU worker error", GpuTrouble, None, id="worker"),
        pytest.param("GPU task aborted", GpuTrouble, None, id="aborted"),
        pytest.param("Value 5000 is greater than maximum value 2048.", SpaceError, None, id="other"),
    ],
)
def test_trouble_with_the_gpu_is_told_apart(words: str, kind: type[SpaceError], seconds: int | None) -> None:
    error = make_space_error({"error": words})
    assert type(error) is kind
    assert words in error.message
    assert getattr(error, "retry_after", None) == seconds


def test_a_wait_is_told_in_minutes() -> None:
    assert "in about 3 min" in make_space_error({"error": "GPU quota exceeded. Try again in 0:02:01"}).hint


def test_a_full_queue_is_told_apart() -> None:
    with pytest.raises(QueueFull):
        decode_queue_event(message("queue_full"))


HUGE = "9" * 4000
STEERING = "a \x1b[2Jred\x07 \x9d fox\u202e \ud800 hf_secret"


@pytest.mark.parametrize(
    ("told", "event"),
    [
        pytest.param(f'{{"msg":"estimation","rank":{HUGE}}}', None, id="a rank"),
        pytest.param(f'{{"msg":"estimation","rank":0,"queue_size":{HUGE},"rank_eta":{HUGE}}}', Queued(1), id="a queue"),
        pytest.param('{"msg":"estimation","rank":0,"rank_eta":1e999}', Queued(1), id="a time without end"),
        pytest.param(f'{{"msg":"progress","progress_data":[{{"index":{HUGE}}}]}}', None, id="a step"),
        pytest.param(
            f'{{"msg":"progress","progress_data":[{{"index":1,"length":-{HUGE}}}]}}', Running(1), id="a number of steps"
        ),
    ],
)
def test_a_number_out_of_all_bounds_is_not_known(told: str, event: object) -> None:
    assert decode_queue_event(ServerSentEvent("message", told)) == event


def test_a_file_is_found_however_deep_it_is_nested() -> None:
    """Deeper than Python recurses: JSON is read to a greater depth than a generator may nest."""
    data: list[object] = [{"path": "/tmp/a.png"}]
    for _ in range(5000):
        data = [{"more": data}]
    assert find_files(data, "http://h") == ["http://h/file=/tmp/a.png"]


def test_a_spaces_words_steer_nothing_wherever_they_go() -> None:
    """Return a terminal obeys escapes and controls, a direction override reorders a line, and half a character is no
    UTF-8.
    """
    log = decode_queue_event(ServerSentEvent("message", json.dumps({"msg": "log", "log": STEERING, "level": STEERING})))
    assert isinstance(log, Log)
    for shown in (
        log.message,
        log.level,
        str(make_space_error({"error": STEERING})),
        str(FluxError(STEERING, STEERING)),
    ):
        assert not re.search("[\x1b\x07\x9d\u202e\ud800]|secret", shown)
        assert "a \ufffd[2Jred\ufffd" in shown


def nested(depth: int) -> Any:
    value: Any = FILE
    for _ in range(depth):
        value = [value]
    return value


NASTY: Any = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([10**9, 10**9 + 1, -1, 10**4000, -(10**4000), 2**63, 1e308, 1e400, -0.0]),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["\ud800", "\x1b]52;c;x\x07", "\u202e", "a" * 600, "404: Not Found", "http://[", "\x00"]),
        st.integers(1, 700).map(nested),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["path", "url", "image", "data", "index", "error", "", "x"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
PLACES = ["rank", "queue_size", "rank_eta", "log", "level", "title", "message", "session_not_found", "success"]
MESSAGE = st.fixed_dictionaries(
    {"msg": st.sampled_from([*decoding._MESSAGES, "heartbeat"])},
    optional={
        **dict.fromkeys(PLACES, NASTY),
        "progress_data": st.one_of(
            NASTY, st.lists(st.dictionaries(st.sampled_from(["index", "length", "unit", "desc"]), NASTY))
        ),
        "output": st.one_of(NASTY, st.dictionaries(st.sampled_from(["data", "error", "title"]), NASTY)),
    },
)
CONFIGURATION = st.fixed_dictionaries(
    {
        "dependencies": st.one_of(
            NASTY,
            st.lists(
                st.dictionaries(st.sampled_from(["id", "api_name", "inputs"]), st.one_of(NASTY, st.just("infer")))
            ),
        )
    },
    optional={
        **dict.fromkeys(["api_prefix", "version", "title"], NASTY),
        "components": st.one_of(
            NASTY,
            st.lists(
                st.fixed_dictionaries(
                    {
                        "id": NASTY,
                        "type": NASTY,
                        "props": st.one_of(NASTY, st.fixed_dictionaries({"minimum": NASTY, "maximum": NASTY})),
                    }
                )
            ),
        ),
    },
)
PARAMETER = st.dictionaries(
    st.sampled_from(["parameter_name", "type", "parameter_has_default", "parameter_default"]),
    st.one_of(NASTY, st.sampled_from(["prompt", "seed"])),
)
INFO = st.one_of(
    NASTY, st.lists(PARAMETER, max_size=3).map(lambda listed: {"named_endpoints": {"/infer": {"parameters": listed}}})
)


def shown_of(decoded: object) -> None:
    """Show a decoded event as anyone who gets it may: none of it is an error."""
    repr(decoded)
    if isinstance(decoded, Finished | Partial):
        find_files(decoded.data, "http://h/gradio_api")
    if isinstance(decoded, Finished):
        find_seed(decoded.data, 42)
    if isinstance(decoded, Running | Queued | Log):
        json.dumps(dataclasses.asdict(decoded)).encode()


def try_both_ways(contract: Contract) -> None:
    """Place a request as a model's file says, and as the Space itself does."""
    with suppress(FluxError):
        place_by_file(find_endpoint(contract, "infer", ["prompt"]), {"prompt": "x"})
    described = describe_space(contract, "", None, {})
    placed = place(choose_endpoint(contract, Need()), ImageRequest("x", seed=1), {})
    json.dumps([placed.values, dict(placed.parameters), [row.name for row in described["parameters"]]])


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_space_says_is_an_event_or_an_error_of_ours(data: st.DataObject) -> None:
    """Return each place of an event, a configuration and an answer takes any value of JSON, as a Space may send it."""
    value, said = data.draw(st.one_of(NASTY, MESSAGE, CONFIGURATION)), json.dumps
    texts = [said(value), said({"data": value}), said(data.draw(MESSAGE)), said(data.draw(CONFIGURATION))]
    works: list[Callable[[str], object]] = [
        *(
            lambda text, name=name: shown_of(decode_call_event(ServerSentEvent(name, text)))
            for name in ("error", "generating", "complete")
        ),
        lambda text: shown_of(decode_queue_event(ServerSentEvent("message", text))),
        parse_event_id,
        lambda text: check_login(Answer(200, text)),
        lambda text: str(make_http_error(Answer(503, text))),
        lambda text: try_both_ways(name_all(read_contract(parse(text), data.draw(INFO)))),
    ]
    for text in texts:
        for work in works:
            with suppress(FluxError):
                work(text)


def test_json_of_very_many_values_is_not_read() -> None:
    """Python's parser holds the whole process up: a quarter of a million values take a tenth of a second."""
    assert parse("[" + "[1]," * 20_000 + "1]")[0] == [1]
    assert isinstance(parse("[" + "[1]," * 200_000 + "1]"), str)
