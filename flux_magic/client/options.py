"""The keywords of the public calls, each once: their types for a checker, their names for a signature and Tab."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, TypedDict

from ..errors import InvalidArgument, InvalidRequest, show_value
from ..parameters.settings import drop_overridden, merge_parameters
from ..results.generation import ClientEvent

OnEvent = Callable[[ClientEvent], object]
"""A function that gets each event of an image: Waiting, Queued, Running, Log, Preview, last its Generation."""

AsyncOnEvent = Callable[[ClientEvent], Awaitable[object] | object]
"""An `OnEvent` that may be an async function."""


class Options(TypedDict, total=False):
    """The options of an image.

    What is left out, or None, is taken from the client, then `%config FluxMagics`, the environment and the defaults.
    """

    steps: int | None
    seed: int | None
    width: int | None
    height: int | None
    size: str | tuple[int, int] | None
    guidance: float | None
    negative_prompt: str | None
    strength: float | None
    parameters: Mapping[str, Any] | None
    endpoint: str | None
    model: str | None
    provider: object
    space: str | None
    token: str | None
    proxy: str | None
    timeout: float | None
    concurrency: int | None
    inline: str | None
    store: str | os.PathLike[str] | bool | None
    shared_store: str | os.PathLike[str] | None
    replay: str | None
    fresh: bool | None
    metadata: bool | None
    strip_credentials: bool | None
    caption: str | None
    alt: str | None
    only_image: bool | None
    device: str | None
    dtype: str | None
    offload: str | None
    batch: int | str | None


class ClientOptions(Options, total=False):
    """The options of a `Client`."""

    runner: str | None


class EditOptions(Options, total=False):
    """The options of an edit, whose caller blocks."""

    mask: object
    on_event: OnEvent | None
    quiet: bool


class CallOptions(EditOptions, total=False):
    """The options of a call that blocks: those of an image, and what goes in."""

    image: object


class AsyncCallOptions(Options, total=False):
    """The options of a call that is awaited, likewise."""

    image: object
    mask: object
    on_event: AsyncOnEvent | None


class AsyncSweepOptions(AsyncCallOptions, total=False):
    """The options of a sweep: `seed`, `steps`, `width`, `height` and `size` take a list of values as well."""

    seed: int | Iterable[int] | None  # type: ignore[misc]  # wider than an image's
    steps: int | Iterable[int] | None  # type: ignore[misc]
    width: int | Iterable[int] | None  # type: ignore[misc]
    height: int | Iterable[int] | None  # type: ignore[misc]
    size: str | Iterable[object] | None  # type: ignore[misc]
    guidance: float | Iterable[float] | None  # type: ignore[misc]
    negative_prompt: str | Iterable[str] | None  # type: ignore[misc]
    strength: float | Iterable[float] | None  # type: ignore[misc]


class SweepOptions(AsyncSweepOptions, total=False):
    """The options of a sweep whose caller blocks."""

    on_event: OnEvent | None
    quiet: bool


class Conditions(TypedDict, total=False):
    """The conditions of a search; all that are given hold. Any other keyword is a parameter by its name."""

    search: str | None
    model: str | None
    seed: int | None
    steps: int | None
    width: int | None
    height: int | None
    size: str | tuple[int, int] | None
    after: str | date | None
    before: str | date | None
    starred: bool | None
    tags: str | Sequence[str] | None


def merge(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's options with those of a call over them, as `resolve` takes them; None inherits.

    Raises InvalidRequest if `size` and a side, or `fresh` and another `replay`, are given at once.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if given.pop("fresh", False):
        if given.get("replay", "off") != "off":
            raise InvalidRequest(f"fresh=True and replay={given['replay']!r} contradict each other: give one of them")
        given["replay"] = "off"
    if "size" in given:
        own = {name: value for name, value in own.items() if name not in {"width", "height"}}
    own = drop_overridden(own, given)
    return {**own, **given, **merge_parameters(own, given)}


def check_callback(on_event: object, *, can_await: bool = False) -> None:
    """Raise InvalidArgument if `on_event` is not a function, or is an async one although the caller blocks."""
    if on_event is not None and not callable(on_event):
        raise InvalidArgument(f"on_event is {show_value(on_event)}: give a function of one event, such as print")
    if iscoroutinefunction(on_event) and not can_await:
        raise InvalidArgument("on_event is an async function: give a plain one here, or use AsyncClient")


async def call(on_event: AsyncOnEvent | None, event: ClientEvent) -> None:
    """Hand an event to a callback, and await what it returns if it is an async function."""
    if on_event is not None:
        answer = on_event(event)
        if iscoroutine(answer):
            await answer
