"""The origin of an image: a file of this machine, a Generation, or a URL, which is requested without a token."""

from __future__ import annotations

import asyncio
import os
import re

from ..errors import NotInStore, TimedOut, mask_secrets
from ..parameters.calls import check_path
from ..parameters.settings import Settings
from ..providers.http.connection import open_connection
from ..providers.http.guard import Guard
from ..providers.http.response import StatusError
from ..results import recall as origin
from ..results.generation import Generation

FETCH_TIMEOUT = 60.0
"""Seconds allowed for an image at a URL if no timeout is set."""


def recall_here(image: str | os.PathLike[str] | Generation) -> origin.Recalled | str:
    """Return what made an image of this machine; a URL is returned as it is."""
    if isinstance(image, Generation):
        return origin.recall_generation(image, "this image")
    text = check_path("image", image)
    return text if re.match(r"https?://", text, re.IGNORECASE) else origin.recall(text)


async def recall_url(url: str, settings: Settings) -> origin.Recalled:
    """Return what made the image at a URL. Raises the errors of `recall` and those of any request."""
    if settings.replay == "only":
        raise NotInStore('with replay = "only" no URL is asked', "Save the image, and name the file.")
    return origin.recall_bytes(await fetch_image(url, settings), mask_secrets(url))


async def fetch_image(url: str, settings: Settings) -> bytes:
    """Return the bytes at a URL, which is requested without a token. Raises the errors of any request."""
    async with open_connection(proxy=settings.proxy, guard=Guard(url)) as connection:
        try:
            return await asyncio.wait_for(connection.get_bytes(url), settings.timeout or FETCH_TIMEOUT)
        except TimedOut:
            raise
        except StatusError as error:
            said = f"{mask_secrets(url)} cannot be read: its server answered with HTTP status {error.status}"
            raise StatusError(said, "Check the address, or save the image and name its file.", error.status) from None
        except asyncio.TimeoutError as exc:
            limit = settings.timeout or FETCH_TIMEOUT
            raise TimedOut(
                f"{mask_secrets(url)} did not arrive within {limit:g} s", "Save the image, and name it."
            ) from exc
