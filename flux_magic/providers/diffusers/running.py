"""The call of a pipeline: one or several images at once, with its steps as events, on the worker's thread."""

from __future__ import annotations

import concurrent.futures
import io
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ...errors import FluxError, InvalidRequest, SpaceError
from ...parameters.settings import Settings
from ...types import Event, ImageRequest, Log, Preview, Running, fit_one_line
from ..log import get_logger
from . import previews, tiny
from .loading import Loaded, free_frames, translate_memory
from .taking import Taken, build_values, describe_values
from .worker import worker

_log = get_logger(__name__)


class Ended(Exception):
    """Raised in a pipeline's callback: no image of the call is wanted any more."""


@dataclass(eq=False, slots=True)
class Job:
    """A request on its way to the pipeline.

    Attributes:
        request: what is asked for.
        settings: of its call.
        key: what has to be loaded for it.
        tell: hands on an event, from any thread.
        ended: set when the image is not wanted any more.
        result: what was made.
    """

    request: ImageRequest
    settings: Settings
    key: tuple[object, ...]
    tell: Callable[[Event], None]
    ended: threading.Event = field(default_factory=threading.Event)
    result: concurrent.futures.Future[Made] = field(default_factory=concurrent.futures.Future)

    def shape(self) -> tuple[object, ...]:
        """Return what two requests have in common whose images can be made at once."""
        one, parameters = self.request, sorted(self.request.sent_parameters.items())
        return (self.key, one.steps, one.sent_width, one.sent_height, tuple(parameters), one.images)


@dataclass(frozen=True, slots=True)
class Made:
    """An image, and what is known of it: the parameters that ran, and the facts for a record."""

    image: Any
    parameters: dict[str, Any]
    taken: Taken
    title: str
    weights: str
    hardware: str
    details: dict[str, str]


def make_images(loaded: Loaded, jobs: Sequence[Job]) -> list[Made]:
    """Return the images of jobs of one shape, each with a generator of its own on the CPU.

    Raises InvalidRequest, NotEnoughMemory, SpaceError, or Ended if no job is wanted any more.
    """
    import torch

    first = jobs[0].request
    roles = [one.role for one in first.images]
    pipe, taken = loaded.choose(images=roles.count("image"), masks=roles.count("mask"))
    values = build_values(taken, first, loaded.title)
    _check_negative(values, taken, loaded.title)
    values |= _open_images(first, taken, pipe, loaded.title)
    if loaded.is_tiny:
        _tell_unknown_words(loaded, jobs)
    names = [job.request.prompt for job in jobs]
    generators = [torch.Generator("cpu").manual_seed(job.request.seed) for job in jobs]
    several = len(jobs) > 1
    if several and "negative_prompt" in values:
        values["negative_prompt"] = [values["negative_prompt"]] * len(jobs)
    steps = _Steps(loaded, pipe, jobs, values)
    settings = jobs[0].settings
    size = f"an image of {values['width']}x{values['height']}" if values.get("width") else "the image"
    try:
        with (
            translate_memory(size, settings, smaller="a smaller size, "),
            _hide_bar(pipe),
            _pass_on_warnings(jobs),
            previews.watch_estimates(pipe, steps.on_estimate),
        ):
            answer = pipe(
                prompt=names if several else names[0],
                generator=generators if several else generators[0],
                output_type="pil",
                callback_on_step_end=steps.on_step_end,
                **values,
            )
    except (Ended, FluxError):
        raise
    except (ValueError, TypeError) as exc:
        if steps.done:
            raise SpaceError(f"the pipeline failed: {type(exc).__name__}: {free_frames(exc)}") from None
        raise InvalidRequest(f"{loaded.title} refuses the request: {free_frames(exc)}") from None
    except Exception as exc:  # noqa: BLE001 - of a pipeline
        raise SpaceError(f"the pipeline failed: {type(exc).__name__}: {free_frames(exc)}") from None
    finally:
        pipe.maybe_free_model_hooks()  # as a pipeline does itself, unless it was ended
    values.pop("image", None)
    values.pop("mask_image", None)
    if several and "negative_prompt" in values:
        values["negative_prompt"] = values["negative_prompt"][0]
    parameters = describe_values(taken, values)
    details = dict(loaded.details) | ({"pipeline": type(pipe).__name__} if pipe is not loaded.pipe else {})
    details["batch"] = str(len(jobs))
    about = (taken, loaded.title, loaded.weights, loaded.memo.get("hardware", ""), details)
    return [
        Made(image, _name_size(parameters, job.request, image), *about)
        for job, image in zip(jobs, answer.images, strict=True)
    ]


def _name_size(parameters: dict[str, Any], request: ImageRequest, image: Any) -> dict[str, Any]:
    """Return the parameters with the size: as it was sent, else as it was made."""
    width, height = request.sent_width, request.sent_height
    return {**parameters, "width": width or image.width, "height": height or image.height}


def _check_negative(values: dict[str, Any], taken: Taken, title: str) -> None:
    """Raise InvalidRequest for a negative prompt that would not count, since nothing guides away from it."""
    row = next((row for row in taken.rows if row.own_name == "true_cfg_scale"), None)
    if values.get("negative_prompt") and row is not None and values.get(row.own_name, row.default or 0) <= 1:
        flag = "--guidance 4.0" if row.name == "guidance" else f"--set {row.name}=4.0"
        raise InvalidRequest(f"{title} heeds a negative prompt only with {row.name} above 1: add {flag}")


def _tell_unknown_words(loaded: Loaded, jobs: Sequence[Job]) -> None:
    """Tell which words of a prompt the tiny model does not know; the note is under the image."""
    for job in jobs:
        prompts = (job.request.prompt, job.request.sent_parameters.get("negative_prompt") or "")
        words = [word for prompt in prompts for word in tiny.find_unknown_words(loaded.pipe, prompt)]
        if words:
            named = ", ".join(dict.fromkeys(words))
            job.tell(Log(fit_one_line(f"{loaded.title} does not know these words: {named}"), "warning"))


def _open_images(request: ImageRequest, taken: Taken, pipe: Any, title: str) -> dict[str, Any]:
    """Return the arguments that carry what goes in, and the size that follows it where the pipeline has a fixed one."""
    from PIL import Image

    opened = [(one.role, Image.open(io.BytesIO(one.data))) for one in request.images]
    images = [image.convert("RGB") for role, image in opened if role == "image"]
    masks = [image.convert("L") for role, image in opened if role == "mask"]
    if len(images) > max(taken.images, 1):
        raise InvalidRequest(f"{title} takes {taken.images} image{'' if taken.images == 1 else 's'}: give fewer")
    if not images:
        return {}
    follows = type(pipe).__name__.startswith(("Flux2", "QwenImageEdit"))
    sides: dict[str, Any] = {}
    if not follows and taken.find("width") and request.width is None and request.height is None:
        sides = _fit_sides(images[0], taken)
    given: dict[str, Any] = {"image": images if len(images) > 1 else images[0]}
    return given | sides | ({"mask_image": masks[0]} if masks else {})


def _fit_sides(image: Any, taken: Taken) -> dict[str, int]:
    """Return the size of an image that goes in, or one of its shape for a model whose images have one size."""
    scale, step = taken.unasked.get("width", max(image.size)) / max(image.size), taken.size_step
    return {name: max(step, round(getattr(image, name) * scale) // step * step) for name in ("width", "height")}


@contextmanager
def _hide_bar(pipe: Any) -> Iterator[None]:
    """Show no bar of diffusers' own within the block."""
    before = getattr(pipe, "_progress_bar_config", {})
    pipe.set_progress_bar_config(**{**before, "disable": True})
    try:
        yield
    finally:
        pipe.set_progress_bar_config(**before)


@contextmanager
def _pass_on_warnings(jobs: Sequence[Job]) -> Iterator[None]:
    """Hand the warnings of diffusers on as events within the block, in place of printing them."""
    from diffusers.utils import logging as theirs

    handler = _Warnings(jobs)
    theirs.disable_default_handler()
    theirs.add_handler(handler)
    try:
        yield
    finally:
        theirs.remove_handler(handler)
        theirs.enable_default_handler()


class _Warnings(logging.Handler):
    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(logging.WARNING)
        self._jobs = jobs

    def emit(self, record: logging.LogRecord) -> None:
        for job in self._jobs:
            job.tell(Log(fit_one_line(record.getMessage()), "warning"))


class _Steps:
    """The steps of a call as events, and its end when no job is wanted any more."""

    def __init__(self, loaded: Loaded, pipe: Any, jobs: Sequence[Job], values: dict[str, Any]) -> None:
        self._pipe, self._jobs, self._factors = pipe, jobs, loaded.memo.get("factors")
        self._ratio = (values["height"] / values["width"]) if values.get("width") and values.get("height") else 1.0
        self.done = 0

    def on_step_end(self, pipe: Any, step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Tell of a step; diffusers calls this after each, on the worker's thread."""
        self.done = step + 1
        if worker.stopping.is_set() or all(job.ended.is_set() for job in self._jobs):
            raise Ended
        for job in self._jobs:
            job.tell(Running(self.done, int(pipe.num_timesteps)))
        return values

    def on_estimate(self, estimate: Any) -> None:
        """Tell what the image will be like; a preview that fails is left out, and with it those that follow."""
        if self._factors is None:
            return
        try:
            latents = previews.unpack(self._pipe, estimate, self._ratio)
            for job, one in zip(self._jobs, latents, strict=True):
                job.tell(Preview([previews.render(self._factors, one)]))
        except Exception as exc:  # noqa: BLE001 - of a pipeline whose latents are of another form
            _log.info("no previews of this pipeline: %s: %s", type(exc).__name__, exc)
            self._factors = None


def encode(image: Any) -> bytes:
    """Return an image as the bytes that are delivered: a PNG, which keeps every pixel."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "PNG")
    return file.getvalue()
