"""The provider `diffusers`: images of a pipeline on this machine's own GPU."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...errors import EmptyResult, InvalidRequest, MissingExtra
from ...parameters.settings import Settings
from ...parameters.table import ROWS
from ...types import Event, ImageRequest, ImageResponse, Log, Running, Waiting
from ..base import ModelDescription, Prepared, Provider
from ..log import get_logger
from . import tiny
from .hub import fetch_snapshot, find_snapshot
from .models import TINY, Model, compute_folder_digest, name_model, read_model
from .running import Ended, Job, Made, encode, make_images
from .worker import worker

if TYPE_CHECKING:
    from ...parameters.addresses import Space
    from ..http.connection import Connection
    from .loading import Loaded

_log = get_logger(__name__)

_HEARTBEAT: Final = 10.0
"""Seconds of silence after which the last event comes again: loading, or a step, may take minutes."""

_GATHER: Final = 0.02
"""Seconds that a batch waits for the requests that came with its first one, and again if some came."""

_MOST: Final = 8
"""The most images that are made at once if the GPU's free memory decides."""

_GPUS: Final = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd", r"C:\Windows\System32\nvcuda.dll")
"""Files by which a driver of a GPU is known before torch is loaded, which takes a second."""

_jobs: deque[Job] = deque()
"""The jobs that wait for the thread, the oldest first."""

_lock: Final = threading.Lock()

_described: dict[str, ModelDescription] = {}
"""The descriptions of the models that were used, by the name asked for."""


class Diffusers(Provider):
    """A pipeline of the library diffusers: any of the Hub, or of a folder that `save_pretrained` wrote."""

    label: ClassVar[str] = "diffusers"
    engine: ClassVar[str] = "diffusers"
    is_on_gpu: ClassVar[bool] = True

    def __init__(self, connection: Connection, space: Space | None = None) -> None:
        super().__init__(connection, space)
        self._settings = Settings()
        self._made: Made | None = None

    @classmethod
    def open(cls, connection: Connection, space: Space | None, settings: Settings) -> Provider:
        opened = cls(connection, space)
        opened._settings = settings
        return opened

    @classmethod
    def names(cls) -> list[str]:
        return [TINY]  # any other is a folder, or the Hub's

    @classmethod
    def get_model(cls, model: str) -> str:
        found = read_model(model)
        return found.asked or found.name

    @classmethod
    def name_model(cls, model: str) -> tuple[str, str]:
        return name_model(model)

    @classmethod
    def locate_model(cls, model: str) -> str:
        found = read_model(model)
        return found.name if found.is_tiny else str(found.folder or model)

    @classmethod
    def is_at_hand(cls, model: str) -> bool:
        try:
            found = read_model(model)
            if found.is_tiny:
                return tiny.find_folder() is not None
            # A path is the user's alone: a record names a folder by its digest.
            return "@sha256:" in model if found.folder else find_snapshot(found) is not None
        except (InvalidRequest, ImportError):
            return False

    @classmethod
    def takes(cls, name: str) -> bool | None:
        return False if name == "endpoint" else None

    @classmethod
    def count_at_once(cls, settings: Settings) -> int:
        if isinstance(settings.batch, int):
            return settings.batch
        return _MOST if settings.device != "cpu" and any(Path(one).exists() for one in _GPUS) else 1

    @classmethod
    def prepare(cls, request: ImageRequest) -> Prepared:
        known = super().prepare(request)
        values = {**known.values, **request.sent_parameters}
        model = cls.get_model(request.model)
        note = "what is left out is the pipeline's own default"
        return Prepared(f"{cls.label}, {model}", {name: one for name, one in values.items() if one is not None}, note)

    @classmethod
    def recall_description(cls, space: Space | None = None, model: str = "") -> ModelDescription | None:  # noqa: ARG003
        return _described.get(model)

    async def describe(self, model: str = "") -> ModelDescription:
        if model not in _described:
            await asyncio.wrap_future(worker.submit(lambda: self._describe(model)))
        return _described[model]

    async def list_untaken(self, request: ImageRequest) -> Collection[str]:
        rows = (await self.describe(request.model)).parameters
        return ROWS.keys() - {row.name for row in rows} - {"seed"} if rows else await super().list_untaken(request)

    def _describe(self, model: str) -> None:
        """Describe a model by its files on this disk alone, on the worker's thread."""
        from .loading import require_libraries
        from .unloaded import read_taken_of

        require_libraries()
        found = read_model(model)
        folder = _find_own_folder(found) or find_snapshot(found)
        taken = read_taken_of(folder) if folder is not None else None
        taken = tiny.adapt(taken) if taken is not None and found.is_tiny else taken
        description = build_description(self.label, found.name, taken)
        if taken is not None:
            _described[model] = description
        else:
            _described.setdefault(model, description)

    async def stream(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Event | None] = asyncio.Queue()

        def tell(event: Event | None) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(inbox.put_nowait, event)

        job = Job(request, self._settings, await asyncio.to_thread(self._make_key, request), tell)
        job.result.add_done_callback(lambda _: tell(None))
        with _lock:
            _jobs.append(job)
        worker.submit(lambda: self._serve(job))
        last: Waiting | Running = Waiting("waiting for the pipeline")
        coming = asyncio.ensure_future(inbox.get())
        try:
            yield last
            while True:
                await asyncio.wait({coming}, timeout=_HEARTBEAT)
                if not coming.done():
                    yield last
                    continue
                event = coming.result()
                if event is None:
                    break
                coming = asyncio.ensure_future(inbox.get())
                last = event if isinstance(event, Waiting | Running) else last
                yield event
            self._made = made = job.result.result()
        except Ended:
            raise EmptyResult("Python is exiting: the pipeline was ended") from None
        finally:
            job.ended.set()
            coming.cancel()
        self._data = await asyncio.to_thread(encode, made.image)
        _described[request.model] = build_description(self.label, made.title, made.taken)
        yield ImageResponse(["image"], request.prompt, request.seed, parameters=made.parameters)

    @classmethod
    def _make_key(cls, request: ImageRequest) -> tuple[object, ...]:
        """Return what has to be loaded for a request; files that have changed on the disk are another model."""
        found = read_model(request.model)
        return (found, compute_folder_digest(found.folder) if found.folder else "")

    def _serve(self, job: Job) -> None:
        """Make the image of a job, and of those behind it that can be made at once; on the worker's thread."""
        with _lock:
            if job not in _jobs:
                return  # it was made with another one
            _jobs.remove(job)
        if job.ended.is_set():
            job.result.cancel()
            return
        jobs = [job]
        try:
            loaded = self._require_loaded(job)
            most, mates = choose_batch(loaded, job), [job]
            while mates and len(jobs) < most:
                time.sleep(_GATHER)
                jobs += (mates := _take_mates(job, most - len(jobs)))
            for one, made in zip(jobs, make_images(loaded, jobs), strict=True):
                one.result.set_result(made)
        except BaseException as error:  # noqa: BLE001 - it is the callers'
            for one in jobs:
                if not one.result.done():
                    one.result.set_exception(error)

    def _require_loaded(self, job: Job) -> Loaded:
        """Return the pipeline for a job; another one is freed first, as there are never two."""
        from .loading import load, name_hardware, require_libraries

        require_libraries()
        settings = job.settings
        key = (*job.key, settings.device, settings.dtype, settings.offload)
        if worker.loaded is not None and worker.loaded.key == key:
            return worker.loaded
        worker.release()

        def on_wait(text: str) -> None:
            job.tell(Waiting(text))

        def on_note(text: str) -> None:
            job.tell(Log(text, "note"))
            job.tell(Waiting("downloading"))

        model: Model = job.key[0]  # type: ignore[assignment]  # as _make_key says
        folder: Path = _find_own_folder(model) or fetch_snapshot(model, settings.token, on_note)
        loaded = load(model, folder, settings, on_wait)
        loaded.key = key
        loaded.memo["hardware"] = name_hardware(loaded.details["device"])
        worker.loaded = fit(loaded)
        return loaded

    async def fetch(self, file: str) -> bytes:  # noqa: ARG002 - there is one
        return self._data

    async def environment(self) -> Mapping[str, Any]:
        made = self._made
        if made is None:
            return {}
        facts = {"weights": made.weights, "hardware": made.hardware, "details": made.details}
        return {name: value for name, value in facts.items() if value}

    async def status(self) -> Mapping[str, str]:
        try:
            return await asyncio.wrap_future(worker.submit(_describe_machine))
        except MissingExtra as error:
            return {"diffusers": error.message}


def fit(loaded: Loaded) -> Loaded:
    """Return a pipeline with the factors of its previews; one whose VAE is of another form has none."""
    from . import previews

    try:
        loaded.memo["factors"] = previews.fit_factors(loaded.pipe)
    except Exception as exc:  # noqa: BLE001 - of somebody's VAE
        _log.info("no previews: %s: %s", type(exc).__name__, exc)
    return loaded


def _find_own_folder(model: Model) -> Path | None:
    """Return the folder of a model that is on this disk by itself; None for one of the Hub."""
    return tiny.open_folder() if model.is_tiny else model.folder


def _take_mates(job: Job, most: int) -> list[Job]:
    """Take those jobs that wait and have the shape of a job, at most so many."""
    with _lock:
        mates = [one for one in _jobs if one.shape() == job.shape() and not one.ended.is_set()][:most]
        for one in mates:
            _jobs.remove(one)
    return mates


def choose_batch(loaded: Loaded, job: Job) -> int:
    """Return how many images are made at once: as set, else by the GPU's free memory; one on a CPU."""
    if isinstance(job.settings.batch, int):
        return job.settings.batch
    device = loaded.details.get("device", "cpu")
    if not device.startswith("cuda"):
        return 1
    import torch

    width, height = job.request.sent_width or 1024, job.request.sent_height or 1024
    free = torch.cuda.mem_get_info(device)[0]
    return int(max(1, min(_MOST, free // (2 * 2**30 * width * height / 2**20))))


def build_description(label: str, title: str, taken: Any) -> ModelDescription:
    """Return the description of a model by what its pipeline takes; None if that is not known."""
    if taken is None:
        return ModelDescription(title, label, title=title)
    return ModelDescription(
        model=title,
        provider=label,
        parameters=taken.rows,
        size_step=8,
        input_images=taken.images,
        needs_image=taken.needs_image,
        takes_mask=taken.takes_mask,
        title=title,
    )


def _describe_machine() -> dict[str, str]:
    """Return the facts of this machine for the doctor."""
    from .loading import choose_device, name_hardware, require_libraries

    require_libraries()
    import diffusers
    import torch

    device = choose_device("auto")
    loaded = worker.loaded.title if worker.loaded else "nothing"
    return {
        "device": f"{device}, {name_hardware(device)}",
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "loaded": loaded,
    }
