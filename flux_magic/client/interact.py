"""Lets `ipywidgets.interact` take a function of many options, and make widgets for the few that it is told of."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def interactable(function: Function) -> Function:
    """The same function, with a signature that `interact` can work with.

    By itself `interact` makes a widget of every default, and fails where it is None; what is `fixed` it leaves alone.
    """
    known = inspect.signature(function)
    vars(function)["__signature__"] = _Signature(
        list(known.parameters.values()), return_annotation=known.return_annotation
    )
    return function


class _Signature(inspect.Signature):
    """Once ipywidgets is there, defaults are its `fixed`, and types, which older versions make widgets of, are gone."""

    __slots__ = ()

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:  # type: ignore[override]  # typeshed has its own proxy
        known = super().parameters
        if "ipywidgets" not in sys.modules:
            return known
        return MappingProxyType({name: _fixed(parameter) for name, parameter in known.items()})


def _fixed(parameter: inspect.Parameter) -> inspect.Parameter:
    none = inspect.Parameter.empty
    default = none if parameter.default is none else _kind()(parameter.default)
    return parameter.replace(annotation=none, default=default)


@functools.cache
def _kind() -> Any:
    from ipywidgets import fixed

    class Default(fixed):  # type: ignore[misc]  # ipywidgets ships no types
        def __repr__(self) -> str:
            return repr(self.value)

    return Default
