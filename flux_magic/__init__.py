"""Images from a prompt, in a notebook: `%load_ext flux_magic`, then `%%flux`.

The public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself takes most of the time that a bare import has
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from .client.async_client import AsyncClient
    from .client.blocking import run
    from .client.client import Client, generate, generate_many, history, recall, submit, sweep
    from .client.debug import debug
    from .client.inputs import load_image
    from .client.submission import AsyncSubmission, Submission
    from .client.underway import cancel_all
    from .client.unloading import unload
    from .errors import (
        CancelledByServer,
        CapsuleError,
        ClusterError,
        ClusterUnavailable,
        ConnectionFailed,
        ConnectionLost,
        EmptyResult,
        FluxError,
        GpuTrouble,
        Incomplete,
        InvalidArgument,
        InvalidRequest,
        LocalSpaceError,
        LoginRequired,
        MissingExtra,
        ModelUnavailable,
        NotAnImage,
        NotEnoughMemory,
        NotInStore,
        NotInSweep,
        OutOfRange,
        ProtocolError,
        QueueFull,
        QuotaExceeded,
        RateLimited,
        RecordError,
        ResponseError,
        SaveError,
        SpaceAsleep,
        SpaceBroken,
        SpaceChanged,
        SpaceError,
        SpaceNotFound,
        SpacePaused,
        Stopped,
        StoreError,
        StreamLost,
        TimedOut,
        TokenRefused,
        UnknownAttribute,
        UnreadableFormat,
        WouldDeadlock,
    )
    from .jupyter.panel import InvalidTrait, Panel
    from .jupyter.usage import UsageError
    from .parameters.settings import Settings
    from .providers.diffusers.pipeline import Pipeline
    from .providers.models import Model, list_models
    from .results.generation import Generation
    from .results.generations import Generations
    from .results.recall import Recalled
    from .types import ImageRequest, ImageResponse, InputImage, Log, Preview, Queued, Record, Running, Waiting
    from .verify import package as verify
    from .verify.report import Report

__all__ = [
    "AsyncClient",
    "AsyncSubmission",
    "CancelledByServer",
    "CapsuleError",
    "Client",
    "ClusterError",
    "ClusterUnavailable",
    "ConnectionFailed",
    "ConnectionLost",
    "EmptyResult",
    "FluxError",
    "Generation",
    "Generations",
    "GpuTrouble",
    "ImageRequest",
    "ImageResponse",
    "Incomplete",
    "InputImage",
    "InvalidArgument",
    "InvalidRequest",
    "InvalidTrait",
    "LocalSpaceError",
    "Log",
    "LoginRequired",
    "MissingExtra",
    "Model",
    "ModelUnavailable",
    "NotAnImage",
    "NotEnoughMemory",
    "NotInStore",
    "NotInSweep",
    "OutOfRange",
    "Panel",
    "Pipeline",
    "Preview",
    "ProtocolError",
    "QueueFull",
    "Queued",
    "QuotaExceeded",
    "RateLimited",
    "Recalled",
    "Record",
    "RecordError",
    "Report",
    "ResponseError",
    "Running",
    "SaveError",
    "Settings",
    "SpaceAsleep",
    "SpaceBroken",
    "SpaceChanged",
    "SpaceError",
    "SpaceNotFound",
    "SpacePaused",
    "Stopped",
    "StoreError",
    "StreamLost",
    "Submission",
    "TimedOut",
    "TokenRefused",
    "UnknownAttribute",
    "UnreadableFormat",
    "UsageError",
    "Waiting",
    "WouldDeadlock",
    "cancel_all",
    "debug",
    "generate",
    "generate_many",
    "history",
    "list_models",
    "load_image",
    "recall",
    "run",
    "submit",
    "sweep",
    "unload",
    "verify",
]

_HOMES = dict.fromkeys(__all__, "errors") | {
    "AsyncClient": "client.async_client",
    "AsyncSubmission": "client.submission",
    "Client": "client.client",
    "Generation": "results.generation",
    "Generations": "results.generations",
    "ImageRequest": "types",
    "ImageResponse": "types",
    "InputImage": "types",
    "InvalidTrait": "jupyter.panel",
    "Log": "types",
    "Model": "providers.models",
    "Panel": "jupyter.panel",
    "Pipeline": "providers.diffusers.pipeline",
    "Preview": "types",
    "Queued": "types",
    "Recalled": "results.recall",
    "Record": "types",
    "Report": "verify.report",
    "Running": "types",
    "Settings": "parameters.settings",
    "Submission": "client.submission",
    "UsageError": "jupyter.usage",
    "Waiting": "types",
    "cancel_all": "client.underway",
    "debug": "client.debug",
    "generate": "client.client",
    "generate_many": "client.client",
    "history": "client.client",
    "list_models": "providers.models",
    "load_image": "client.inputs",
    "recall": "client.client",
    "run": "client.blocking",
    "submit": "client.client",
    "sweep": "client.client",
    "unload": "client.unloading",
    "verify": "",  # the package, which can be called
}
"""The module that each public name lives in."""

_unloaded = False  # `%reload_ext` runs this line again; `%unload_ext` and then `%load_ext` does not


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("flux-magic")
    if name not in _HOMES:
        raise _make_attribute_error(name)
    from importlib import import_module

    home = import_module(f".{_HOMES[name] or name}", __name__)
    return getattr(home, name) if _HOMES[name] else home


def _make_attribute_error(name: str) -> AttributeError:
    """Return the error for a name that the package does not have. Python itself looks up names with underscores."""
    missing = f"module {__name__!r} has no attribute {name!r}"
    if name.startswith("_"):
        return AttributeError(missing)
    import difflib

    from .errors import UnknownAttribute

    close = difflib.get_close_matches(name, __all__, n=1)
    return UnknownAttribute(missing + "".join(f": did you mean {one}?" for one in close))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Load the extension: `%load_ext flux_magic` calls this."""
    from .jupyter import extension

    extension.load(shell, keep_config=not _unloaded)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Unload the extension: `%unload_ext flux_magic` calls this."""
    global _unloaded  # noqa: PLW0603 - tells a reload from an unload
    from .jupyter import extension

    extension.unload(shell)
    _unloaded = True
