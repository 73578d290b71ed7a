"""Checks of the arguments of public calls. A mistake is one line in a notebook, and a TypeError in a program."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

from ..errors import InvalidArgument, show_value
from .dialects import explain
from .table import EXTRA

Call = TypeVar("Call", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)


def check_call(call: Call) -> Call:
    """Return the same call, which raises InvalidArgument when it does not take its arguments.

    Otherwise Python raises a bare TypeError, and a notebook shows its traceback.
    """

    @functools.wraps(call)
    def call_checked(*args: Any, **options: Any) -> Any:
        try:
            return call(*args, **options)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # the call took its arguments: the error is from further in
            raise InvalidArgument(_explain_call(call, options, str(error))) from None

    return cast("Call", call_checked)


def check_class(owner: Class) -> Class:
    """Return the same class, with all its public methods and its constructor `checked`."""
    for name, method in list(vars(owner).items()):
        if isinstance(method, FunctionType) and (name == "__init__" or not name.startswith("_")):
            setattr(owner, name, check_call(method))
    return owner


def takes(options: type) -> Callable[[Call], Call]:
    """Return a decorator of a call with `**options: Unpack[…]`: its signature names each option of the TypedDict.

    The call is `checked`, and raises InvalidArgument for another option. One with `**values: Any` takes others as well.
    """

    def decorate(call: Call) -> Call:
        inner = check_call(call)
        signature = _named(inspect.signature(call), options)
        is_open = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())

        @functools.wraps(call)
        def called(*args: Any, **given: Any) -> Any:
            if not is_open and not given.keys() <= signature.parameters.keys():
                raise InvalidArgument(_explain_call(called, given))
            return inner(*args, **given)

        vars(called)["__signature__"] = signature
        return cast("Call", called)

    return decorate


def _named(signature: inspect.Signature, options: type) -> inspect.Signature:
    """Return a signature with these options in place of its `**options`, or before its `**values`."""
    *own, rest = signature.parameters.values()
    known = {one.name for one in own}
    extra = EXTRA if "steps" in options.__annotations__ else ()  # of an image
    hints = {**options.__annotations__, **{row.name: f"{row.kind.__name__} | None" for row in extra}}
    named = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if annotation == "bool" else None,
            annotation=annotation,
        )
        for name, hint in hints.items()
        if name not in known and (annotation := getattr(hint, "__forward_arg__", hint))
    ]
    return signature.replace(parameters=[*own, *named, *([rest] if rest.name == "values" else [])])


def check_path(name: str, path: object) -> str:
    """Return a path as a string; raise InvalidArgument if it is none."""
    try:
        return os.fsdecode(cast("str", path))
    except TypeError:
        raise InvalidArgument(f"{name} is {show_value(path)}: give the path of a file or a folder") from None


def _explain_call(call: Callable[..., Any], options: dict[str, Any], error: str = "") -> str:
    """Return one line that says which argument is wrong, and what is allowed."""
    called = call.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    parameters = inspect.signature(call).parameters
    known = [name for name in parameters if name != "self"]
    unknown = [name for name in options if name not in known]
    if not unknown or inspect.Parameter.VAR_KEYWORD in {one.kind for one in parameters.values()}:
        if "self" in parameters and " positional argument" in error and " given" in error:
            kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            places = [name for name in known if parameters[name].kind in kinds]
            return f"{called}() takes {' and '.join(places) or 'nothing'} by position: give the rest by name"
        return error.replace(f"{call.__qualname__}()", f"{called}()")
    meant = explain(unknown[0], known)
    meant = f"{meant}{'' if meant.endswith('?') else '.'} " if meant else ""
    return f"{called}() has no argument {unknown[0]}: {meant}It takes {', '.join(known) or 'none'}"
