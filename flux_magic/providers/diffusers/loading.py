"""The loading of a pipeline: which files, which device and dtype, and what a record says of them."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import FluxError, InvalidRequest, MissingExtra, ModelUnavailable, NotEnoughMemory
from . import tiny
from .models import Model, compute_folder_digest, list_files, read_index
from .taking import Taken, read_taken

if TYPE_CHECKING:
    from ...parameters.settings import Settings

INSTALL: Final = "pip install 'flux-magic[diffusers]'"
LEAST_PYTHON: Final = (3, 11)

_PACKAGES: Final = ("torch", "diffusers", "transformers")
_TASKS: Final = {"text": "AutoPipelineForText2Image", "image": "AutoPipelineForImage2Image"}


@dataclass(slots=True)
class Loaded:
    """A pipeline in memory.

    Attributes:
        key: what it was loaded from and how; another one takes its place.
        pipe: the pipeline as its files say, or as the user gave it.
        title: the model's name for a person.
        weights: its commit, or the digest of its files; empty if that is not known.
        details: the facts for a record.
        is_tiny: True for our tiny model, which has defaults of its own.
        tasks: the pipelines of its parts for other kinds of requests, each with what it takes.
    """

    key: tuple[object, ...]
    pipe: Any
    title: str
    weights: str
    details: Mapping[str, str]
    is_tiny: bool = False
    tasks: dict[str, tuple[Any, Taken]] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)

    def choose(self, *, images: int, masks: int) -> tuple[Any, Taken]:
        """Return the pipeline for a request with so many images and masks, and what it takes.

        The parts are shared, and take no more memory. Raises InvalidRequest if it has no such pipeline.
        """
        kind = "mask" if masks else "image" if images else "text"
        if kind not in self.tasks:
            pipe, taken = self._open(kind)
            self.tasks[kind] = (pipe, tiny.adapt(taken) if self.is_tiny else taken)
        return self.tasks[kind]

    def _open(self, kind: str) -> tuple[Any, Taken]:
        import diffusers

        own = read_taken(self.pipe)
        fits = {"text": not own.needs_image, "image": own.images > 0 and not own.takes_mask, "mask": own.takes_mask}
        if fits[kind] and (kind != "text" or "strength" not in {row.name for row in own.rows}):
            return self.pipe, own
        auto = getattr(diffusers, _TASKS.get(kind, "AutoPipelineForInpainting"))
        try:
            pipe = auto.from_pipe(self.pipe)
        except ValueError:
            wanted = {"text": "makes nothing without an image (--image)", "image": "takes no image to start from"}
            raise InvalidRequest(f"{self.title} {wanted.get(kind, 'takes no mask')}") from None
        return pipe, read_taken(pipe)


def require_libraries() -> None:
    """Raise MissingExtra, in one line, if the libraries are not there or cannot be."""
    if sys.version_info < LEAST_PYTHON:
        have, need = ".".join(map(str, sys.version_info[:2])), ".".join(map(str, LEAST_PYTHON))
        raise MissingExtra(f"the provider diffusers needs Python {need} or later, and this is {have}")
    try:
        import diffusers  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401

        with quiet_libraries():
            import_module("diffusers.pipelines.auto_pipeline")  # it loads classes that say what they would like
    except ImportError as exc:
        raise MissingExtra(f"the provider diffusers needs {exc.name}, which is not installed: {INSTALL}") from None


def choose_device(asked: str) -> str:
    """Return the device of a setting. Raises InvalidRequest if this machine, or this build of torch, has it not."""
    import torch

    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    has["xpu"] = hasattr(torch, "xpu") and torch.xpu.is_available()
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "xpu", "cpu") if has[name])
    kind, _, number = asked.partition(":")
    if not has[kind] or (kind == "cuda" and number and int(number) >= torch.cuda.device_count()):
        there = ", ".join(name for name, one in has.items() if one)
        raise InvalidRequest(f"device is {asked!r}, which torch does not find here: there is {there}; or auto")
    return asked


def choose_dtype(asked: str, device: str) -> Any:
    """Return torch's dtype of a setting: `auto` is bfloat16 on a GPU that has it, float16 on one that has not."""
    import torch

    if asked != "auto":
        return getattr(torch, asked)
    if device == "cpu":
        return torch.float32
    if device.startswith("cuda") and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def load(model: Model, folder: Path, settings: Settings, on_wait: Callable[[str], None]) -> Loaded:
    """Load a pipeline from a folder: safetensors alone, and no code of the model's.

    Raises InvalidRequest, ModelUnavailable or NotEnoughMemory.
    """
    import diffusers

    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, device)
    if settings.offload != "none" and device == "cpu":
        raise InvalidRequest(f"offload is {settings.offload!r}, which needs a GPU: this runs on the CPU")
    _check_files(model, folder)
    check_memory(folder, dtype, device, settings.offload)
    on_wait(f"loading {model.name}")
    try:
        with quiet_libraries(warns=not model.is_tiny), translate_memory("the model", settings):
            pipe = diffusers.DiffusionPipeline.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
            _place(pipe, device, settings.offload)
    except FluxError:
        raise
    except Exception as exc:  # noqa: BLE001 - of any library that a part is made with
        reason = " ".join(str(exc).split())[:300]
        raise ModelUnavailable(f"{model.name} cannot be loaded: {type(exc).__name__}: {reason}") from None
    return Loaded(
        key=(),
        pipe=pipe,
        title=model.name,
        weights=f"commit {folder.name}" if model.repo else f"sha256:{_get_digest(model, folder)}",
        details=describe_pipeline(pipe, device=device, dtype=str(dtype), offload=settings.offload),
        is_tiny=model.is_tiny,
    )


def _get_digest(model: Model, folder: Path) -> str:
    return tiny.DIGEST if model.is_tiny else compute_folder_digest(folder)  # that of the tiny model was checked


def _check_files(model: Model, folder: Path) -> None:
    """Raise ModelUnavailable for a pipeline that brings code, or weights that are no safetensors."""
    index = read_index(folder)
    if not isinstance(index.get("_class_name"), str) or any(folder.glob("*.py")):
        raise ModelUnavailable(f"{model.name} brings code of its own, which is not run here")
    if strange := [name for name, kind in index.items() if isinstance(kind, list) and _is_code(folder / name, kind)]:
        raise ModelUnavailable(f"{model.name} brings code of its own for {', '.join(strange)}, which is not run here")
    for name, kind in index.items():
        part = folder / name
        if isinstance(kind, list) and (part / "config.json").is_file() and not any(part.glob("*.safetensors")):
            raise ModelUnavailable(
                f"{model.name} has no weights as safetensors for {name}, and other forms can run code: not loaded",
                "Load it yourself, if you trust it, and save it: pipe.save_pretrained(folder, safe_serialization=True)",
            )


def _is_code(part: Path, kind: list[Any]) -> bool:
    known = {None, "diffusers", "transformers", "flux_magic", "stable_diffusion", "onnxruntime"}
    return any(part.glob("*.py")) or (kind[:1] != [] and kind[0] not in known and "." in str(kind[0]))


def check_memory(folder: Path, dtype: Any, device: str, offload: str) -> None:
    """Raise NotEnoughMemory if the weights alone do not fit, before any is read."""
    import psutil
    import torch

    sizes: dict[str, float] = {}
    for file in list_files(folder):
        if file.suffix == ".safetensors":
            part = file.relative_to(folder).parts[0]
            sizes[part] = sizes.get(part, 0) + file.stat().st_size * dtype.itemsize / _read_width(file)
    needed, free, where = sum(sizes.values()), float(psutil.virtual_memory().available), "main memory"
    if device.startswith("cuda") and needed <= free:
        free, where = float(torch.cuda.mem_get_info(device)[0]), "the GPU"
        needed = needed if offload == "none" else 0 if offload == "group" else max(sizes.values(), default=0)
    if needed > free:
        raise NotEnoughMemory(
            f"the model takes {needed / 2**30:.1f} GiB as {str(dtype).removeprefix('torch.')}, and {where} has "
            f"{free / 2**30:.1f} GiB free",
            _suggest(dtype, device, offload),
        )


def _read_width(file: Path) -> int:
    """Return the bytes of a number in a file of safetensors, by its first tensor; 2 if that is not known."""
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(min(size, 64 * 2**20))) if size < 64 * 2**20 else {}
    kinds = [one.get("dtype", "") for name, one in header.items() if name != "__metadata__"]
    return {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}.get(kinds[0] if kinds else "", 2)


def _suggest(dtype: Any, device: str, offload: str) -> str:
    """Return what would help against too little memory."""
    ways = []
    if dtype.itemsize > 2:
        ways.append('%config FluxMagics.dtype = "bfloat16" takes half')
    if device != "cpu" and offload == "none":
        ways.append('%config FluxMagics.offload = "model" keeps on the GPU only what runs')
    if device != "cpu" and offload == "model":
        ways.append('%config FluxMagics.offload = "group" takes least')
    return f"What would help: {'; '.join([*ways, 'a smaller model, or closing other programs'])}."


@contextmanager
def translate_memory(what: str, settings: Settings, *, smaller: str = "") -> Iterator[None]:
    """Raise NotEnoughMemory in place of an allocator's error, and let go of what its traceback holds."""
    import torch

    failed = ""
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError) as exc:
        if isinstance(exc, NotEnoughMemory):
            raise
        failed = free_frames(exc)
    except RuntimeError as exc:
        text = str(exc)
        if "out of memory" not in text and "can't allocate memory" not in text and "buffer size" not in text:
            raise
        failed = free_frames(exc)
    if failed:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        device = choose_device(settings.device)
        hint = _suggest(choose_dtype(settings.dtype, device), device, settings.offload)
        raise NotEnoughMemory(
            f"not enough memory for {what}: {failed}", hint.replace("a smaller", f"{smaller}a smaller")
        )


def free_frames(error: BaseException) -> str:
    """Return the first line of an error, after its traceback has let go of the tensors that its frames hold."""
    import traceback

    line = (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen.__traceback__ = None
        seen = seen.__context__
    return line


@contextmanager
def quiet_libraries(*, warns: bool = True) -> Iterator[None]:
    """Let the libraries show no bars while a model is loaded from the disk, nor say what else could be installed.

    Without `warns`, diffusers does not say either which class of a part is unusual.
    """
    from diffusers.utils import logging as ours
    from transformers.utils import logging as theirs

    was, level = (ours.is_progress_bar_enabled(), theirs.is_progress_bar_enabled()), theirs.get_verbosity()
    own_level = ours.get_verbosity()
    if not warns:
        ours.set_verbosity_error()
    ours.disable_progress_bar()
    theirs.disable_progress_bar()
    theirs.set_verbosity_error()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        ours.set_verbosity(own_level)
        if was[0]:
            ours.enable_progress_bar()
        if was[1]:
            theirs.enable_progress_bar()


def _place(pipe: Any, device: str, offload: str) -> None:
    if offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif offload == "group":
        import torch

        pipe.enable_group_offload(
            onload_device=torch.device(device), offload_type="leaf_level", use_stream=device.startswith("cuda")
        )
    else:
        pipe.to(device)


def describe_pipeline(pipe: Any, *, device: str = "", dtype: str = "", offload: str = "") -> dict[str, str]:
    """Return the facts for a record: the class, where and how it runs, versions, and the scheduler."""
    import torch

    scheduler = getattr(pipe, "scheduler", None)
    facts = {
        "pipeline": type(pipe).__name__,
        "device": device or str(getattr(pipe, "device", "")),
        "dtype": (dtype or str(getattr(pipe, "dtype", ""))).removeprefix("torch."),
        "offload": offload if offload != "none" else "",
        "threads": str(torch.get_num_threads()) if (device or str(pipe.device)) == "cpu" else "",
        **{name: _get_version(name) for name in _PACKAGES},
    }
    if scheduler is not None:
        config = {name: value for name, value in dict(scheduler.config).items() if not name.startswith("_")}
        facts["scheduler"] = type(scheduler).__name__
        text = json.dumps(config, sort_keys=True, default=str)
        facts["scheduler_config"] = text if len(text) <= 2000 else hashlib.sha256(text.encode()).hexdigest()
    return {name: value for name, value in facts.items() if value}


def name_hardware(device: str) -> str:
    """Return the name of the device's hardware, or of this machine's processor kind."""
    import platform

    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"{platform.machine()} {'GPU (Metal)' if device == 'mps' else 'CPU'}"


def _get_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
