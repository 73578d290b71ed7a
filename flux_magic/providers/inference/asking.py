"""The calls of `huggingface_hub`, each of which blocks: they run on a thread of their own."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from ...errors import FluxError
from ...parameters.table import SIDES
from ...types import ImageRequest, InputImage
from .call import Gate
from .errors import INSTALL
from .services import Offer, Service

OWN_NAMES: Final = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "negative_prompt": "negative_prompt",
    "width": "width",
    "height": "height",
    "seed": "seed",
}
"""The parameters that `huggingface_hub` documents for an image, by their names in the table."""


def list_values(request: ImageRequest) -> dict[str, Any]:
    """Return what a request has of the documented parameters, by `huggingface_hub`'s names."""
    names = {**OWN_NAMES, "sent_width": "width", "sent_height": "height"}
    values = {own: request.get_value(name) for name, own in names.items()}
    if request.randomize_seed:
        values["seed"] = None
    return {name: value for name, value in values.items() if value is not None}


def list_others(request: ImageRequest) -> dict[str, Any]:
    """Return the model's own parameters."""
    return {name: value for name, value in request.sent_parameters.items() if name not in OWN_NAMES}


def find_version() -> str:
    """Return the version of `huggingface_hub`, or how to install it."""
    try:
        return version("huggingface_hub")
    except PackageNotFoundError:
        return f"not installed: {INSTALL}"


def ask_offers(model: str) -> tuple[Offer, ...]:
    """Return who serves a model, as the Hub lists them; on a thread of its own."""
    from huggingface_hub import HfApi

    found = HfApi(token=False).model_info(model, expand=["inferenceProviderMapping"]).inference_provider_mapping
    return tuple(Offer(str(one.provider), one.provider_id, one.task, one.status) for one in found or ())


def ask(request: ImageRequest, offer: Offer | None, service: Service, gate: Gate) -> bytes:
    """Return the bytes of the image as they were delivered."""
    from huggingface_hub import InferenceClient

    provider: Any = offer.name if offer else None
    client = InferenceClient(gate.model, provider=provider, api_key=gate.token or None)
    values, others = list_values(request), list_others(request)
    try:
        if request.images:
            sides = {name: values.pop(name) for name in SIDES if name in values}
            target = {"target_size": sides} if len(sides) == len(SIDES) else {}
            image = _prepare_image(request.images[0], service)
            made: Any = client.image_to_image(image, request.prompt, **{**others, **values, **target})
        else:
            named = {name: others.pop(name) for name in ("scheduler",) if name in others}
            made = client.text_to_image(request.prompt, **values, **named, extra_body=others or None)
    except Exception as error:
        if not gate.is_fetching or not _may_pass(error):
            raise
        return _fetch_again(gate)  # it is paid for, and the library tries once
    data: bytes = made.fp.getvalue()  # it is not decoded yet, so these are the bytes as they came
    return data


def _prepare_image(image: InputImage, service: Service) -> Any:
    """Return an image as the library takes it for a company: bytes, or a file whose name says the media type."""
    if service.takes_bytes:
        return image.data
    file = io.BytesIO(image.data)
    file.name = f"image.{image.record.media_type.rpartition('/')[2]}"
    return file


def _may_pass(error: Exception) -> bool:
    """Return True for a connection that broke and a server that is busy, while the finished image was fetched."""
    status = getattr(getattr(error, "response", None), "status_code", 500)
    is_no_image = isinstance(error, FluxError) or type(error).__name__ == "UnidentifiedImageError"
    return not is_no_image and status >= 500


def _fetch_again(gate: Gate) -> bytes:
    """Return the bytes of a finished image whose fetch has failed. Raises the last error."""
    from huggingface_hub import get_session

    for delay in (1, 4):
        time.sleep(delay * gate.limits.backoff)
        with suppress(Exception):
            return bytes(get_session().get(gate.url).content)
    return bytes(get_session().get(gate.url).content)
