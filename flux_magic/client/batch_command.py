"""The command `flux-magic batch`: an image for each row of a file, saved into a folder with a table of results."""

from __future__ import annotations

import argparse
import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ..errors import FluxError, InvalidRequest, format_count, list_few
from ..images.inputs import ROLES
from ..parameters import grammar
from ..parameters.arguments import add_options, read_options
from ..parameters.options import collect_settings
from ..parameters.settings import resolve
from ..parameters.table import PARAMETERS
from ..results.generation import Generation
from ..results.notes import limit_notes, print_answer, print_error, print_note
from ..types import fit_one_line
from .async_client import AsyncClient
from .batch_results import RESULTS, Results, mask_cell
from .given import load_given
from .progress import describe_event, show_count
from .replay import describe_request
from .rows import RowRequest, RowTable
from .tables import read_rows
from .target import resolve_target

_MOST_ERRORS: Final = 20
_OTHERS: Final = {
    *("model", "provider", "space", "proxy", "timeout", "concurrency", "cluster", "fresh"),
    *("no_metadata", "sign", "no_sign"),
}
_OFFERED: Final = tuple(
    option
    for option in grammar.OPTIONS
    if option.name in {*(row.name for row in PARAMETERS), "set", "image", "mask", "strip_credentials", *_OTHERS}
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser; `main` takes what it parses."""
    parser.add_argument("file", type=Path, help="CSV or JSON Lines, whose columns are parameters; else a prompt a line")
    parser.add_argument(
        "--out", required=True, metavar="FOLDER", help="a folder, or a pattern such as out/{n}-{seed}.png"
    )
    parser.add_argument("--prompt", default="", help="the prompt of rows without one, with {column} in it")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    add_options(parser, _OFFERED)


def main(options: argparse.Namespace) -> int:
    """Make the images of a file's rows, and save them with a table of results.

    Returns 0 if all were made; 1 if some were not, or a file cannot be read or written; 2 for wrong usage; 130 for
    Ctrl-C; 143 for SIGTERM.
    """
    try:
        rows, columns = read_rows(options.file)
        inherited = _read_options(options)
        images: dict[str, Any] = {role: inherited.pop(role) for role in ROLES if role in inherited}
        table = RowTable(rows, columns, inherited, options.prompt, images)
        for name in table.check_columns():
            print_note(f"the column {name[:80]} shapes no image: it is copied into {RESULTS}")
        if missing := table.list_unfilled():
            print_note(
                f"{', '.join(f'{{{name}}}' for name in list_few(missing, 5))} sent as typed: there is no such cell"
            )
        return _show(table, options.out) if options.dry_run else _make(table, options.out)
    except FluxError as error:
        print_error(error)
        return 2 if isinstance(error, InvalidRequest) else 1


def _read_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `generate` that all rows inherit. Raises InvalidRequest."""
    shared = collect_settings(given := read_options(options, _OFFERED, ", and in the file a row for each image"))
    settings = resolve(**shared)
    resolve_target(settings, settings.model)
    return shared | {role: given[role] for role in ROLES if role in given}


def _show(table: RowTable, out: str) -> int:
    """Print the request of each row, and the rows that have a mistake."""
    results = Results.read(table, out)
    mistakes = made = 0
    for place, row in enumerate(table.rows):
        built = results.build(place)
        if isinstance(built, RowRequest):
            built = _check_images(row.name, built)
        if isinstance(built, InvalidRequest):
            print_error(fit_one_line(built.message))
            mistakes += 1
            continue
        said = describe_request(built.request)
        if results.is_new_seed(place):
            said = said.replace(f"seed {built.request.seed}", "a random seed")
        images = "".join(f", {role} {mask_cell(role, _name_images(one))}" for role, one in built.images.items())
        is_made = results.has(place)
        made += is_made
        print_answer(f"{row.name}: {said}{images}{', which is there' if is_made else ''}")
    if resolve(**table.options).cluster is not None:
        print_note("the cluster was not tried")
    count = format_count(len(table.rows) - mistakes - made, "image")
    print_answer(f"nothing was sent; {count} would be made")
    return 1 if mistakes else 0


def _check_images(name: str, built: RowRequest) -> RowRequest | InvalidRequest:
    """Return a row's request, or what is wrong with its images; those of URLs are not fetched."""
    files = {role: one for role, one in built.images.items() if "://" not in str(one)}
    if not files or ("image" in built.images and "image" not in files):
        return built
    try:
        load_given(files, built.settings)
    except FluxError as error:
        return InvalidRequest(f"{name}: {error.message}")
    return built


def _name_images(given: Any) -> str:
    return ", ".join(map(str, given)) if isinstance(given, list | tuple) else str(given)


def _make(table: RowTable, out: str) -> int:
    results = Results.open(table, out)
    try:
        with limit_notes(), show_count("images") as told, _interrupt_when_terminated() as ended:
            asyncio.run(_make_all(table, results, told))
    except KeyboardInterrupt:
        results.write()
        print_error(f"stopped; {results}; run it again to make what is missing")
        return 128 + (ended or [signal.SIGINT])[0]
    except FluxError as error:
        results.write()
        print_error(f"{error}\n{results}; run it again to make what is missing")
        return 1
    results.write()
    for line in list_few(results.list_errors(), _MOST_ERRORS):
        print_error(fit_one_line(line, 300))
    print_answer(str(results))
    return 0 if results.is_whole else 1


@contextmanager
def _interrupt_when_terminated() -> Iterator[list[int]]:
    """Let SIGTERM end the block as Ctrl-C does, and provide the list that it is put into."""
    ended: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        ended.append(number)
        on_interrupt = signal.getsignal(signal.SIGINT)  # asyncio has its own within the block
        if callable(on_interrupt):
            on_interrupt(signal.SIGINT, frame)
        else:  # it is ignored, as by nohup
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield ended
        return
    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield ended
    finally:
        signal.signal(signal.SIGTERM, before)


async def _make_all(table: RowTable, results: Results, told: Callable[[int, int, str], None]) -> None:
    """Make and save the image of each row that has none yet; one that several rows ask for is made once."""
    twins: dict[int, list[int]] = {}
    missing = {place for place in range(len(table.rows)) if not results.has(place)}
    for place, first in table.find_twins([cells.get("seed") for cells in results.cells]).items():
        if place in missing and first in missing:
            twins.setdefault(first, []).append(place)
    results.finished |= {*range(len(table.rows))} - missing
    wanted = sorted(missing.difference(*twins.values()))
    requests = (results.build(place) for place in wanted)
    if missing:
        told(results.done, len(table.rows), "connecting")
    async with aclosing(AsyncClient().stream_many(requests, resolve(**table.options))) as events:
        async for at, event in events:
            for place in (wanted[at], *twins.get(wanted[at], ())):
                if isinstance(event, Generation):
                    await asyncio.to_thread(results.save, place, event)
                elif isinstance(event, FluxError):
                    results.fail(place, event)
            words = "" if isinstance(event, FluxError | Generation) else f": {describe_event(event).text}"
            told(results.done, len(table.rows), f"{table.rows[wanted[at]].name}{words}")
