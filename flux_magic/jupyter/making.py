"""The images of a `%%flux` cell or a `%flux` line: they are made, named, saved and returned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ..client.batch import Tally
from ..client.blocking import iterate_generations
from ..client.many import announce, gather
from ..client.progress import print_above
from ..errors import FluxError, Incomplete, describe_made, format_count, replace_controls
from ..results import file_names
from ..results.generations import Generations
from ..results.notes import limit_notes, print_note
from . import caller, cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..parameters.settings import Settings
    from ..results.generation import Generation
    from ..sweeps.requests import Sweep
    from ..types import ImageRequest


def run_flux(shell: InteractiveShell, line: str, body: str | None) -> Generation | Generations | None:
    """Return the images of a line and the body below it; print what would be sent for a dry run."""
    asked = cell.read(line, body, _find_names(shell))
    for one in asked.notes:
        print_note(one)
    if asked.options.get("dry_run"):
        print(replace_controls(asked.describe()))
        return None
    if isinstance(asked.images, list):
        return _make_images(shell, asked.images, asked.settings, asked.options)
    return _make_sweep(shell, asked.images, asked.settings, asked.options)


def _find_names(shell: InteractiveShell) -> Mapping[str, object]:
    """Return the names where the line runs, without IPython's own."""
    names, hidden = caller.find_names(shell.user_ns), shell.user_ns_hidden
    return {name: value for name, value in names.items() if hidden.get(name, hidden) is not value}


@limit_notes()
def _make_images(
    shell: InteractiveShell, requests: list[ImageRequest], resolved: Settings, options: Mapping[str, Any]
) -> Generation | Generations:
    made: list[Generation] = []
    shows, shown = len(requests) > 1 and caller.shows_result.get(), 0
    try:
        for one in iterate_generations(requests, resolved, quiet=bool(options.get("quiet")), shows=shows):
            made.append(one)
            if shows:
                with print_above():
                    display(one)
                shown += 1
            if path := options.get("save"):
                path = file_names.fill_some(path, {"n": len(made)})
                saved = one.save(path, overwrite=bool(options.get("overwrite")))
                with print_above():
                    print(*(f"saved {file}" for file in saved), sep="\n")
    except BaseException:
        # The cell fails, but the finished images are not lost.
        for finished in made[shown:]:
            display(finished)
        if made and len(requests) > 1:
            print_note(describe_made(len(made), len(requests)))
        raise
    finally:
        result = (
            made[0] if made and len(requests) == 1 else Generations(made, shown=shows and len(made) == len(requests))
        )
        if made and (name := options.get("output")):
            shell.push({name: result})
    return result


def _make_sweep(shell: InteractiveShell, asked: Sweep, resolved: Settings, options: Mapping[str, Any]) -> Generations:
    print(replace_controls(announce(asked, resolved)))
    tally = Tally(asked, resolved)
    try:
        gather(tally, resolved, quiet=bool(options.get("quiet")))
    except BaseException as stop:
        # The cell fails, but the finished images are not lost.
        made = _name_result(shell, tally.collect_generations(), options)
        if made or isinstance(stop, Incomplete):
            display(made)
        with _note_errors():
            _save(made, options)
        if not isinstance(stop, Incomplete):
            print_note(tally.describe_progress())
        raise
    made = _name_result(shell, tally.collect_generations(), options)
    try:
        _save(made, options)
    except BaseException:
        display(made)
        raise
    return made


def _name_result(shell: InteractiveShell, made: Generations, options: Mapping[str, Any]) -> Generations:
    if name := options.get("output"):
        shell.push({name: made})
    return made


def _save(made: Generations, options: Mapping[str, Any]) -> None:
    if made and (path := options.get("save")):
        saved = set(made.save(path, overwrite=bool(options.get("overwrite"))))
        print(f"saved {format_count(len(saved), 'image')} in {path}")


@contextmanager
def _note_errors() -> Iterator[None]:
    """Print an error of the block as a note, as another error is being raised already."""
    try:
        yield
    except FluxError as error:
        print_note(error.message)
