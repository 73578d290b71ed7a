"""The order of a task on a cluster, and its answer: all that the caller and the workers send each other."""

from __future__ import annotations

import pickle
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import FluxError, InvalidRequest
from ..parameters.settings import Settings
from ..providers.base import Provider
from ..records.record import get_version
from ..records.store import Stored
from ..results.generation import Generation, ImageFile, build_generation
from ..types import ImageRequest, Record, fit_one_line

if TYPE_CHECKING:
    from .job import Job
    from .replay import Replay

SPACE_SECRET: Final = "local space"  # noqa: S105 - a name
"""The name, among a run's secrets, of that of the local Space."""

BEGUN: Final = "begun"
"""The file in a run's folder whose time, by the store's own clock, is that of the run's begin."""


@dataclass(frozen=True, slots=True)
class Order:
    """The images that one task makes.

    Attributes:
        key: of the task.
        requests: of one shape, if they are several.
        keys: the replay keys that the record of each may have.
        settings: of their call, without a store and without secrets.
        run: the name of the caller's run.
        topic: where the worker tells of its progress.
        group: the name by which the caller knows the task, on whichever worker it is.
        folder: the caller's store, if there is one.
        has_secrets: True if the scheduler keeps secrets of this run.
        provider: one that the caller's process alone may know by name.
        space: the address of the caller's local Space, if the worker can reach it.
    """

    key: str
    requests: tuple[ImageRequest, ...]
    keys: tuple[tuple[str, ...], ...]
    settings: Settings
    run: str
    topic: str
    group: str
    folder: str = ""
    has_secrets: bool = False
    provider: type[Provider] | None = None
    space: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """An image on its way to the caller.

    Attributes:
        record: of the image.
        request: as it was sent, without the images that went in.
        files: their bytes; empty if they are in the caller's store.
        urls: of the files at their Space.
        path: of the record in the caller's store; empty if the caller has to keep it.
        note: a remark for the user.
    """

    record: Record
    request: ImageRequest
    files: tuple[bytes, ...] = ()
    urls: tuple[str, ...] = ()
    path: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An image or an error for each request of a task, and the worker's address."""

    worker: str
    results: tuple[Made | FluxError, ...]


class Call:
    """A pickle that makes an order where it is opened.

    So a task is `pickle.loads` of bytes: the scheduler needs no flux_magic, and a worker without it says so.
    """

    __slots__ = ("_order", "_versions")

    def __init__(self, versions: Mapping[str, str], order: bytes) -> None:
        self._versions, self._order = dict(versions), order

    def __reduce__(self) -> tuple[Callable[..., bytes], tuple[dict[str, str], bytes]]:
        from .cluster_worker import run_order

        return run_order, (self._versions, self._order)


def read_versions() -> dict[str, str]:
    """Return the versions that the caller and the workers must have in common, by package."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "flux_magic": get_version(), "distributed": version("distributed")}


def write_call(order: Order) -> bytes:
    """Return the bytes of which a worker makes the images. Raises InvalidRequest for what cannot travel."""
    import cloudpickle  # a provider of the notebook's own travels as its code

    try:
        return pickle.dumps(Call(read_versions(), cloudpickle.dumps(order)))
    except Exception as exc:
        what = fit_one_line(f"{type(exc).__name__}: {exc}", 200)
        raise InvalidRequest(f"the request cannot be sent to a worker: {what}") from exc


def find_mark(folder: str, run: str) -> Path:
    """Return the folder that a run makes in the caller's store: a worker that finds it sees the same store."""
    return Path(folder, f".cluster-{run}")


def list_keys(replay: Replay) -> tuple[str, ...]:
    """Return the replay keys that the record of a request may have; one of no meaning if no seed is known."""
    request, target = replay.request, replay.target
    if request.randomize_seed:
        return (uuid.uuid4().hex,)
    filled = target.fill_stand_in(request)
    known = target.known_identities()
    return tuple(replay.compute_key(one, filled if one.startswith("local:") else request) for one in known)


def find_shape(job: Job) -> object:
    """Return what the requests of a batch have in common."""
    one = job.request
    parameters = tuple(sorted(one.sent_parameters.items()))
    images = tuple(image.record.sha256 for image in one.images)
    settings = replace(job.target.settings, caption=None, alt=None)
    return (one.model, one.steps, one.sent_width, one.sent_height, parameters, images, repr(settings))


def locate_model(job: Job) -> ImageRequest:
    """Return a job's request with the name by which a worker finds its model, from whichever folder it works."""
    return replace(job.request, model=job.target.provider.locate_model(job.request.model))


def open_made(made: Made, job: Job) -> Generation:
    """Return an image of a worker as the caller's own."""
    request = replace(made.request, images=job.request.images, model=job.request.model)
    sources: Sequence[bytes | Path] = Stored(made.record, Path(made.path)).files if made.path else made.files
    files = tuple(map(ImageFile, made.record.files, sources, made.urls or ("",) * len(sources)))
    return build_generation(request, made.record, files, job.target.settings, note=made.note)
