"""The companies that make images for Inference Providers, and what `huggingface_hub` 2.4 passes on to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import InvalidRequest, SpaceNotFound
from ...parameters.table import SIDES
from ...types import ImageRequest

TEXT_TO_IMAGE: Final = "text-to-image"
IMAGE_TO_IMAGE: Final = "image-to-image"

ENGINE: Final = "inference"
"""The name for `--provider`."""


@dataclass(frozen=True, slots=True)
class Service:
    """One company, as `huggingface_hub` asks it.

    Attributes:
        edits: True if images go in.
        dropped: the parameters, by their names in the table, that are left out of a request.
        needs_both_sides: True if a width without a height is left out, and the reverse.
        unread: the parameters that go along by a name which the company is not known to read.
        reads_target_size: True if it reads the size of an edit by the name that it has then, `target_size`.
        takes_bytes: True if an image that goes in has to be bare bytes, without its media type.
    """

    edits: bool = True
    dropped: tuple[str, ...] = ()
    needs_both_sides: bool = False
    unread: tuple[str, ...] = ()
    reads_target_size: bool = False
    takes_bytes: bool = False

    def list_ignored(self, request: ImageRequest) -> list[str]:
        """Return the parameters of a request that do not arrive, by their names in the table."""
        sides = [name for name in SIDES if request.get_value(name) is not None]
        is_lone = len(sides) == 1 and (self.needs_both_sides or bool(request.images))
        return [*(name for name in self.dropped if request.get_value(name) is not None), *(sides if is_lone else [])]

    def describe_ignored(self, request: ImageRequest, who: str) -> str:
        """Return in words what a company does not get, or is not known to read; "" if there is nothing."""
        lost = self.list_ignored(request)
        unread = [name for name in self.unread if request.get_value(name) is not None]
        if (
            request.images
            and not self.reads_target_size
            and {*SIDES} <= {name for name in SIDES if request.get_value(name) is not None}
        ):
            unread.append("size")
        said = [f"{who} gets no {' and no '.join(lost)}: huggingface_hub leaves that out" if lost else ""]
        said.append(f"{who} is not known to read the {' and the '.join(unread)}" if unread else "")
        return "; ".join(filter(None, said))


SERVICES: Final = {
    "fal-ai": Service(reads_target_size=True),
    "hf-inference": Service(reads_target_size=True, takes_bytes=True),
    "nscale": Service(edits=False, dropped=("steps",), unread=("guidance",)),
    "replicate": Service(),
    "together": Service(),
    "wavespeed": Service(takes_bytes=True),
    "zai-org": Service(edits=False, needs_both_sides=True),
}
"""Those that `huggingface_hub` asks for images, by their names there."""

OWN_SERVER: Final = Service(reads_target_size=True, takes_bytes=True)
"""A dedicated endpoint, or a server of one's own, which is asked as `hf-inference` is."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A company that serves a model, as the Hub lists it.

    Attributes:
        name: the company's name.
        model: the model's name there.
        task: `text-to-image`, `image-to-image` or another.
        status: `live`, `staging` or `error`.
    """

    name: str
    model: str
    task: str
    status: str

    def __str__(self) -> str:
        return self.name if self.status == "live" else f"{self.name} ({self.status})"


def check_service(name: str) -> None:
    """Raise InvalidRequest for a company that is not asked for images."""
    if name and name not in SERVICES:
        names = ", ".join(SERVICES)
        raise InvalidRequest(
            f"{ENGINE}:{name[:60]} makes no images: choose one of {names}, or leave it out for your own order"
        )


def choose_offer(model: str, offers: Sequence[Offer], wanted: str, task: str) -> Offer:
    """Return the offer that a request goes to: that of the company that is wanted, else the first that is live.

    Raises InvalidRequest if there are none for the task, with those that there are.
    """
    usable = [one for one in offers if one.name in SERVICES and one.task in {TEXT_TO_IMAGE, IMAGE_TO_IMAGE}]
    if not usable:
        others = ", ".join(dict.fromkeys(one.name for one in offers))
        said = (
            f"; {others} {'does' if len(offers) == 1 else 'do'}, which is not asked for images here" if others else ""
        )
        raise SpaceNotFound(f"no Inference Provider serves {model}{said}", "Choose another model, or --provider space.")
    of_company = [one for one in usable if wanted in {"", one.name}]
    if not of_company:
        served = ", ".join(map(str, usable))
        raise InvalidRequest(
            f"{model} is not served by {wanted}, but by {served}: choose --provider {ENGINE}:{usable[0].name}"
        )
    fitting = [one for one in of_company if one.task == task]
    if not fitting and task == TEXT_TO_IMAGE:
        raise InvalidRequest(f"{model} edits images: give one (--image)")
    if not fitting:
        raise InvalidRequest(f"{model} takes no images: leave out --image, or choose a model that edits")
    return next((one for one in fitting if one.status == "live"), fitting[0])
