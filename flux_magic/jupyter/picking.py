"""The line of `%flux_pick`: which images of a sheet to keep, by click or by number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidRequest, MissingExtra
from ..parameters import grammar
from ..results.generation import Generation
from ..results.generations import Generations
from . import caller
from .cell import check_name

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .picker import Picker

INSTALL: Final = "pip install ipywidgets"
EXAMPLE: Final = "%flux_pick foxes --keep 1,4,7 --output best"


def run_pick(shell: InteractiveShell, line: str) -> Generations | Picker:
    """Return the images that a line keeps; without `--keep` the widget that chooses them."""
    options, words = grammar.parse_around(line, grammar.PICK_OPTIONS, "%flux_pick")
    name = options.get("output", "")
    check_name(name)
    check_other_name(name, words)
    offered = find_offered(words, caller.find_names(shell.user_ns))
    if "keep" in options:
        kept = offered.pick(*options["keep"])
        if name:
            shell.push({name: kept})
        return kept
    if getattr(shell, "kernel", None) is None:
        raise InvalidRequest(f"to choose by click needs a notebook; here name the images: {EXAMPLE}")
    try:
        from .picker import Picker
    except ImportError as error:
        raise MissingExtra(f"to choose by click needs ipywidgets: {INSTALL}; or name the images: {EXAMPLE}") from error
    return Picker(offered, words, name or "best", lambda named, kept: shell.push({named: kept}))


def check_other_name(name: str, words: str) -> None:
    """Raise InvalidRequest if a choice would take the place of what it is chosen from: its line would choose less."""
    if name and name in words.split():
        raise InvalidRequest(
            f"the choice from {name} cannot be called {name}, as its line would then choose from itself"
        )


def find_offered(words: str, names: Mapping[str, Any]) -> Generations:
    """Return the images of the notebook that the words name, as one sequence. Raises InvalidRequest."""
    if not words.split():
        raise InvalidRequest(f"name the images to choose from, such as foxes: {EXAMPLE}")
    found: list[Generations] = []
    for word in words.split():
        value = names.get(word)
        if isinstance(value, Generation):
            found.append(Generations([value]))
        elif isinstance(value, Generations):
            found.append(value)
        else:
            known = [name for name, one in names.items() if isinstance(one, Generations) and not name.startswith("_")]
            there = f"; there are {', '.join(known[:8])}" if known else ""
            why = f"there is no {word} in this notebook" if word not in names else f"{word} has no images"
            raise InvalidRequest(f"%flux_pick {word[:60]}: {why}{there}")
    offered = found[0] if len(found) == 1 else Generations([one for some in found for one in some])
    if not offered:
        raise InvalidRequest(f"%flux_pick {words[:60]}: no image of it was made yet")
    return offered


def write_line(words: str, offered: Generations, chosen: list[int], name: str) -> str:
    """Return the line that makes a choice again, by the positions of the images.

    It has their numbers if all seeds were given, so that a new run makes the same images; else their digests.
    """
    fixed = all(item.record.requested_seed is not None and not item.request.chosen for item in offered)
    if fixed:
        kept = ",".join(str(offered.number(position)) for position in chosen)
    else:
        kept = ",".join(offered[position].digest[:12] for position in chosen)
    return f"%flux_pick {words} --keep {kept} --output {name}"
