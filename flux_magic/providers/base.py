"""A provider's contract, which the rest of the package believes, and the interface that g4f's users know."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import aclosing
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from ..errors import InvalidRequest, TimedOut
from ..parameters.sizes import SIZE_STEP
from ..parameters.table import ROWS, Parameter
from ..types import Event, ImageRequest, ImageResponse
from .log import get_logger

if TYPE_CHECKING:
    from ..parameters.addresses import Space
    from ..parameters.settings import Settings
    from .http.connection import Connection

T = TypeVar("T")
_log = get_logger(__name__)

_SILENCE = 10.0
"""Seconds without an event after which the log says so, and again after as many."""

Messages = Sequence[dict[str, Any]]
"""A conversation: each message has a `role` and a `content` (a string, or a list of parts with `text`)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds, and size limits in bytes.

    Attributes:
        connect: for a connection to be made.
        silence: without a byte on a stream: over two of Gradio's heartbeats (15 s each).
        progress: without an event, heartbeats apart.
        unheard: of heartbeats alone at the begin of a stream, before the job counts as lost.
        answer: for an answer that is no image: to be whole.
        total: for a whole image; None for no limit.
        retries: how often a request is sent again after a temporary failure.
        backoff: about the wait before the first of them; it doubles with each.
        resubmissions: how often a job is resubmitted after its stream was lost.
        reconnections: the same for both of these after a broken connection.
        longest_wait: the longest wait that a Space may request (Retry-After) before it counts as an error.
        wake: for a sleeping Space to wake.
        body: the largest file that is read.
        document: the largest answer that is no image, or event of a stream.
        events: how many events of a stream are read.
        stream: the bytes of a stream that are read.
        files: how many files of an answer are fetched.
        sum: the most bytes that they may have together.
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


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model as its provider describes it before an image is made.

    Attributes:
        model: its canonical name.
        provider: the name that a record gives the provider.
        parameters: all that it takes beside the prompt and images, in its order; empty if that is not known. A row has
            the name of the table if it means the same (`steps`, `guidance`), else the model's own name, and the model's
            own range, choices and default. Its `own_name` is the provider's name for it.
        sizes: the sizes there are, if the model takes no others: width and height in pixels.
        size_step: widths and heights are rounded down to a multiple of this many pixels.
        input_images: the most images that a request may bring along, masks apart.
        needs_image: True if it makes nothing without one.
        takes_mask: True if a request may bring along a mask.
        rewrites: the parameters by which the model rewrites the prompt, by their own names.
        endpoints: the endpoints of a Space that make images, the chosen one first.
        seeded: False if a request's seed does not count: no image can then be made again.
        stand_in: the version of a stand-in's drawing; None for a model.
        title: the application's own name, or empty.
        engine: the software that is expected to run it, such as "Gradio"; empty if that says nothing.
        version: the engine's; empty if another engine answers, or none.
    """

    model: str
    provider: str
    parameters: tuple[Parameter, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    size_step: int = SIZE_STEP
    input_images: int = 0
    needs_image: bool = False
    takes_mask: bool = False
    rewrites: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    seeded: bool = True
    stand_in: str | None = None
    title: str = ""
    engine: str = ""
    version: str = ""

    @property
    def is_told(self) -> bool:
        """True if the expected engine described the model."""
        return bool(self.version or not self.engine)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it would be sent: where to, the values by the provider's own names, and what is not known of it.

    A provider that learns the names from its Space has those of our table.
    """

    address: str
    values: Mapping[str, object]
    note: str = ""


class Provider(ABC):
    """A way to make images: all that the client, the dry run, the doctor, the panel and verify know of one.

    A subclass has `label`, `names` and `get_model` (`ProviderModelMixin` has these two), `describe`, `stream` and
    `fetch`. Each instance makes the images of one job.

    Attributes:
        label: the name that a record gives the provider, which is a part of the replay key.
        url: the base URL of the model's own Space; empty if no Space makes the images.
        defaults: what a request gets that leaves it out, by name: `steps`, `width`, `height`. What has no default here
            is left to the model.
        licence: the licence of the model's weights, in words; empty if it is not known.
        key_label, key_model: the names of the provider and of its model in replay keys, if they are not `label` and the
            model's own.
        engine: the name by which `--provider` chooses it for any model that it takes; empty for one that the names of
            its models find.
        needs_hub: True if nothing can be made while the Hub may not be asked.
        is_on_gpu: True if a GPU of the process's own makes the images, one batch of one shape at a time.
        is_paid: True if each image costs money: `verify` then asks only if the user names it.
    """

    label: ClassVar[str]
    url: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, int]] = {}
    licence: ClassVar[str] = ""
    key_label: ClassVar[str] = ""
    key_model: ClassVar[str] = ""
    engine: ClassVar[str] = ""
    needs_hub: ClassVar[bool] = False
    is_on_gpu: ClassVar[bool] = False
    is_paid: ClassVar[bool] = False

    def __init__(self, connection: Connection, space: Space | None = None) -> None:  # noqa: ARG002 - for a subclass
        """Use `connection`, which has the token that is meant for `space`; None is the model's own Space, if any."""
        self._connection = connection

    @classmethod
    @abstractmethod
    def names(cls) -> list[str]:
        """Return every name and alias of its models."""

    @classmethod
    @abstractmethod
    def get_model(cls, model: str) -> str:
        """Return the canonical name of a model or alias; "" is the default model. Raises InvalidRequest for others."""

    @classmethod
    def own_space(cls) -> str:
        """Return the name of the model's own Space in a cell; "" if no Space makes the images."""
        return ""

    @classmethod
    def takes_space(cls) -> bool:
        """Return True if a Space makes the images, so that a request may name another one."""
        return bool(cls.own_space())

    @classmethod
    def takes(cls, name: str) -> bool | None:  # noqa: ARG003 - for a subclass
        """Return True if requests may have this parameter, by its name in the table; None if only the model knows."""
        return None

    @classmethod
    def open(cls, connection: Connection, space: Space | None, settings: Settings) -> Provider:  # noqa: ARG003
        """Return the provider of one job; `settings` are the call's, for an engine that has settings of its own."""
        return cls(connection, space)

    @classmethod
    def count_at_once(cls, settings: Settings) -> int:  # noqa: ARG003 - for a subclass
        """Return how many images of several (`-n`) are requested at once: more than 1 if they are made in batches."""
        return 1

    @classmethod
    def identify(cls, settings: Settings) -> str:  # noqa: ARG003 - for a subclass
        """Return the identity, in a record and its replay key, of what makes images without a Space."""
        return f"provider:{cls.label}"

    @classmethod
    def name_model(cls, model: str) -> tuple[str, str]:
        """Return the names of a model in a record: as asked for, for its cell, and in the replay key.

        Neither is a path of this machine. An engine may read files for it, so it is called on a thread. Raises
        InvalidRequest for a model that there is not.
        """
        return model, cls.get_model(model)

    @classmethod
    def locate_model(cls, model: str) -> str:
        """Return the name by which another process of the user's finds the model: a folder's whole path."""
        return model

    @classmethod
    def is_at_hand(cls, model: str) -> bool:  # noqa: ARG003 - for a subclass
        """Return True if a model out of somebody's record may be used: that downloads nothing."""
        return True

    @classmethod
    def has_space(cls, url: str) -> bool:
        """Return True if a Space's base URL is that of the model's own, whatever the case of its host."""
        own = cls.url.rstrip("/")
        return bool(own) and (url == own or _lower_host(url) == _lower_host(own))

    @classmethod
    def prepare(cls, request: ImageRequest) -> Prepared:
        """Return what would be sent for a request, without sending anything."""
        values = {"prompt": request.prompt, "seed": request.seed, "steps": request.steps}
        return Prepared(cls.label, values | {"width": request.sent_width, "height": request.sent_height})

    async def list_untaken(self, request: ImageRequest) -> Collection[str]:  # noqa: ARG002 - for a subclass
        """Return what the model does not take of a request, by the names of the table, as far as that can be known."""
        return [name for name in ROWS if self.takes(name) is False]

    @abstractmethod
    async def describe(self, model: str = "") -> ModelDescription:
        """Return the description of a model. Raises ConnectionFailed, TimedOut or ResponseError if nothing answers."""

    @classmethod
    def recall_description(cls, space: Space | None = None, model: str = "") -> ModelDescription | None:  # noqa: ARG003
        """Return what `describe` would, if that is known in this process without asking; None if it is not.

        `space` is the Space with its address; None is the model's own.
        """
        return None

    @abstractmethod
    def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        """Make the image of one request: yield events, the last of which is an ImageResponse.

        Raises InvalidRequest, ConnectionFailed, TimedOut or ResponseError.
        """

    @abstractmethod
    async def fetch(self, file: str) -> bytes:
        """Return the bytes of one of the response's images as delivered. Raises ResponseError if there are none."""

    async def environment(self) -> Mapping[str, Any]:
        """Return what is known of if an image was made, by field of Circumstances; called after it was.

        `model` is the name of the model that runs in a Space which is not the model's own, if the Hub names one.
        """
        return {}

    async def status(self) -> Mapping[str, str]:
        """Return what the host says of itself, such as its stage and the GPU time that is left, in words by name."""
        return {}

    async def quota(self) -> str:
        """Return the GPU time that is left for the token, or the price, in words; "" if nothing says it soon."""
        return ""


def _lower_host(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.lower()).geturl()


class AsyncResult(AsyncGenerator[ImageResponse, None]):
    """An async generator of ImageResponse that can also be awaited; awaiting it returns the generator."""

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
    """The interface of g4f's providers, as a mixin.

    Attributes:
        label: the provider's name.
        url: the Space's base URL.
        working: whether it is known to work.
    """

    label: ClassVar[str]
    url: ClassVar[str]
    working: ClassVar[bool] = True

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
        """Return the canonical name for an alias, a canonical name or an empty string (the default model).

        Raises InvalidRequest for any other, and lists those there are.
        """
        if not model:
            return cls.default_model
        found = cls.model_aliases.get(model, model)
        if found not in {cls.default_model, *cls.model_aliases.values(), *cls.models}:
            raise make_unknown_error(model, cls.names())
        return found

    @classmethod
    def names(cls) -> list[str]:
        """Return every name that `get_model` accepts, the aliases first."""
        return list(dict.fromkeys([*cls.model_aliases, *cls.models, cls.default_model]))


def make_unknown_error(model: str, names: Sequence[str], troubles: Sequence[str] = ()) -> InvalidRequest:
    """Return the error for a model that no provider has; `troubles` says which providers were left out, and why."""
    return InvalidRequest(f"there is no model {model!r}: choose one of {', '.join(names)}", "; ".join(troubles))


def extract_prompt(messages: Messages, prompt: str | None = None) -> str:
    """Return the prompt, else the user's last messages, joined by line ends."""
    if prompt is not None:
        return prompt
    texts: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "user":
            break
        texts.append(_join_content(message.get("content")))
    return "\n".join(reversed(texts))


def _join_content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


async def limit_events(
    events: AsyncGenerator[T, None], limits: Limits, context: Context | None = None
) -> AsyncGenerator[T, None]:
    """Yield `events` within the limits on the whole and on the time without progress; raises TimedOut.

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
                    raise _make_timeout(limits, total=left < limits.progress)
                event = coming.result()
            except StopAsyncIteration:
                return
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
            yield event


async def _came_within(seconds: float, coming: asyncio.Future[Any], context: Context) -> bool:
    """Return True if an event came; a silence is logged while it lasts.

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


def _make_timeout(limits: Limits, *, total: bool) -> TimedOut:
    if total:
        return TimedOut(f"no image within {limits.total:g} s, the limit that was set", "Allow more with --timeout.")
    return TimedOut(f"the Space showed no progress for {limits.progress:g} s", "Run the cell again, or try later.")
