"""Images from a prompt, in a notebook: `%load_ext flux_magic`, then `%%flux`.

The public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .client.blocking import generate, recall, run
    from .client.client import Client
    from .client.debug import debug
    from .client.many import generate_many, sweep
    from .client.underway import cancel_all
    from .errors import (
        CancelledByServer,
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
        NotAnImage,
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
    from .results.generation import Generation
    from .results.generations import Generations
    from .types import ImageRequest, ImageResponse

_HOMES = {
    "CancelledByServer": "errors",
    "Client": "client.client",
    "ConnectionFailed": "errors",
    "ConnectionLost": "errors",
    "EmptyResult": "errors",
    "FluxError": "errors",
    "Generation": "results.generation",
    "Generations": "results.generations",
    "GpuTrouble": "errors",
    "ImageRequest": "types",
    "ImageResponse": "types",
    "Incomplete": "errors",
    "InvalidArgument": "errors",
    "InvalidRequest": "errors",
    "InvalidTrait": "jupyter.panel",
    "LocalSpaceError": "errors",
    "LoginRequired": "errors",
    "MissingExtra": "errors",
    "NotAnImage": "errors",
    "NotInStore": "errors",
    "NotInSweep": "errors",
    "OutOfRange": "errors",
    "Panel": "jupyter.panel",
    "ProtocolError": "errors",
    "QueueFull": "errors",
    "QuotaExceeded": "errors",
    "RateLimited": "errors",
    "RecordError": "errors",
    "ResponseError": "errors",
    "SaveError": "errors",
    "SpaceAsleep": "errors",
    "SpaceBroken": "errors",
    "SpaceChanged": "errors",
    "SpaceError": "errors",
    "SpaceNotFound": "errors",
    "SpacePaused": "errors",
    "Stopped": "errors",
    "StoreError": "errors",
    "StreamLost": "errors",
    "TimedOut": "errors",
    "TokenRefused": "errors",
    "UnknownAttribute": "errors",
    "UnreadableFormat": "errors",
    "UsageError": "jupyter.usage",
    "WouldDeadlock": "errors",
    "cancel_all": "client.underway",
    "debug": "client.debug",
    "generate": "client.blocking",
    "generate_many": "client.many",
    "recall": "client.blocking",
    "run": "client.blocking",
    "sweep": "client.many",
}

__all__ = [
    "CancelledByServer",
    "Client",
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
    "InvalidArgument",
    "InvalidRequest",
    "InvalidTrait",
    "LocalSpaceError",
    "LoginRequired",
    "MissingExtra",
    "NotAnImage",
    "NotInStore",
    "NotInSweep",
    "OutOfRange",
    "Panel",
    "ProtocolError",
    "QueueFull",
    "QuotaExceeded",
    "RateLimited",
    "RecordError",
    "ResponseError",
    "SaveError",
    "SpaceAsleep",
    "SpaceBroken",
    "SpaceChanged",
    "SpaceError",
    "SpaceNotFound",
    "SpacePaused",
    "Stopped",
    "StoreError",
    "StreamLost",
    "TimedOut",
    "TokenRefused",
    "UnknownAttribute",
    "UnreadableFormat",
    "UsageError",
    "WouldDeadlock",
    "cancel_all",
    "debug",
    "generate",
    "generate_many",
    "recall",
    "run",
    "sweep",
]

_unloaded = False  # `%reload_ext` runs this line again; `%unload_ext` and then `%load_ext` does not


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("flux-magic")
    if name not in _HOMES:
        raise _unknown(name)
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def _unknown(name: str) -> AttributeError:
    """Return the error for a name that the package does not have; Python itself looks for those with underscores."""
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
    """What `%load_ext flux_magic` calls."""
    from .jupyter.extension import load

    load(shell, keep_config=not _unloaded)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """What `%unload_ext flux_magic` calls."""
    global _unloaded  # noqa: PLW0603 - tells a reload from an unload
    from .jupyter.extension import unload

    unload(shell)
    _unloaded = True
