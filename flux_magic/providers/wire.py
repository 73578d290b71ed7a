"""What a Gradio Space says, decoded without any I/O: its configuration, its events, its results.

Measured against Gradio 4.44, 5.50 and 6.31; Gradio's own sources are the only specification.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import CancelledByServer, EmptyResult, InvalidRequest, NotAnImage, ProtocolError, SpaceError
from ..types import MAX_SEED, Queued, Running
from .sse import ServerSentEvent

_STAND_IN = re.compile(r"flux_magic stand-in, drawing (\d+)")


@dataclass(frozen=True, slots=True)
class Contract:
    """What is known of a Space's endpoint.

    Attributes:
        prefix: of its routes: empty on Gradio 4, `/gradio_api` since; None where it is not known yet.
        title: the application's, or empty.
        bounds: for parameters with a slider, the least and the largest value.
    """

    prefix: str | None = None
    title: str = ""
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def stand_in(self) -> str | None:
        """The version of the drawing of a local stand-in, None for any other Space."""
        match = _STAND_IN.fullmatch(self.title)
        return match[1] if match else None

    def check(self, values: Mapping[str, object]) -> None:
        """Raises InvalidRequest for a value outside the bounds of its slider."""
        for name, (least, most) in self.bounds.items():
            value = values.get(name)
            if isinstance(value, int | float) and not least <= value <= most:
                raise InvalidRequest(f"{name} is {value}: this Space takes {least:g} to {most:g}")


def contract_from(config: object, api_name: str, parameters: list[str]) -> Contract:
    """Read `GET /config`; an answer that is no Gradio configuration gives an empty contract.

    Raises ProtocolError where the Space is known not to have the endpoint.
    """
    if not isinstance(config, dict) or not isinstance(config.get("dependencies"), list):
        return Contract()
    known_ones = [known for known in config["dependencies"] if isinstance(known, dict)]
    endpoints = {str(known.get("api_name")).strip("/"): known for known in known_ones}
    endpoint = endpoints.get(api_name)
    if endpoint is None:
        named = ", ".join(sorted(name for name in endpoints if name not in {"None", "False"}))
        raise ProtocolError(f"this Space has no endpoint {api_name!r}, only {named or 'none'}")
    return Contract(
        prefix=str(config.get("api_prefix") or "").rstrip("/"),
        title=str(config.get("title") or ""),
        bounds=_bounds(config.get("components"), endpoint.get("inputs"), parameters),
    )


def _bounds(components: object, inputs: object, parameters: list[str]) -> dict[str, tuple[float, float]]:
    if not isinstance(components, list) or not isinstance(inputs, list):
        return {}
    props = {str(known.get("id")): known.get("props") for known in components if isinstance(known, dict)}
    found = {}
    for name, number in zip(parameters, inputs, strict=False):
        slider = props.get(str(number))
        least, most = (slider.get(end) if isinstance(slider, dict) else None for end in ("minimum", "maximum"))
        if isinstance(least, int | float) and isinstance(most, int | float):
            found[name] = (least, most)
    return found


@dataclass(frozen=True, slots=True)
class Finished:
    """The job is done; `data` are the endpoint's outputs, in order."""

    data: list[Any]


class StreamNotFound(ProtocolError):
    """The queue stream does not know the job; the simple route may."""


WireEvent = Queued | Running | Finished


def queue_event(event: ServerSentEvent) -> WireEvent | None:
    """One message of `GET /queue/data`; None for what a person need not know."""
    message = parse(event.data)
    if not isinstance(message, dict):
        return None
    match message.get("msg"):
        case "estimation" if isinstance(message.get("rank"), int):
            size, eta = message.get("queue_size"), message.get("rank_eta")
            return Queued(
                message["rank"] + 1,
                size if isinstance(size, int) else None,
                eta if isinstance(eta, int | float) else None,
            )
        case "process_starts":
            return Running()
        case "progress":
            return _running(message.get("progress_data"))
        case "process_completed":
            return _completed(message)
        case "unexpected_error" if message.get("session_not_found"):
            raise StreamNotFound("the Space does not know the job")
        case "unexpected_error" | "server_stopped":
            raise ProtocolError(f"the Space gave up the job: {plain(message.get('message')) or 'no reason given'}")
    return None


def _running(progress: object) -> Running | None:
    """The innermost of Gradio's nested progress bars."""
    last = progress[-1] if isinstance(progress, list) and progress else None
    if not isinstance(last, dict) or not isinstance(last.get("index"), int):
        return None
    total = last.get("length")
    return Running(last["index"], total if isinstance(total, int) else None, str(last.get("unit") or "steps"))


def _completed(message: dict[str, Any]) -> Finished:
    output = message.get("output")
    if not message.get("success", True):
        raise space_error(output)
    data = output.get("data") if isinstance(output, dict) else None
    return _finished(data)


def call_event(event: ServerSentEvent) -> WireEvent | None:
    """One event of `GET /call/{endpoint}/{event_id}`; None for a heartbeat."""
    if event.name == "error":
        raise space_error(parse(event.data))
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
    if words:
        return SpaceError(f"the Space says: {words}")
    return SpaceError("the Space failed and gave no reason", "Run the cell again, or with other parameters.")


def plain(text: object) -> str:
    """A Space's words on one line, without HTML, 500 characters at most."""
    if not isinstance(text, str):
        return ""
    return " ".join(html.unescape(re.sub(r"<[^<>]*>", "", text)).split())[:500]


def parse(data: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
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
    if isinstance(value, list):
        for item in value:
            yield from _file_data(item)
    elif isinstance(value, dict):
        if isinstance(value.get("path"), str) or isinstance(value.get("url"), str):
            if value.get("path") or value.get("url"):
                yield value
        else:
            yield from _file_data(list(value.values()))


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


def seed_from(data: list[Any]) -> int | None:
    """The seed that was used: the last of the outputs that is a whole number from 0 to 2147483647."""
    whole = [int(value) for value in data if _is_whole(value) and 0 <= value <= MAX_SEED]
    return whole[-1] if whole else None


def _is_whole(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)
