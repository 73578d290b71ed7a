"""The interface that g4f's users know, on a Gradio Space."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from ...errors import InvalidArgument, NotAnImage, ProtocolError, TimedOut
from ...images.codecs import check_readable
from ...images.formats import READ, detect_media_type
from ...types import Event, ImageRequest, ImageResponse
from ..base import (
    AsyncGeneratorProvider,
    AsyncResult,
    Messages,
    Provider,
    ProviderModelMixin,
    extract_prompt,
    limit_events,
)
from ..http.connection import open_connection

_ENDPOINT: Final = re.compile(r"(?P<base>https?://.+?)(?P<prefix>/gradio_api)?/call/(?:v2/)?(?P<name>[^/]+)/?")
_SMALLEST: Final = 32
_MOST_HEAD: Final = 4096
"""The number of bytes that identify a file, if only its address is wanted."""


class OriginalInterface(AsyncGeneratorProvider, ProviderModelMixin, Provider):
    """The original's `create_async_generator` for a provider that is a Space."""

    @classmethod
    @abstractmethod
    def get_base(cls) -> str:
        """Return the base URL of the Space that jobs go to."""

    @classmethod
    @abstractmethod
    def takes_by_file(cls) -> bool:
        """Return True if the model's file names the endpoint's inputs."""

    @abstractmethod
    def stream(self, request: ImageRequest, *, progress: bool = True) -> AsyncGenerator[Event, None]:
        """Make the image of one request, with the events of the queue if there shall be `progress`."""

    @abstractmethod
    async def read_file(self, url: str, most: int | None = None) -> bytes:
        """Return the bytes of a file, or its first ones."""

    @classmethod
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
        **kwargs: Any,  # noqa: ARG003 - the interface takes what other providers understand
    ) -> AsyncResult:
        """Make one image: yields one ImageResponse, whose addresses have been seen to hold images.

        Args:
            model: a name or an alias; empty for the default one.
            messages: a conversation, whose trailing user messages are the prompt where `prompt` is None.
            proxy: an http(s) proxy's URL.
            prompt: what the image shows.
            width, height: pixels; rounded down to a multiple of 8, and up to 32.
            num_inference_steps: 1 or more; the Space has a bound of its own.
            seed: 0 to 2147483647.
            randomize_seed: let the Space choose the seed; the ImageResponse has the one it chose.

        Raises, at the first `__anext__`: InvalidRequest, ConnectionFailed, TimedOut, or ResponseError
        for whatever the Space does wrong.
        """

        async def answer() -> AsyncGenerator[ImageResponse, None]:
            # A Space that describes itself has defaults of its own: these are another model's.
            own = {} if cls.takes_by_file() else {"steps": 2, "width": 768, "height": 768}
            request = ImageRequest(
                prompt=extract_prompt(messages or [], prompt),
                model=model or "",
                width=None if own.get("width") == width else _raise_to_least(width),
                height=None if own.get("height") == height else _raise_to_least(height),
                steps=None if own.get("steps") == num_inference_steps else num_inference_steps,
                seed=seed,
                randomize_seed=randomize_seed,
            )
            yield await cls._make_answer(request, proxy)

        return AsyncResult(answer())

    @classmethod
    async def _make_answer(cls, request: ImageRequest, proxy: str | None) -> ImageResponse:
        async with open_connection(proxy, space=cls.get_base()) as connection:
            provider = cls(connection)
            async with aclosing(limit_events(provider._check_images(request), connection.limits)) as events:
                async for event in events:
                    if isinstance(event, ImageResponse):
                        return event
            raise ProtocolError("the Space's stream ended without an image")

    async def _check_images(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        """Yield the events of a job after checking that its images can be read."""
        limits = self._connection.limits
        async with aclosing(self.stream(request, progress=False)) as events:
            async for event in events:
                if isinstance(event, ImageResponse):
                    del event.images[limits.files :]
                    try:
                        await asyncio.wait_for(self._check_addresses(event.images), limits.silence)
                    except TimedOut:
                        raise
                    except asyncio.TimeoutError:
                        said = f"the image's address did not answer within {limits.silence:g} s"
                        raise TimedOut(said, "Run the cell again.") from None
                yield event

    async def _check_addresses(self, addresses: Sequence[str]) -> None:
        """Raise an error if there is no image that can be read behind one of the addresses."""
        for url in addresses:
            check_shown(await self.read_file(url, _MOST_HEAD), url, shown=False)


def _raise_to_least(pixels: Any) -> Any:
    """Raise small sizes to the least. Anything that is not a number is refused when the request is made."""
    return max(pixels, _SMALLEST) if isinstance(pixels, int) else pixels


def parse_endpoint(api_endpoint: str) -> re.Match[str]:
    """Return the parts of an endpoint's address: base, prefix, name. Raises InvalidArgument for another form."""
    match = _ENDPOINT.fullmatch(api_endpoint)
    if match is None:
        raise InvalidArgument(f"api_endpoint is {api_endpoint!r}: it must read https://…/call/name")
    return match


def check_shown(data: bytes, url: str, *, shown: bool = True) -> None:
    """Raise NotAnImage for a file that is none, or that cannot be `shown` here: the hint says where it is.

    Running the cell again would make such a file again. The address is told without its query, which may hold a key.
    """
    address = url.partition("?")[0]
    hint = f"It is at {address} for some hours: save it from there, or take a Space that gives {READ}."
    if not shown and detect_media_type(data):
        return
    try:
        check_readable("the Space's file", data, hint)
    except NotAnImage as error:
        error.url = url
        raise
