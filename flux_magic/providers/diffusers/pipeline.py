"""A pipeline that the user has loaded, and perhaps changed, as a provider of its own."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from typing import Any, ClassVar, Final

from ...errors import InvalidArgument, show_value
from ...parameters.calls import check_class
from ...types import UNKNOWN, ImageRequest
from ..base import ModelDescription, Prepared, Provider
from .provider import Diffusers, build_description, fit
from .running import Job
from .worker import worker

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@check_class
class Pipeline:
    """A pipeline of diffusers that you have loaded and changed, as a provider: `--provider NAME` from now on.

    A LoRA, a ControlNet, another scheduler, quantised weights: what was done to it is yours, so the record calls its
    model and weights unknown. Its name, its class, its scheduler and its active adapters are in the replay key.

    Args:
        pipe: the pipeline, on the device that you have put it on.
        name: the name for `--provider`: lower case letters, digits, - and _. A name that is given again is the new
            pipeline's.

    Example::

        pipe = diffusers.FluxPipeline.from_pretrained("black-forest-labs/FLUX.1-dev")
        pipe.load_lora_weights("someone/ink")
        ink = flux_magic.Pipeline(pipe, name="ink")
        flux_magic.generate("a red fox", provider=ink)

    Raises InvalidArgument for an object that is no pipeline, and for a name that another provider has.
    """

    __slots__ = ("name", "pipe", "provider_class")

    def __init__(self, pipe: Any, *, name: str) -> None:
        if not callable(pipe) or not hasattr(pipe, "components") or not hasattr(pipe, "config"):
            raise InvalidArgument(f"pipe is {show_value(pipe)}: give a pipeline of diffusers, loaded")
        if not _NAME.fullmatch(str(name)):
            raise InvalidArgument(f"name is {show_value(name)}: give lower case letters, digits, - and _, as in ink")
        self.pipe, self.name = pipe, name
        self.provider_class = _register(self)

    def __repr__(self) -> str:
        return f"Pipeline({type(self.pipe).__name__}, name={self.name!r})"


def _register(own: Pipeline) -> type[Provider]:
    """Return the provider of a pipeline, registered under its name in place of an earlier pipeline of this name."""
    from ..registry import list_providers, register_provider, unregister_provider

    for earlier in list_providers():
        if issubclass(earlier, OwnPipeline) and earlier.engine == own.name:
            unregister_provider(earlier)
    kind = type(f"Pipeline_{own.name}", (OwnPipeline,), {"engine": own.name, "own": own})
    return register_provider(kind)


class OwnPipeline(Diffusers):
    """The provider of one pipeline of the user's.

    Attributes:
        own: the pipeline.
    """

    label: ClassVar[str] = "diffusers pipeline"
    own: ClassVar[Pipeline]

    @classmethod
    def names(cls) -> list[str]:
        return []

    @classmethod
    def get_model(cls, model: str) -> str:  # noqa: ARG003 - it is one model
        return f"{UNKNOWN} (pipeline {cls.engine})"

    @classmethod
    def name_model(cls, model: str) -> tuple[str, str]:
        text = json.dumps(_describe_changes(cls.own.pipe), sort_keys=True, default=str)
        return model, f"pipeline:{cls.engine}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @classmethod
    def is_at_hand(cls, model: str) -> bool:  # noqa: ARG003
        return True

    @classmethod
    def recall_description(cls, space: Any = None, model: str = "") -> ModelDescription | None:  # noqa: ARG003
        from .taking import read_taken

        return build_description(cls.label, cls.get_model(""), read_taken(cls.own.pipe))

    async def describe(self, model: str = "") -> ModelDescription:
        description = self.recall_description(None, model)
        assert description is not None  # noqa: S101 - its pipeline is at hand
        return description

    @classmethod
    def prepare(cls, request: ImageRequest) -> Prepared:
        return super().prepare(request)

    @classmethod
    def _make_key(cls, request: ImageRequest) -> tuple[object, ...]:  # noqa: ARG003
        return (cls.own,)

    def _require_loaded(self, job: Job) -> Any:  # noqa: ARG002
        from .loading import Loaded, describe_pipeline, name_hardware, require_libraries

        require_libraries()
        pipe, key = self.own.pipe, (self.own,)
        if worker.loaded is None or worker.loaded.key != key:
            worker.release()
            worker.loaded = fit(Loaded(key, pipe, self.get_model(""), "", {}))
        loaded = worker.loaded
        loaded.details = describe_pipeline(pipe) | _describe_changes(pipe)
        loaded.memo["hardware"] = name_hardware(loaded.details.get("device", "cpu"))
        loaded.tasks.clear()  # its parts may have been replaced
        return loaded


def _describe_changes(pipe: Any) -> dict[str, str]:
    """Return what can be known of a pipeline beside its weights: its class, its scheduler and its active adapters."""
    scheduler = getattr(pipe, "scheduler", None)
    facts = {"pipeline": type(pipe).__name__, "scheduler": type(scheduler).__name__}
    if scheduler is not None:
        config = {name: value for name, value in dict(scheduler.config).items() if not name.startswith("_")}
        facts["scheduler_config"] = json.dumps(config, sort_keys=True, default=str)[:2000]
    with suppress(Exception):  # a pipeline without adapters, or without the package for them
        if active := pipe.get_active_adapters():
            facts["adapters"] = ", ".join(sorted(active))
    return facts
