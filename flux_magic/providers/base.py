"""What a provider is: the contract that the client calls, and the interface that its users know."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..errors import InvalidRequest, TimedOut
from ..types import Event, ImageRequest, ImageResponse
from .log import get_logger

if TYPE_CHECKING:
    from .http.connection import Connection

T = TypeVar("T")
_log = get_logger(__name__)

_SILENCE = 10.0
"""Seconds without an event after which the log says so, and again after as many."""

Messages = Sequence[dict[str, Any]]
"""A conversation: each message has a `role` and a `content` (a string, or a list of parts with `text`)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds, and how large they may be, in bytes.

    Attributes:
        connect: for a connection to be made.
        silence: without a byte on a stream: over two of Gradio's heartbeats (15 s each).
        progress: without an event, heartbeats apart.
        unheard: of heartbeats alone at the begin of a stream, before the job counts as lost.
        answer: for an answer that is no image: to be whole.
        total: for a whole image; None for no limit.
        retries: how often a request that met a passing trouble is sent again.
        backoff: before the first of them, about; the time doubles with each.
        resubmissions: how often a job is submitted again whose stream was lost.
        reconnections: the same for both of these after a connection that broke, which the next may not.
        longest_wait: that a Space may ask for (Retry-After) before it counts as an error.
        wake: for a sleeping Space to wake.
        body: the largest file that is read.
        document: the largest answer that is no image, or event of a stream.
        events: how many events of a stream are read.
        stream: the bytes of a stream that are read.
        files: how many files of an answer are fetched.
        sum: that they may have together, in bytes.
        disk: for an image to be written to the store, before it is shown without waiting for that.
    """

    connect: float = 30
    silence: float = 35
    progress: float = 600
    unheard: float = 60
    answer: float = 120
    total: float | None = None
    retries: int = 4
    backoff: float = 1
    resubmissions: int = 2
    reconnections: int = 8
    longest_wait: float = 120
    wake: float = 300
    body: int = 64 * 2**20
    document: int = 16 * 2**20
    events: int = 500_000
    stream: int = 256 * 2**20
    files: int = 32
    sum: int = 128 * 2**20
    disk: float = 5


class AsyncResult(AsyncGenerator[ImageResponse, None]):
    """An async generator of ImageResponse that can be awaited as well: that gives itself."""

    def __init__(self, answers: AsyncGenerator[ImageResponse, None]) -> None:
        self._answers = answers

    def __await__(self) -> Generator[Any, None, AsyncResult]:
        yield from ()
        return self

    def __aiter__(self) -> AsyncResult:
        return self

    async def __anext__(self) -> ImageResponse:
        return await self._answers.__anext__()

    async def asend(self, value: None) -> ImageResponse:
        return await self._answers.asend(value)

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> ImageResponse:
        error = typ if isinstance(typ, BaseException) else val if isinstance(val, BaseException) else typ()
        return await self._answers.athrow(error.with_traceback(tb) if tb else error)

    async def aclose(self) -> None:
        await self._answers.aclose()


class AsyncGeneratorProvider(ABC):
    """Makes images over a connection.

    Attributes:
        label: the name that a record gives the provider.
        url: the Space's base URL.
        space: the Space's id on the Hub, `owner/name`; empty where it has none.
        working: whether it is known to work.
        seeded: whether a request's seed counts; else no image of it can be made again, and its record has no seed.
    """

    label: ClassVar[str]
    url: ClassVar[str]
    space: ClassVar[str] = ""
    working: ClassVar[bool] = True
    seeded: ClassVar[bool] = True

    @classmethod
    def own_space(cls) -> str:
        """What names its Space in a cell: the id on the Hub, else the URL."""
        return cls.space or cls.url

    @abstractmethod
    def __init__(self, connection: Connection, url: str | None = None) -> None:
        """A provider that uses `connection`, for the Space at `url` (its own by default)."""

    @abstractmethod
    def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        """Ask for one job; yields events, the last of which is an ImageResponse.

        Without `progress` the Space is asked in the simplest way, which tells nothing on the way.
        Raises InvalidRequest, ConnectionFailed, TimedOut or ResponseError.
        """

    @abstractmethod
    async def fetch(self, url: str) -> bytes:
        """The bytes of one of the images; raises ResponseError where there is none at that address."""

    async def bounds(self) -> Mapping[str, tuple[int, int]]:
        """The least and the most that the Space takes, by field of ImageRequest; of those alone that it tells.

        Raises ConnectionFailed, TimedOut or ResponseError where it does not answer.
        """
        return {}

    async def circumstances(self) -> Mapping[str, str]:
        """What is told of where images are made, by field of Circumstances; called after an image was made."""
        return {}

    def sent(self) -> Mapping[str, object]:
        """Return the values of the last job that a record has no other field for, by the Space's own names."""
        return {}

    async def stand_in(self) -> str | None:
        """The version of the drawing where the Space is a local stand-in, else None."""
        return None

    @classmethod
    @abstractmethod
    def create_async_generator(
        cls,
        model: str,
        messages: Messages,
        proxy: str | None = None,
        prompt: str | None = None,
        width: int = 768,
        height: int = 768,
        num_inference_steps: int = 2,
        seed: int = 0,
        randomize_seed: bool = True,  # noqa: FBT001, FBT002 - the original's interface
        **kwargs: Any,
    ) -> AsyncResult:
        """Make one image on the running loop, with a connection of its own."""


class ProviderModelMixin:
    """A provider's models and the names they go by."""

    default_model: ClassVar[str] = ""
    models: ClassVar[list[str]] = []
    model_aliases: ClassVar[dict[str, str]] = {}

    @classmethod
    def get_model(cls, model: str) -> str:
        """The canonical name for an alias, a canonical name or an empty string (the default model).

        Raises InvalidRequest for any other, and lists those there are.
        """
        if not model:
            return cls.default_model
        found = cls.model_aliases.get(model, model)
        if found not in {cls.default_model, *cls.model_aliases.values(), *cls.models}:
            raise unknown_model(model, cls.names())
        return found

    @classmethod
    def names(cls) -> list[str]:
        """Every name that `get_model` takes, the aliases first."""
        return list(dict.fromkeys([*cls.model_aliases, *cls.models, cls.default_model]))


def unknown_model(model: str, names: Sequence[str]) -> InvalidRequest:
    """The error for a model that nobody has."""
    return InvalidRequest(f"there is no model {model!r}: choose one of {', '.join(names)}")


def prompt_from(messages: Messages, prompt: str | None = None) -> str:
    """The prompt, else the trailing run of user messages, joined by line ends."""
    if prompt is not None:
        return prompt
    texts: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "user":
            break
        texts.append(_text_of(message.get("content")))
    return "\n".join(reversed(texts))


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


async def limited(
    events: AsyncGenerator[T, None], limits: Limits, context: Context | None = None
) -> AsyncGenerator[T, None]:
    """`events`, within the limits on the whole and on the time without progress; raises TimedOut.

    They are read in `context`, by default the caller's.
    """
    now = asyncio.get_running_loop().time
    end = None if limits.total is None else now() + limits.total
    context = context or copy_context()
    async with aclosing(events):
        while True:
            left = limits.progress if end is None else min(limits.progress, end - now())
            coming = context.run(asyncio.ensure_future, anext(events))
            # If the reader has left, asyncio would complain that no one took its error.
            coming.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                if not await _came_within(left, coming, context):
                    raise _out_of_time(limits, total=left < limits.progress)
                event = coming.result()
            except StopAsyncIteration:
                return
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
            yield event


async def _came_within(seconds: float, coming: asyncio.Future[Any], context: Context) -> bool:
    """Return if an event came; a silence is logged while it lasts.

    Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with an event.
    """
    now = asyncio.get_running_loop().time
    begin = now()
    while True:
        left = begin + seconds - now()
        await asyncio.wait({coming}, timeout=min(left, _SILENCE))
        if coming.done() or left <= _SILENCE:
            return coming.done()
        context.run(_log.info, "no event for %.0f s", now() - begin)


def _out_of_time(limits: Limits, *, total: bool) -> TimedOut:
    if total:
        return TimedOut(f"no image within {limits.total:g} s, the limit that was set", "Allow more with --timeout.")
    return TimedOut(f"the Space showed no progress for {limits.progress:g} s", "Run the cell again, or try later.")
