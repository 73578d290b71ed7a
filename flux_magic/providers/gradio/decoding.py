"""Decoding of a Gradio Space's configuration, events and results, without any I/O.

Measured against Gradio 4.44, 5.50 and 6.31; Gradio's own sources are the only specification.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from ...errors import (
    CancelledByServer,
    EmptyResult,
    GpuTrouble,
    NotAnImage,
    ProtocolError,
    QueueFull,
    QuotaExceeded,
    SpaceError,
    StreamLost,
    clean,
)
from ...images.bounded_json import parse_json
from ...parameters.table import MAX_SEED
from ...types import Log, Queued, Running
from ..http.sse import ServerSentEvent

_LONGEST = 64 * 2**10
"""Characters of a Space's words that are looked at; 500 of them are shown."""

_UNKNOWN: Final = "404: Not Found"
"""Gradio's words, within a stream, for a job that it does not know."""

_MOST: Final = 10**9
"""Larger numbers of seconds are not shown: no user waits that long."""

_MOST_VALUES: Final = 250_000

_WAIT = re.compile(r"[Tt]ry again in ([0-9]{1,4}):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Finished:
    """The job is done; `data` are the endpoint's outputs, in order."""

    data: list[Any]


@dataclass(frozen=True, slots=True)
class Partial:
    """The outputs so far of a Space that shows its image while it is being made, or what has changed in them."""

    data: list[Any]


class JobUnknown(StreamLost):
    """The Space does not know the job, or does not know it any more."""


WireEvent = Queued | Running | Log | Partial | Finished


def decode_queue_event(event: ServerSentEvent) -> WireEvent | None:
    """Decode one message of `GET /queue/data`; None for a message that no user needs."""
    message = parse(event.data)
    if not isinstance(message, dict):
        return None
    decode = _MESSAGES.get(str(message.get("msg")))
    return decode(message) if decode else None


def _decode_queued(message: dict[str, Any]) -> Queued | None:
    rank, size, eta = _read_count(message.get("rank")), _read_count(message.get("queue_size")), message.get("rank_eta")
    known = isinstance(eta, int | float) and not isinstance(eta, bool) and 0 <= eta <= _MOST
    return None if rank is None else Queued(rank + 1, size, eta if known else None)


def _read_count(value: object) -> int | None:
    """Return a number of jobs or steps; None for anything else, and for a number that is out of all bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST else None


def _decode_log(message: dict[str, Any]) -> Log | None:
    words = strip_markup(message.get("log"))
    return Log(words, strip_markup(message.get("level")) or "info") if words else None


def _raise_given_up(message: dict[str, Any]) -> None:
    words = strip_markup(message.get("message"))
    if message.get("session_not_found") or words == _UNKNOWN:
        raise make_unknown_error()
    raise ProtocolError(f"the Space gave up the job: {words or 'no reason given'}")


def make_unknown_error() -> JobUnknown:
    """Return the error for a job that the Space does not know."""
    return JobUnknown("the Space does not know the job any more", "Run the cell again.")


def _raise_queue_full(_message: dict[str, Any]) -> None:
    raise QueueFull("the Space's queue is full", "Try again in a minute.")


def _decode_running(progress: object) -> Running | None:
    """Return the innermost of Gradio's nested progress bars."""
    last = progress[-1] if isinstance(progress, list) and progress else None
    if not isinstance(last, dict) or (index := _read_count(last.get("index"))) is None:
        return None
    unit, description = strip_markup(last.get("unit")) or "steps", strip_markup(last.get("desc"))
    return Running(index, _read_count(last.get("length")), unit, description)


def _decode_partial(output: object) -> Partial | None:
    data = output.get("data") if isinstance(output, dict) else None
    return Partial(data) if isinstance(data, list) else None


def _decode_completed(message: dict[str, Any]) -> Finished:
    output = message.get("output")
    if not message.get("success", True):
        raise make_space_error(output)
    data = output.get("data") if isinstance(output, dict) else None
    return _decode_finished(data)


_MESSAGES: dict[str, Callable[[dict[str, Any]], WireEvent | None]] = {
    "estimation": _decode_queued,
    "process_starts": lambda _: Running(),
    "progress": lambda message: _decode_running(message.get("progress_data")),
    "log": _decode_log,
    "process_generating": lambda message: _decode_partial(message.get("output")),
    "process_completed": _decode_completed,
    "queue_full": _raise_queue_full,
    "unexpected_error": _raise_given_up,
    "server_stopped": _raise_given_up,
}


def decode_call_event(event: ServerSentEvent) -> WireEvent | None:
    """Decode one event of `GET /call/{endpoint}/{event_id}`; None for a heartbeat."""
    if event.name == "error":
        said = parse(event.data)
        raise make_unknown_error() if said == _UNKNOWN else make_space_error(said)
    if event.name == "generating":
        return _decode_partial({"data": parse(event.data)})
    return _decode_finished(parse(event.data)) if event.name == "complete" else None


def _decode_finished(data: object) -> Finished:
    if data is None:
        raise CancelledByServer("the Space cancelled the job", "Run the cell again.")
    if not isinstance(data, list):
        raise ProtocolError("the Space's result is not a list of outputs")
    return Finished(data)


def make_space_error(said: object) -> SpaceError:
    """Return the application's error, in its own words if it gives any."""
    if isinstance(said, dict):
        title, text = strip_markup(said.get("title")), strip_markup(said.get("error"))
        words = ": ".join(part for part in ("" if title == "Error" else title, text) if part)
    else:
        words = strip_markup(said)
    if not words:
        return SpaceError("the Space failed and gave no reason", "Run the cell again, or with other parameters.")
    return _make_gpu_error(words) or SpaceError(f"the Space says: {words}")


def _make_gpu_error(words: str) -> SpaceError | None:
    """Return an error of Hugging Face's shared GPUs, recognized by its title and text."""
    if re.search(r"quota|pending credits", words, re.IGNORECASE):
        seconds = _parse_wait(words)
        when = "later" if seconds is None else f"in about {-(-seconds // 60)} min"
        return QuotaExceeded(f"the Space says: {words}", f"Try again {when}, or with a token of your own.", seconds)
    if re.search(r"ZeroGPU|GPU (task aborted|is not available)|No GPU", words, re.IGNORECASE):
        return GpuTrouble(f"the Space says: {words}", "Run the cell again in a minute.")
    return None


def _parse_wait(words: str) -> int | None:
    match = _WAIT.search(words)
    if match is None:
        return None
    hours, minutes, seconds = (int(part) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def strip_markup(text: object) -> str:
    """Return a Space's words on one line, without HTML, 500 characters at most."""
    if not isinstance(text, str):
        return ""
    return clean(" ".join(html.unescape(re.sub(r"<[^<>]*>", "", text[:_LONGEST])).split())[:500])


def parse(data: str) -> Any:
    """Parse JSON; the string itself is returned if it is not JSON or has over a quarter of a million values."""
    if sum(map(data.count, ",[{")) > _MOST_VALUES:  # no thread helps: Python's parser holds all others up
        return data
    try:
        return parse_json(data)
    except ValueError:
        return data


def parse_event_id(text: str) -> str:
    """Return the id in the response to a POST; raises ProtocolError if there is no id."""
    answer = parse(text)
    event_id = answer.get("event_id") if isinstance(answer, dict) else None
    if not isinstance(event_id, str) or not re.fullmatch(r"[\w.-]{1,200}", event_id):
        raise ProtocolError("the Space took the job but gave it no id")
    return event_id


def find_files(data: list[Any], routes: str) -> list[str]:
    """Return the absolute addresses of all files in a result: single ones, lists and galleries.

    `routes` is what the Space's routes begin with: its base URL and their prefix.

    Raises EmptyResult if there are none, NotAnImage if there is something else in its place.
    """
    urls = [_build_address(found, routes) for found in find_file_data(data)]
    if urls:
        return urls
    if any(isinstance(value, str | dict) and value for value in data[:1]):
        raise NotAnImage("the Space's result is no image", "Is this a Space that makes images?")
    raise EmptyResult("the Space finished, but sent no image", "Run the cell again.")


def find_file_data(value: object) -> Iterator[dict[str, Any]]:
    """Yield the files in a result in their order, however deeply they are nested."""
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, list):
            left.extend(reversed(found))
        elif isinstance(found, dict):
            if not isinstance(found.get("path"), str) and not isinstance(found.get("url"), str):
                left.extend(reversed(found.values()))
            elif found.get("path") or found.get("url"):
                yield found


def _build_address(found: dict[str, Any], routes: str) -> str:
    """Return `path` on the Space's own base, else `url`, which may name another host."""
    path = found.get("path")
    try:
        if isinstance(path, str) and path and not path.startswith(("http://", "https://")):
            return f"{routes}/file={quote(path)}"
        url = urljoin(f"{routes}/", str(found.get("url") or path))
        if urlsplit(url).scheme in {"http", "https"}:
            return quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    except ValueError:
        pass
    raise ProtocolError("the Space gave an address for the image that is not http")


def find_seed(data: list[Any], sent: int | None = None) -> int | None:
    """Return the seed that was used: the one that was sent, if it is among the outputs.

    Else the last of them that is an integer from 0 to 2147483647.
    """
    whole = [int(value) for value in data if is_integer(value) and 0 <= value <= MAX_SEED]
    if sent in whole:
        return sent
    return whole[-1] if whole else None


def is_integer(value: object) -> bool:
    """Return True for an integer of JSON, in which 42.0 is one too."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)
