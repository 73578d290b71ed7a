"""The endpoint of a Space that a request is for. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from ...errors import InvalidRequest
from ...types import ImageRequest
from .meanings import EDITORS
from .signature import Contract, Signature, list_names

SHOWN: Final = frozenset({"image", "gallery", "imageslider", "imageeditor", "annotatedimage"})
"""The components of outputs that are images."""


def gives_images(signature: Signature) -> bool:
    """Return True for an endpoint that takes a prompt and gives images."""
    return signature.find("prompt") is not None and any(one.component in SHOWN for one in signature.outputs)


def needs_image(signature: Signature) -> bool:
    """Return True if the endpoint makes nothing without an image.

    A Space cannot say so: an image without a default counts as needed if there is no size, which is then the image's.
    """
    sizes = {"width", "height", "size"} & {one.meaning for one in signature.inputs}
    return not sizes and any(one.required and one.component != "gallery" for one in signature.find_all("image"))


def count_images(signature: Signature) -> int:
    """Return how many images may go in, masks apart."""
    images = signature.find_all("image")
    return 16 if any(one.component == "gallery" for one in images) else len(images)


@dataclass(frozen=True, slots=True)
class Need:
    """The images and masks that an endpoint has to take, and the parameters by name.

    If `may_guess`, the first of several that differ is taken: a description has to choose one.
    """

    images: int = 0
    masks: int = 0
    names: frozenset[str] = frozenset()
    may_guess: bool = True

    @classmethod
    def of(cls, request: ImageRequest) -> Need:
        """Return what a request needs."""
        images = sum(one.role == "image" for one in request.images)
        sizes = {name for name in ("steps", "width", "height") if getattr(request, name) is not None}
        names = {*sizes, *request.parameters} - {"endpoint"}
        return cls(images, len(request.images) - images, frozenset(names), may_guess=False)


def choose_endpoint(contract: Contract, need: Need, wanted: str = "", preferred: str = "") -> Signature:
    """Return the likeliest endpoint for what is needed.

    `wanted` is the one that the user names; `preferred` counts if it makes images, and takes or needs none in vain.

    Raises InvalidRequest if no endpoint makes images, or if several do that differ in what they take.
    """
    if wanted:
        return _get_named(contract, wanted)
    fitting = [one for one in contract.endpoints if gives_images(one)]
    if not fitting:
        there = list_names(f"/{name}" for name in contract.names[:20]) or "no named one"
        raise InvalidRequest(f"this Space has no endpoint that takes a prompt and gives images, but {there}")
    own = next((one for one in fitting if one.name == preferred.strip("/")), None)
    if own is not None and _rank(own, need)[:2] == (False, False):
        return own
    ranks = [_rank(one, need) for one in fitting]
    best = [one for one, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
    if not need.may_guess and len({frozenset(_list_names(one)) for one in best}) > 1:
        several = "; ".join(f"/{one.name} ({list_names(_list_names(one))})" for one in best[:8])
        raise InvalidRequest(
            f"this Space has several endpoints that make images: {several}", f"Choose one: --endpoint /{best[0].name}"
        )
    return best[0]


def list_endpoints(contract: Contract, chosen: Signature) -> tuple[str, ...]:
    """Return the names of the endpoints that make images, the chosen one first, as they are typed."""
    others = [one.name for one in contract.endpoints if gives_images(one) and one.name != chosen.name]
    return tuple(f"/{name}" for name in dict.fromkeys([chosen.name, *others]))


def _get_named(contract: Contract, wanted: str) -> Signature:
    found = contract.find(wanted)
    making = [one for one in contract.endpoints if gives_images(one)]
    if found is None or found not in making:
        what = "has no endpoint" if found is None else "makes no images from a prompt at"
        there = list_names(f"/{one.name}" for one in making[:20]) or "none that does"
        raise InvalidRequest(f"this Space {what} /{wanted.strip('/')[:80]}: choose {there}")
    return found


def _rank(signature: Signature, need: Need) -> tuple[Any, ...]:
    """Return how unlikely an endpoint is for what is needed."""
    takes = count_images(signature)
    known = {name for one in signature.asked for name in (one.parameter, one.name)}
    sides = {"width", "height"} if signature.find("size") is not None else set()
    return (
        takes < need.images or (bool(need.masks) and not has_mask(signature)),
        needs_image(signature) and not need.images,
        len(need.names - known - sides),
        takes > 0 and not need.images,
        signature.find("seed") is None,
        bool(re.search(r"_[0-9]+$", signature.name)),
    )


def has_mask(signature: Signature) -> bool:
    """Return True if a mask may go in: as an image of its own, or as the layer of an editor."""
    return any(one.meaning == "mask" or one.component in EDITORS for one in signature.asked)


def _list_names(signature: Signature) -> Collection[str]:
    return [
        one.name if one.meaning == "prompt" else one.parameter
        for one in signature.asked
        if one.meaning not in {"random", "history"}
    ]
