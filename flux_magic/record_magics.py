"""`%flux_history`, `%flux_recall`, `%flux_verify`: what was made before, what made it, and whether it still does."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, NoReturn

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from . import prompt, settings
from .errors import InvalidRequest
from .usage import shows

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .history import History
    from .origin import Recalled
    from .panel import Panel
    from .verify import Report


@magics_class
class RecordMagics(Magics):
    """The magics that look back."""

    @no_var_expand
    @line_magic
    @shows
    def flux_history(self, line: str) -> History | None:
        """Show what is in the store, the newest first, each with its cell: `%flux_history`.

        `--last 50` shows more than 20, `--search fox` those whose prompt has the word, and `--delete 1a2b3c4d5e6f`
        takes one out of the store by its digest. The result is a sequence: `_[0]` is the newest.
        """
        return _history(line)

    @no_var_expand
    @line_magic
    @shows
    def flux_recall(self, line: str) -> Panel | None:
        """Put the cell that makes an image into the next cell: `%flux_recall fox.png`.

        It takes a file, an http(s) URL, or how many images of this session to count back: `%flux_recall 1` is the
        most recent. A session ends when its kernel does. What has no counterpart here is named.
        `%flux_recall --panel fox.png` opens the control panel with it.
        """
        return self._recall(line)

    @no_var_expand
    @line_magic
    @shows
    def flux_verify(self, line: str) -> Report:
        """Make images anew from their records, and say whether they are the same: `%flux_verify pictures/`.

        It takes images, folders and saved notebooks. `--static` asks no Space, and looks whether the pictures are still
        those of their records; `--space SPACE` asks this one for all of them; `--concurrency 4` has more made at once;
        `--html FILE` and `--json FILE` write what was found. The result has `.passed`.
        """
        return _verified(line)

    def _recall(self, line: str) -> Panel | None:
        options, image = prompt.parse_line(line, prompt.RECALL_OPTIONS, "%flux_recall")
        found = _recalled(image.strip().strip("\"'"))
        if options.get("panel"):
            from .panel import Panel

            print(*(f"note: {one}" for one in found.unmatched), sep="\n", end="\n" if found.unmatched else "")
            return Panel(found)
        print(found)
        shell: InteractiveShell | None = self.shell
        assert shell is not None  # noqa: S101 - IPython makes no magics without a shell
        shell.set_next_input(found.cell)
        return None


def _history(line: str) -> History | None:
    from . import history

    options, words = prompt.parse_line(line, prompt.HISTORY_OPTIONS, "%flux_history")
    resolved = settings.resolve()
    if digest := options.get("delete"):
        jobs = history.delete(resolved, digest)
        print(f"deleted {digest}" + (f", which {jobs} jobs made" if jobs > 1 else ""))
        return None
    search = f"{options.get('search', '')} {words}".strip()
    return history.history(resolved, last=options.get("last", 20), search=search)


class _Parser(argparse.ArgumentParser):
    """A wrong option is an error, and not the end of the kernel."""

    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(f"%flux_verify: {message}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's
        raise InvalidRequest(message or "%flux_verify? shows every option with an example")

    def print_help(self, file: object = None) -> None:
        """Said by `exit`."""


def _verified(line: str) -> Report:
    from .api import verify
    from .verify import add_arguments, check_static
    from .verify.command import refuse, write_files

    parser = _Parser(prog="%flux_verify")
    add_arguments(parser)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidRequest(f"%flux_verify {line[:60]}: {error}") from None
    options = parser.parse_args(words)
    refuse(options)
    if options.static:
        report = check_static(options.paths)
    else:
        report = verify(options.paths, space=options.space, concurrency=options.concurrency)
    write_files(report, options)
    return report


def _recalled(image: str) -> Recalled:
    from . import api
    from .origin import recalled

    if not image:
        raise InvalidRequest("name an image: a file, a URL, or how many to count back (1 is the most recent)")
    if not image.isdecimal():
        return api.recall(image)
    count = int(image[:9])
    if not 1 <= count <= len(api.history):
        number, yet = len(api.history) or "no", "" if api.history else " yet"
        raise InvalidRequest(
            f"%flux_recall {image[:20]}: {number} image{'' if number == 1 else 's'} in this session{yet} "
            "(1 is the most recent); name a file, or see %flux_history"
        )
    return recalled(api.history[-count], f"image {count} from the last")
