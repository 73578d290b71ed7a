"""`%flux_history`, `%flux_recall`, `%flux_verify`: what was made before, what made it, and whether it still does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from . import prompt, settings
from .errors import InvalidRequest

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .history import History
    from .origin import Recalled
    from .panel import Panel

T = TypeVar("T")


@magics_class
class RecordMagics(Magics):
    """The magics that look back."""

    @no_var_expand
    @line_magic
    def flux_history(self, line: str) -> History | None:
        """Show what is in the store, the newest first, each with its cell: `%flux_history`.

        `--last 50` shows more than 20, `--search fox` those whose prompt has the word, and `--delete 1a2b3c4d5e6f`
        takes one out of the store by its digest. The result is a sequence: `_[0]` is the newest.
        """
        return _checked(lambda: _history(line))

    @no_var_expand
    @line_magic
    def flux_recall(self, line: str) -> Panel | None:
        """Put the cell that makes an image into the next cell: `%flux_recall fox.png`.

        It takes a file, an http(s) URL, or how many images of this notebook to count back: `%flux_recall 1` is the
        last. What has no counterpart here is named. `%flux_recall --panel fox.png` opens the control panel with it.
        """
        return _checked(lambda: self._recall(line))

    def _recall(self, line: str) -> Panel | None:
        options, image = prompt.parse_line(line, prompt.RECALL_OPTIONS)
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


def _checked(work: Callable[[], T]) -> T:
    """A user's mistake is a UsageError."""
    try:
        return work()
    except InvalidRequest as error:
        raise UsageError(" ".join(str(error).split("\n"))) from None


def _history(line: str) -> History | None:
    from . import history

    options, words = prompt.parse_line(line, prompt.HISTORY_OPTIONS)
    _only(options, prompt.HISTORY_OPTIONS, "%flux_history")
    resolved = settings.resolve()
    if digest := options.get("delete"):
        jobs = history.delete(resolved, digest)
        print(f"deleted {digest}" + (f", which {jobs} jobs made" if jobs > 1 else ""))
        return None
    search = f"{options.get('search', '')} {words}".strip()
    return history.history(resolved, last=options.get("last", 20), search=search)


def _only(options: dict[str, Any], offered: tuple[prompt.Option, ...], magic: str) -> None:
    names = {option.name for option in offered}
    if unknown := sorted(options.keys() - names):
        raise InvalidRequest(f"{magic} takes no --{unknown[0].replace('_', '-')}: that is an option of %flux")


def _recalled(image: str) -> Recalled:
    from . import api
    from .origin import recalled

    if not image:
        raise InvalidRequest("name an image: a file, a URL, or how many to count back (1 is the last)")
    if not image.isdecimal():
        return api.recall(image)
    count = int(image[:9])
    if not 1 <= count <= len(api.history):
        there = f"there are {len(api.history)}" if api.history else "there is none yet"
        raise InvalidRequest(f"%flux_recall {image[:20]}: of this notebook's images {there}; 1 is the last")
    return recalled(api.history[-count], f"image {count} from the last")
