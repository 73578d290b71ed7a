"""The magics `%flux_history`, `%flux_recall` and `%flux_verify`: earlier images, and what made them."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from ..errors import InvalidRequest, replace_controls
from ..parameters import grammar, settings
from ..parameters.placeholders import expand
from ..results.notes import print_note
from . import caller
from .next_cell import NextCell
from .usage import show_result

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..results.generation import Generation
    from ..results.history import History
    from ..results.recall import Recalled
    from ..verify import Report
    from .panel import Panel


@magics_class
class RecordMagics(Magics):
    """The magics for earlier images."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._put: set[tuple[str, str]] = set()  # the cells that were put below another, by its id

    @no_var_expand
    @line_magic
    @show_result
    def flux_history(self, line: str) -> History | None:
        """Show what is in the store, the newest first, each with its cell: `%flux_history`.

        `--last 50`, or 50 alone, shows more than 20. `--search fox`, or fox alone, shows those whose prompt has the
        word. `--delete 1a2b3c4d5e6f` deletes one from the store by its digest. The result is a sequence: `_[0]` is the
        newest.
        """
        return _run_history(self._expand_line(line))

    @no_var_expand
    @line_magic
    @show_result
    def flux_recall(self, line: str) -> Panel | None:
        """Put the cell that makes an image into the next cell: `%flux_recall fox.png`.

        It takes a file, an http(s) URL, an image's name in the notebook (`fox`), its digest, or how many images of this
        session to count back: `%flux_recall 1` is the most recent. A session ends when its kernel does. Settings
        without a counterpart here are listed. Running the cell again adds no second cell. `%flux_recall --panel
        fox.png` opens the control panel with it.
        """
        return self._run_recall(self._expand_line(line))

    @no_var_expand
    @line_magic
    @show_result
    def flux_verify(self, line: str) -> Report:
        """Regenerate images from their records, and check that they are the same: `%flux_verify pictures/`.

        It takes images, folders and saved notebooks. `--static` contacts no Space, and only compares the images with
        their records. `--space SPACE` regenerates all of them there. `--concurrency 4` regenerates more at once.
        `--html FILE` and `--json FILE` write what was found. The result has `.passed`.
        """
        return _run_verify(self._expand_line(line))

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None  # noqa: S101 - IPython makes no magics without a shell
        return self.shell

    def _get_names(self) -> Mapping[str, Any]:
        return caller.find_names(self._shell.user_ns)

    def _expand_line(self, line: str) -> str:
        """Return the line with names replaced by their values; an image's name stays."""
        names = self._get_names()
        return expand(line, {name: name if _is_image(value) else value for name, value in names.items()})[0]

    def _find_recalled(self, image: str) -> Recalled:
        """Return what made the image: a name of the notebook or a digest, unless there is a file of that name."""
        from ..results.recall import recall_generation

        if re.fullmatch(r"-?\d+(\s+\d+)+|-\d+|\d+\s*(\.\.|-|,).*", image):
            raise InvalidRequest(
                f"%flux_recall {image}: give one number, how many to count back (1 is the most recent)"
            )
        if not Path(image).exists():
            if _is_image(named := self._get_names().get(image)):
                return recall_generation(named, image)
            if re.fullmatch(r"(?=.*[a-f])[0-9a-f]{6,64}", image):
                from ..results import history

                return recall_generation(history.find(settings.resolve(), image), image)
        return _recall_image(image)

    def _put_below(self, text: str) -> None:
        """Put a cell below the one that runs, unless that was done before: Run All would add one each time."""
        below = NextCell.of(self._shell)
        if below is None or not (below.has(text) or (below.cell, text) in self._put):
            self._shell.set_next_input(text)
        else:
            print("(It was put below when this cell first ran.)")
        if below is not None:
            self._put.add((below.cell, text))

    def _run_recall(self, line: str) -> Panel | None:
        options, image = grammar.parse_around(line, grammar.RECALL_OPTIONS, "%flux_recall")
        found = self._find_recalled(image.strip().strip("\"'"))
        if options.get("panel"):
            from .panel import Panel

            notes = [f"note: {replace_controls(one)}" for one in found.unmatched]
            print(*notes, sep="\n", end="\n" if notes else "")
            return Panel(found)
        print(found)
        self._put_below(found.cell)
        return None


def _is_image(value: object) -> TypeGuard[Generation]:
    from ..results.generation import Generation

    return isinstance(value, Generation)


def _run_history(line: str) -> History | None:
    from ..results import history

    options, words = grammar.parse_around(line, grammar.HISTORY_OPTIONS, "%flux_history")
    if re.fullmatch(r"-?\d+", words) and not options:
        options, words = grammar.parse_line(f"--last {words.lstrip('-')}", grammar.HISTORY_OPTIONS)
        print_note(
            f"the last {options['last']}; to search prompts for the number: %flux_history --search {options['last']}"
        )
    elif number := re.search(r"\s(\d+)$", words):
        print_note(f"{number[1]} is part of the search; to show that many, add --last {number[1]}")
    resolved = settings.resolve()
    if digest := options.get("delete"):
        jobs = history.delete(resolved, digest)
        print(f"deleted {digest}" + (f", which {jobs} jobs made" if jobs > 1 else ""))
        return None
    search = f"{options.get('search', '')} {words}".strip()
    return history.read_history(resolved, last=options.get("last", 20), search=search)


def _run_verify(line: str) -> Report:
    from ..verify import check_static
    from ..verify.command import check_options, write_files
    from ..verify.live import verify

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
        concurrency=given.get("concurrency", 2),
        html=Path(given["html"]) if "html" in given else None,
        json=given.get("json"),
    )
    check_options(options)
    if options.static:
        report = check_static(options.paths)
    else:
        report = verify(options.paths, space=options.space, concurrency=options.concurrency)
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
