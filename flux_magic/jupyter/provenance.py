"""The lines of `%flux_history`, `%flux_recall` and `%flux_verify`: earlier images, and what made them."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from ..errors import InvalidRequest, replace_controls
from ..parameters import grammar, settings
from ..parameters.placeholders import expand
from ..results.notes import print_note
from . import caller
from .next_cell import NextCell, has_widgets

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..results.generation import Generation
    from ..results.history import History
    from ..results.recall import Recalled
    from ..verify import Report
    from .panel import Panel


def run_recall(shell: InteractiveShell, line: str, put: set[tuple[str, str]]) -> Panel | None:
    """Put the cell that makes an image below; `put` has those that were put there, each with the id of its cell."""
    options, image = grammar.parse_around(_expand_line(shell, line), grammar.RECALL_OPTIONS, "%flux_recall")
    found = _find_recalled(shell, image.strip().strip("\"'"))
    if options.get("panel"):
        from .panel import Panel

        notes = [f"note: {replace_controls(one)}" for one in found.unmatched]
        print(*notes, sep="\n", end="\n" if notes else "")
        return Panel(found)
    print(found)
    _put_below(shell, found.cell, put)
    return None


def _put_below(shell: InteractiveShell, text: str, put: set[tuple[str, str]]) -> None:
    """Put a cell below the one that runs, unless that was done before: Run All would add one each time."""
    below = NextCell.of(shell)
    if below is None or not (below.has(text) or (below.cell, text) in put):
        shell.set_next_input(text)
    else:
        print("(It was put below when this cell first ran.)")
    if below is not None:
        put.add((below.cell, text))


def _find_recalled(shell: InteractiveShell, image: str) -> Recalled:
    """Return what made the image: a name of the notebook or a digest, unless there is a file of that name."""
    from ..results.recall import recall_generation

    if re.fullmatch(r"-?\d+(\s+\d+)+|-\d+|\d+\s*(\.\.|-|,).*", image):
        raise InvalidRequest(f"%flux_recall {image}: give one number, how many to count back (1 is the most recent)")
    if not Path(image).exists():
        if _is_image(named := caller.find_names(shell.user_ns).get(image)):
            return recall_generation(named, image)
        if re.fullmatch(r"(?=.*[a-f])[0-9a-f]{6,64}", image):
            from ..results import history

            return recall_generation(history.find(settings.resolve(), image), image)
    return _recall_image(image)


def _expand_line(shell: InteractiveShell, line: str) -> str:
    """Return the line with names replaced by their values; an image's name stays."""
    names = caller.find_names(shell.user_ns)
    return expand(line, {name: name if _is_image(value) else value for name, value in names.items()})[0]


def _is_image(value: object) -> TypeGuard[Generation]:
    from ..results.generation import Generation

    return isinstance(value, Generation)


def run_history(shell: InteractiveShell, line: str) -> History | None:
    """Return what is in the store, as the line asks for it; delete from it if the line says so."""
    from ..results import history

    options, words = grammar.parse_around(_expand_line(shell, line), grammar.HISTORY_OPTIONS, "%flux_history")
    for name in options.keys() & {"mark", "unmark"}:
        named = caller.find_names(shell.user_ns)
        options[name] = [digest for one in options[name] for digest in _list_digests(one, named.get(one))]
    if re.fullmatch(r"-?\d+", words) and not options:
        options, words = grammar.parse_line(f"--last {words.lstrip('-')}", grammar.HISTORY_OPTIONS)
        print_note(
            f"the last {options['last']}; to search prompts for the number: %flux_history --search {options['last']}"
        )
    elif number := re.search(r"\s(\d+)$", words):
        print_note(f"{number[1]} is part of the search; to show that many, add --last {number[1]}")
    if has_widgets(shell) and not options.keys() & {"last", "mark", "unmark", "delete", "clean", "yes"}:
        from .gallery.opening import GalleryHistory

        return GalleryHistory(settings.resolve(), history.build_line_query(options, words))
    answer = history.answer(options, words)
    if isinstance(answer, str):
        print(answer)
        return None
    return answer


def _list_digests(typed: str, named: object) -> list[str]:
    """Return the digest that is typed, or those of what has this name in the notebook: an image, or several."""
    from ..results.generations import Generations

    images = [named] if _is_image(named) else named if isinstance(named, Generations) else ()
    return [one.digest for one in images] or [typed]


def run_verify(shell: InteractiveShell, line: str) -> Report:
    """Return what was found when the images of the line were made once more, or only compared with their records."""
    from ..verify import check_static
    from ..verify.command import check_options, write_files
    from ..verify.live import verify

    line = _expand_line(shell, line)
    given, words = grammar.parse_around(line, grammar.VERIFY_OPTIONS, "%flux_verify")
    try:
        paths = shlex.split(words)
    except ValueError as error:
        raise InvalidRequest(f"%flux_verify {line[:60]}: {error}") from None
    if not paths:
        raise InvalidRequest("name images, folders or saved notebooks, for example %flux_verify pictures/")
    options = argparse.Namespace(
        paths=paths,
        static=given.get("static", False),
        space=given.get("space"),
        provider=given.get("provider"),
        concurrency=given.get("concurrency", 2),
        html=Path(given["html"]) if "html" in given else None,
        json=given.get("json"),
    )
    check_options(options)
    if options.static:
        report = check_static(options.paths)
    else:
        named = {"space": options.space, "provider": options.provider}
        report = verify(options.paths, **named, concurrency=options.concurrency)
    write_files(report, options)
    return report


def _recall_image(image: str) -> Recalled:
    from ..client import blocking, client
    from ..results.recall import recall_generation

    if not image:
        raise InvalidRequest("name an image: a file, a URL, or how many to count back (1 is the most recent)")
    if not image.isdecimal():
        return client.recall(image)
    count = int(image[:9])
    if not 1 <= count <= len(blocking.history):
        number, yet = len(blocking.history) or "no", "" if blocking.history else " yet"
        raise InvalidRequest(
            f"%flux_recall {image[:20]}: {number} image{'' if number == 1 else 's'} in this session{yet} "
            "(1 is the most recent); name a file, or see %flux_history"
        )
    return recall_generation(blocking.history[-count], f"image {count} from the last")
