"""What a Gradio Space says, decoded without any I/O: its configuration, its events, its results.

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
    cleaned,
)
from ...images.bounded_json import parse_json
from ...parameters.table import MAX_SEED
from ...types import Log, Queued, Running
from ..http.sse import ServerSentEvent

_LONGEST = 64 * 2**10
"""Characters of a Space's words that are looked at; 500 of them are shown."""

_UNKNOWN: Final = "404: Not Found"
"""The words of Gradio for a job that it does not know, within a stream."""

_MOST: Final = 10**9
"""A number above this is none that a person waits for."""

_MOST_VALUES: Final = 250_000

_WAIT = re.compile(r"[Tt]ry again in ([0-9]{1,4}):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Finished:
    """The job is done; `data` are the endpoint's outputs, in order."""

    data: list[Any]


@dataclass(frozen=True, slots=True)
class Partial:
    """The outputs as far as they are: a Space that shows its image on the way."""

    data: list[Any]


class JobUnknown(StreamLost):
    """The Space does not know the job, or no longer."""


WireEvent = Queued | Running | Log | Partial | Finished


def queue_event(event: ServerSentEvent) -> WireEvent | None:
    """One message of `GET /queue/data`; None for what a person need not know."""
    message = parse(event.data)
    if not isinstance(message, dict):
        return None
    decode = _MESSAGES.get(str(message.get("msg")))
    return decode(message) if decode else None


def _queued(message: dict[str, Any]) -> Queued | None:
    rank, size, eta = _count(message.get("rank")), _count(message.get("queue_size")), message.get("rank_eta")
    known = isinstance(eta, int | float) and not isinstance(eta, bool) and 0 <= eta <= _MOST
    return None if rank is None else Queued(rank + 1, size, eta if known else None)


def _count(value: object) -> int | None:
    """Return a number of jobs or steps; None for anything else, and for a number that is out of all bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST else None


def _log(message: dict[str, Any]) -> Log | None:
    words = plain(message.get("log"))
    return Log(words, plain(message.get("level")) or "info") if words else None


def _given_up(message: dict[str, Any]) -> None:
    words = plain(message.get("message"))
    if message.get("session_not_found") or words == _UNKNOWN:
        raise unknown()
    raise ProtocolError(f"the Space gave up the job: {words or 'no reason given'}")


def unknown() -> JobUnknown:
    """Return the error for a job that the Space does not know."""
    return JobUnknown("the Space does not know the job any more", "Run the cell again.")


def _queue_full(_message: dict[str, Any]) -> None:
    raise QueueFull("the Space's queue is full", "Try again in a minute.")


def _running(progress: object) -> Running | None:
    """The innermost of Gradio's nested progress bars."""
    last = progress[-1] if isinstance(progress, list) and progress else None
    if not isinstance(last, dict) or (index := _count(last.get("index"))) is None:
        return None
    unit, description = plain(last.get("unit")) or "steps", plain(last.get("desc"))
    return Running(index, _count(last.get("length")), unit, description)


def _partial(output: object) -> Partial | None:
    """Only whole outputs: what comes later of a generator are changes to them, in a form of its own."""
    data = output.get("data") if isinstance(output, dict) else None
    whole = isinstance(data, list) and any(True for _ in _file_data(data))
    return Partial(data) if isinstance(data, list) and whole else None


def _completed(message: dict[str, Any]) -> Finished:
    output = message.get("output")
    if not message.get("success", True):
        raise space_error(output)
    data = output.get("data") if isinstance(output, dict) else None
    return _finished(data)


_MESSAGES: dict[str, Callable[[dict[str, Any]], WireEvent | None]] = {
    "estimation": _queued,
    "process_starts": lambda _: Running(),
    "progress": lambda message: _running(message.get("progress_data")),
    "log": _log,
    "process_generating": lambda message: _partial(message.get("output")),
    "process_completed": _completed,
    "queue_full": _queue_full,
    "unexpected_error": _given_up,
    "server_stopped": _given_up,
}


def call_event(event: ServerSentEvent) -> WireEvent | None:
    """One event of `GET /call/{endpoint}/{event_id}`; None for a heartbeat."""
    if event.name == "error":
        said = parse(event.data)
        raise unknown() if said == _UNKNOWN else space_error(said)
    if event.name == "generating":
        return _partial({"data": parse(event.data)})
    return _finished(parse(event.data)) if event.name == "complete" else None


def _finished(data: object) -> Finished:
    if data is None:
        raise CancelledByServer("the Space cancelled the job", "Run the cell again.")
    if not isinstance(data, list):
        raise ProtocolError("the Space's result is not a list of outputs")
    return Finished(data)


def space_error(said: object) -> SpaceError:
    """The application's error, in its own words where it has any."""
    if isinstance(said, dict):
        title, text = plain(said.get("title")), plain(said.get("error"))
        words = ": ".join(part for part in ("" if title == "Error" else title, text) if part)
    else:
        words = plain(said)
    if not words:
        return SpaceError("the Space failed and gave no reason", "Run the cell again, or with other parameters.")
    return _gpu_error(words) or SpaceError(f"the Space says: {words}")


def _gpu_error(words: str) -> SpaceError | None:
    """The errors of Hugging Face's shared GPUs, known by their titles and texts."""
    if re.search(r"quota|pending credits", words, re.IGNORECASE):
        seconds = _seconds_to_wait(words)
        when = "later" if seconds is None else f"in about {-(-seconds // 60)} min"
        return QuotaExceeded(f"the Space says: {words}", f"Try again {when}, or with a token of your own.", seconds)
    if re.search(r"ZeroGPU|GPU (task aborted|is not available)|No GPU", words, re.IGNORECASE):
        return GpuTrouble(f"the Space says: {words}", "Run the cell again in a minute.")
    return None


def _seconds_to_wait(words: str) -> int | None:
    match = _WAIT.search(words)
    if match is None:
        return None
    hours, minutes, seconds = (int(part) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def plain(text: object) -> str:
    """A Space's words on one line, without HTML, 500 characters at most."""
    if not isinstance(text, str):
        return ""
    return cleaned(" ".join(html.unescape(re.sub(r"<[^<>]*>", "", text[:_LONGEST])).split())[:500])


def parse(data: str) -> Any:
    """JSON, or the text itself where it is none, or one of over a quarter of a million values."""
    if sum(map(data.count, ",[{")) > _MOST_VALUES:  # no thread helps: Python's parser holds all others up
        return data
    try:
        return parse_json(data)
    except ValueError:
        return data


def event_id_from(text: str) -> str:
    """The id that a POST is answered with; raises ProtocolError where there is none."""
    answer = parse(text)
    event_id = answer.get("event_id") if isinstance(answer, dict) else None
    if not isinstance(event_id, str) or not re.fullmatch(r"[\w.-]{1,200}", event_id):
        raise ProtocolError("the Space took the job but gave it no id")
    return event_id


def files_from(data: list[Any], routes: str) -> list[str]:
    """The absolute addresses of all files in a result: single ones, lists and galleries.

    `routes` is what the Space's routes begin with: its base URL and their prefix.

    Raises EmptyResult where there is none, NotAnImage where there is something else in its place.
    """
    urls = [_address(found, routes) for found in _file_data(data)]
    if urls:
        return urls
    if any(isinstance(value, str | dict) and value for value in data[:1]):
        raise NotAnImage("the Space's result is no image", "Is this a Space that makes images?")
    raise EmptyResult("the Space finished, but sent no image", "Run the cell again.")


def _file_data(value: object) -> Iterator[dict[str, Any]]:
    """The files in a result, however deep they are nested, in their order."""
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


def _address(found: dict[str, Any], routes: str) -> str:
    """`path` on the Space's own base; `url` may name another host, and is used where there is no path."""
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


def seed_from(data: list[Any], sent: int | None = None) -> int | None:
    """The seed that was used: the one that was sent, where it is among the outputs.

    Else the last of them that is a whole number from 0 to 2147483647.
    """
    whole = [int(value) for value in data if _is_whole(value) and 0 <= value <= MAX_SEED]
    if sent in whole:
        return sent
    return whole[-1] if whole else None


def _is_whole(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)
