"""The choices that Tab offers on the line of a magic: its options, and the values of some of them.

What a Space takes is offered if this process has asked it before. Tab itself asks nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from ..errors import FluxError, InvalidRequest
from ..parameters import grammar, settings
from ..parameters.own_values import parse_assignment
from ..parameters.sizes import format_size
from ..parameters.table import PARAMETERS, RESERVED, ROWS, Parameter

if TYPE_CHECKING:
    from ..providers.base import ModelDescription

_MOST_OF_ONE: Final = 10
"""The most images of one collection that are offered."""


@dataclass(frozen=True, slots=True)
class _Typed:
    """The words before the one at the cursor, that word or the value in it, and the names of the notebook."""

    before: Sequence[str]
    word: str
    names: Mapping[str, object]

    def find(self, flag: str) -> str | None:
        """Return the value of an option before the cursor."""
        following = dict(zip(self.before, self.before[1:], strict=False))
        joined = (one.partition("=")[2] for one in self.before if one.startswith(f"{flag}="))
        return following.get(flag) or next(joined, None)

    def recall_description(self) -> ModelDescription | None:
        """Return the description of the model at hand, if its Space was asked before."""
        from ..providers.registry import find_known_description

        with suppress(FluxError):  # what is configured may be wrong
            known = settings.resolve()
            provider = self.find("--provider") or known.provider
            model, space = self.find("--model") or known.model, self.find("--space") or known.space
            return find_known_description(model, space, provider)
        return None

    def list_rows(self) -> tuple[Parameter, ...]:
        """Return the parameters of the model at hand, as far as they are known."""
        description = self.recall_description()
        return description.parameters if description else ()


def choose(magic: str, words: str, names: Mapping[str, object]) -> tuple[str, list[str]] | None:
    """Return the last of the words behind a magic, and its completions; None if it takes a file or other words."""
    *before, word = re.split(r"\s+", words)
    flags = _FLAGS.get(magic)
    if flags is None:
        return None
    flag, equals, value = word.partition("=")
    joined = f"{flag}=" if equals and flag in flags else ""
    flag, value = (flag, value) if joined else (before[-1] if before else "", word)
    values = _VALUES.get(flag) if flag in flags else None
    if values is None and magic == "flux_status" and not word.startswith("-"):
        values = _list_spaces
    if values is None and magic == "flux_pick" and not word.startswith("-"):
        values = _list_collections
    if values is None and magic in _LOOKING_BACK and not word.startswith("-"):
        return None
    offered = values(_Typed(before, value, names)) if values else flags if word.startswith("-") else []
    return word, [f"{joined}{one}" for one in offered if one.startswith(value)]


def _list_flags(options: Sequence[grammar.Option]) -> list[str]:
    return [flag for option in options for flag in option.flags]


_LOOKING_BACK: dict[str, list[str]] = {
    "flux_history": _list_flags(grammar.HISTORY_OPTIONS),
    "flux_recall": _list_flags(grammar.RECALL_OPTIONS),
    "flux_verify": _list_flags(grammar.VERIFY_OPTIONS),
}
_FLAGS = {
    "flux": _list_flags(grammar.OPTIONS),
    "flux_panel": _list_flags(grammar.PANEL_OPTIONS),
    "flux_pick": _list_flags(grammar.PICK_OPTIONS),
    "flux_status": _list_flags(grammar.STATUS_OPTIONS),
    **_LOOKING_BACK,
}


def _list_models(typed: _Typed) -> list[str]:
    from ..providers.registry import find_engine, list_model_names

    with suppress(FluxError):  # what is configured may be wrong
        engine = find_engine(typed.find("--provider") or settings.resolve().provider)
        return [*(engine.names() if engine else ()), *list_model_names()]
    return list_model_names()


def _list_engines(_typed: _Typed) -> list[str]:
    from ..providers.registry import list_engines

    return list_engines()


def _list_spaces(_typed: _Typed) -> list[str]:
    """Return the Spaces that are known by name: the models' own, the configured one, and those of earlier images."""
    from ..providers.registry import list_providers

    own = [provider.own_space() for provider in list_providers()]
    earlier = sys.modules.get("flux_magic.client.blocking")
    made = [one.record.requested_space for one in earlier.history] if earlier else []
    with suppress(FluxError):
        made.append(settings.resolve().space)
    return list(dict.fromkeys(filter(None, ["local", *own, *made])))


def _list_choices(typed: _Typed, name: str, otherwise: Sequence[str] = ()) -> list[str]:
    """Return the values of a parameter that the model at hand offers, else its default."""
    row = next((row for row in typed.list_rows() if row.name == name), None)
    return [word for value in _list_values(row) if (word := grammar.quote(str(value)))] if row else [*otherwise]


def _list_values(row: Parameter) -> Sequence[object]:
    """Return the values that a parameter may have, or the one that it has by default."""
    if row.choices or row.kind is bool:
        return row.choices or (True, False)
    return (row.default,) if row.default and isinstance(row.default, str | int | float) else ()


def _list_sizes(typed: _Typed) -> list[str]:
    description = typed.recall_description()
    return [format_size(*size) for size in description.sizes] if description and description.sizes else [*grammar.SIZES]


def _list_endpoints(typed: _Typed) -> list[str]:
    description = typed.recall_description()
    return list(description.endpoints) if description else []


def _list_own(typed: _Typed) -> list[str]:
    """Return the names of the model's own parameters, or the values of the one that is typed: `shift=3.0`."""
    own = [row for row in typed.list_rows() if row.name not in {*ROWS, *RESERVED}]
    name, equals, _ = typed.word.partition("=")
    if not equals:
        return [f"{row.name}=" for row in own]
    return [word for row in own if row.name == name for word in _assign(row)]


def _assign(row: Parameter) -> Iterator[str]:
    """Yield the values of a parameter as they are typed, in quotes where they need them."""
    for value in _list_values(row):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        with suppress(InvalidRequest):
            alone = len(parse_assignment("--set", f"{row.name}={text}")[1]) == 1
            if alone and grammar.quote(text):
                yield f"{row.name}={grammar.quote(text)}"


def _list_collections(typed: _Typed) -> list[str]:
    """Return the names of the notebook that have several images."""
    from ..results.generations import Generations

    return [name for name, value in typed.names.items() if isinstance(value, Generations)]


def _list_kept(typed: _Typed) -> list[str]:
    """Return the names of the notebook that are an image of ours, or several."""
    from ..results.generation import Generation
    from ..results.generations import Generations

    return [name for name, value in typed.names.items() if isinstance(value, Generation | Generations)]


def _list_images(typed: _Typed) -> list[str]:
    return [word for name, value in typed.names.items() for word in _name_images(name, value)]


def _name_images(name: str, value: object) -> Iterator[str]:
    """Yield the words by which a value of the notebook is an image, or several: `fox`, `foxes[0]`."""
    from ..results.generation import Generation
    from ..results.generations import Generations

    if isinstance(value, Generations):
        yield from (f"{name}[{place}]" for place in range(min(len(value), _MOST_OF_ONE)))
    elif isinstance(value, Generation) or _has_pixels(value):
        yield name


def _has_pixels(value: object) -> bool:
    """Return True for an image of Pillow, an array of rows and columns, and the bytes of a file of an image."""
    from ..images.formats import detect_media_type

    pillow, numpy = sys.modules.get("PIL.Image"), sys.modules.get("numpy")
    if pillow is not None and isinstance(value, pillow.Image):
        return True
    if numpy is not None and isinstance(value, numpy.ndarray):
        return value.ndim in {2, 3}
    return isinstance(value, bytes) and detect_media_type(value[:4096]) is not None


_VALUES: dict[str, Callable[[_Typed], list[str]]] = {
    **{
        flag: partial(_list_choices, name=row.name, otherwise=tuple(map(str, row.choices)))
        for row in PARAMETERS
        for flag in row.flags
        if not row.sets
    },
    "--cluster": lambda _: ["local"],
    "--endpoint": _list_endpoints,
    "--image": _list_images,
    "--inline": lambda _: list(settings.INLINE),
    "--mark": _list_kept,
    "--mask": _list_images,
    "--model": _list_models,
    "--provider": _list_engines,
    "--set": _list_own,
    "--size": _list_sizes,
    "--space": _list_spaces,
    "--unmark": _list_kept,
}
