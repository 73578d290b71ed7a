"""Support for `ipywidgets.interact`, which then makes widgets only for the options that the caller passes."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def make_interactable(function: Function) -> Function:
    """Give the function a signature that `interact` can work with, and return it.

    By default `interact` makes a widget of every default value, and fails if that is None; it leaves `fixed` values
    alone.
    """
    known = inspect.signature(function)
    vars(function)["__signature__"] = _Signature(
        list(known.parameters.values()), return_annotation=known.return_annotation
    )
    return function


class _Signature(inspect.Signature):
    """A signature with `fixed` defaults once ipywidgets is loaded, and without types, which older versions act upon."""

    __slots__ = ()

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:  # type: ignore[override]  # typeshed has its own proxy
        known = super().parameters
        if "ipywidgets" not in sys.modules:
            return known
        return MappingProxyType({name: _fix(parameter) for name, parameter in known.items()})


def _fix(parameter: inspect.Parameter) -> inspect.Parameter:
    none, kind, default = inspect.Parameter.empty, _load_kind(), parameter.default
    if default is not none and not isinstance(default, kind):  # of a bound method it is one already
        default = kind(default)
    return parameter.replace(annotation=none, default=default)


@functools.cache
def _load_kind() -> Any:
    from ipywidgets import fixed

    class Default(fixed):  # type: ignore[misc]  # ipywidgets ships no types
        def __repr__(self) -> str:
            return repr(self.value)

    return Default
