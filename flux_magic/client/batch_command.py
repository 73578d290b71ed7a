"""The command `flux-magic batch`: an image for each row of a file, saved into a folder with a table of results."""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import FluxError, InvalidRequest, SaveError, format_count, list_few
from ..images.inputs import ROLES
from ..parameters import grammar
from ..parameters.arguments import add_options, read_options
from ..parameters.options import collect_settings
from ..parameters.seeds import choose_seed
from ..parameters.settings import resolve
from ..parameters.table import EXTRA_NAMES, PARAMETERS
from ..records.files import write_whole
from ..results.generation import Generation
from ..results.notes import limit_notes, print_answer, print_error, print_note
from ..types import fit_one_line
from .async_client import AsyncClient
from .progress import describe_event, print_above, show_count
from .replay import describe_request
from .rows import RowRequest, RowTable
from .tables import read_rows
from .target import resolve_target

RESULTS: Final = "results.csv"
"""The name of the table of results, in the folder of the images."""

_MOST_ERRORS: Final = 20
_MADE: Final = ("prompt", "seed", "steps", "width", "height", "model", "digest", "file", "seconds", "replayed", "note")
_LISTED: Final = {"at", "model", "digest", "file", "seconds", "replayed", "note", "error", "row"}
"""Columns of the table of results; one of the file that has such a name is called `note (given)`."""

_PAUSE: Final = 2.0
"""Least seconds between two writings of the table of results."""

_OTHERS: Final = {
    *("model", "provider", "space", "proxy", "timeout", "concurrency", "cluster", "fresh"),
    *("no_metadata", "sign", "no_sign"),
}
_OFFERED: Final = tuple(
    option
    for option in grammar.OPTIONS
    if option.name in {*(row.name for row in PARAMETERS), "set", "image", "mask", "strip_credentials", *_OTHERS}
)
_SAVED: Final = {"metadata", "strip_credentials", "sign", "sign_as"}
_NOT_SHAPING: Final = {"proxy", "token", "timeout", "concurrency", "cluster", "replay", "store", *_SAVED}


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
    Ctrl-C.
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
        return _show(table) if options.dry_run else _make(table, options.out)
    except FluxError as error:
        print_error(error)
        return 2 if isinstance(error, InvalidRequest) else 1


def _read_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `generate` that all rows inherit. Raises InvalidRequest."""
    shared = collect_settings(given := read_options(options, _OFFERED, ", and in the file a row for each image"))
    settings = resolve(**shared)
    resolve_target(settings, settings.model)
    return shared | {role: given[role] for role in ROLES if role in given}


def _show(table: RowTable) -> int:
    """Print the request of each row, and the rows that have a mistake."""
    mistakes = 0
    for row in table.rows:
        built = table.try_build(row)
        if isinstance(built, InvalidRequest):
            print_error(fit_one_line(built.message))
            mistakes += 1
            continue
        said = describe_request(built.request)
        if built.request.chosen:
            said = said.replace(f"seed {built.request.seed}", "a random seed")
        print_answer(f"{row.name}: {said}{''.join(f', {role} {one}' for role, one in built.images.items())}")
    count = format_count(len(table.rows) - mistakes, "image")
    print_answer(f"nothing was sent; {count} would be made")
    return 1 if mistakes else 0


def _make(table: RowTable, out: str) -> int:
    results = Results.open(table, out)
    try:
        with limit_notes(), show_count("images") as told:
            asyncio.run(_make_all(table, results, told))
    except KeyboardInterrupt:
        results.write()
        print_error(f"stopped; {results}; run it again to make what is missing")
        return 130
    except FluxError as error:
        results.write()
        print_error(f"{error}\n{results}; run it again to make what is missing")
        return 1
    results.write()
    for line in list_few(results.list_errors(), _MOST_ERRORS):
        print_error(fit_one_line(line, 300))
    print_answer(str(results))
    return 0 if results.is_whole else 1


async def _make_all(table: RowTable, results: Results, told: Callable[[int, int, str], None]) -> None:
    """Make and save the image of each row that has none yet."""
    missing = [place for place in range(len(table.rows)) if not results.has(place)]
    results.finished |= {*range(len(table.rows))} - {*missing}
    requests = (results.build(place) for place in missing)
    if missing:
        told(results.done, len(table.rows), "connecting")
    async with aclosing(AsyncClient().stream_many(requests, resolve(**table.options))) as events:
        async for at, event in events:
            place = missing[at]
            if isinstance(event, Generation):
                await asyncio.to_thread(results.save, place, event)
            elif isinstance(event, FluxError):
                results.fail(place, event)
            words = "" if isinstance(event, FluxError | Generation) else f": {describe_event(event).text}"
            told(results.done, len(table.rows), f"{table.rows[place].name}{words}")


@dataclass(slots=True)
class Results:
    """The saved images and the failures of a table's rows, and the file that lists them.

    The file is written before the first image with the seed of every row, so that a second run knows them.

    Attributes:
        table: the rows.
        out: where the images go: a folder or a pattern.
        path: of the table of results.
        cells: what is known of each row's image, by column.
        keys: the names of the rows in the table of results: digests of all that shapes their images, 16 digits each.
        errors: by the place of the row.
        finished: the places of the rows that have an image or an error.
        written: when the file was written, on the monotonic clock.
    """

    table: RowTable
    out: str
    path: Path
    cells: list[dict[str, Any]]
    keys: list[str] = field(default_factory=list)
    errors: dict[int, FluxError] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    written: float = 0.0

    @classmethod
    def open(cls, table: RowTable, out: str) -> Results:
        """Return the results of an earlier run, as far as its rows and options are the same; write the file.

        Raises InvalidRequest for a pattern that would give two images one name, and SaveError.
        """
        from ..results import file_names
        from ..results.generation import check_target, expand_path

        pattern = expand_path(out)
        axes = [name for name in table.columns if name not in file_names.FIELDS]
        if not file_names.is_pattern(pattern):
            pattern = f"{pattern.rstrip('/')}/"
        check_target(pattern, len(table.rows), axes)
        folder = Path(pattern.partition("{")[0] + "x").parent
        results = cls(table, pattern, folder / RESULTS, [{} for _ in table.rows])
        results.keys = [results._compute_key(place) for place in range(len(table.rows))]
        results.read_earlier()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveError(f"cannot write {folder}: {error.strerror or error}") from None
        results.write()
        return results

    def read_earlier(self) -> None:
        """Take over the seeds and files of an earlier run; give every other row without a seed a random one."""
        earlier: dict[str, list[dict[str, str]]] = {}
        for cells in self._read_file():
            earlier.setdefault(cells.get("row", ""), []).append(cells)
        for place, row in enumerate(self.table.rows):
            known = earlier.get(self.keys[place], [])
            if known and known[0].get("seed", "").isdigit():
                before = known.pop(0)
                self.cells[place] = {name: before[name] for name in (*_MADE, *EXTRA_NAMES) if before.get(name)}
            elif "seed" not in row.values and "seed" not in self.table.options:
                self.cells[place] = {"seed": choose_seed()}

    def _read_file(self) -> list[dict[str, str]]:
        try:
            text = self.path.read_text("utf-8")
            return [{name: value or "" for name, value in one.items()} for one in csv.DictReader(io.StringIO(text))]
        except (OSError, ValueError, csv.Error, AttributeError):
            return []

    def _compute_key(self, place: int) -> str:
        """Return a row's key, which a second run finds again."""
        import hashlib

        shaping = {name: value for name, value in self.table.options.items() if name not in _NOT_SHAPING}
        whole = json.dumps(
            [self.table.rows[place].key, self.table.prompt, shaping, dict(self.table.images)],
            sort_keys=True,
            default=str,
        )
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def has(self, place: int) -> bool:
        """Return True if an earlier run has saved the row's image, and its file is still there."""
        name = self.cells[place].get("file")
        return bool(name) and self.table.options.get("replay") != "off" and (self.path.parent / str(name)).is_file()

    def build(self, place: int) -> RowRequest | InvalidRequest:
        """Return the row's request, with the seed that was chosen for it; or its mistake."""
        built, seed = self.table.try_build(self.table.rows[place]), self.cells[place].get("seed")
        if isinstance(built, InvalidRequest) or not built.request.chosen or seed is None:
            return built
        return built.with_seed(int(seed))

    def save(self, place: int, made: Generation) -> None:
        """Save an image, and list it; a file that cannot be written is the row's failure."""
        from ..results import file_names

        given = {name: str(value) for name, value in self.table.rows[place].values.items()}
        values = {**dict.fromkeys(self.table.columns, ""), **given, "n": place + 1}
        own = {name: value for name, value in values.items() if name not in file_names.FIELDS or name == "n"}
        try:
            target = file_names.fill_some(self.out, own) if file_names.is_pattern(self.out) else self.out
            with print_above():
                saved = made.save(target)
        except FluxError as error:
            self.fail(place, error)
            return
        parameters = {name: value for name, value in made.parameters.items() if name not in self.table.columns}
        self.finished.add(place)
        self.cells[place] = {
            "prompt": made.prompt,
            "seed": made.seed,
            "steps": made.steps,
            "width": made.width,
            "height": made.height,
            **parameters,
            "model": made.record.model,
            "digest": made.digest,
            "file": saved[0].relative_to(self.path.parent).as_posix(),
            "seconds": made.record.circumstances.seconds,
            "replayed": made.replayed,
            "note": made.note,
        }
        self.write_soon()

    def fail(self, place: int, error: FluxError) -> None:
        """List the error of a row."""
        self.errors[place] = error
        self.finished.add(place)
        self.write_soon()

    @property
    def done(self) -> int:
        """The number of rows that have an image or an error."""
        return len(self.finished)

    @property
    def made(self) -> int:
        """The number of rows that have an image."""
        return sum(self.has(place) for place in range(len(self.cells)))

    @property
    def is_whole(self) -> bool:
        """True if every row has an image."""
        return self.made == len(self.cells)

    def list_errors(self) -> list[str]:
        """Return the errors in the order of the rows, each with its row's name."""
        each = sorted(self.errors.items())
        names = {place: self.table.rows[place].name for place, _ in each}
        return [
            error.message if error.message.startswith(names[place]) else f"{names[place]}: {error.message}"
            for place, error in each
        ]

    def write_soon(self) -> None:
        """Write the table of results, unless that was done a moment ago."""
        if time.monotonic() - self.written > _PAUSE:
            self.write()

    def write(self) -> None:
        """Write the table of results. Raises SaveError."""
        rows = list(self._list_rows())
        names = list(dict.fromkeys(name for row in rows for name in row))
        last = [name for name in ("digest", "file", "seconds", "replayed", "note", "error", "row") if name in names]
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, [*(name for name in names if name not in last), *last])
        writer.writeheader()
        writer.writerows(rows)
        try:
            write_whole(self.path, out.getvalue().encode())
        except OSError as error:
            raise SaveError(f"cannot write {self.path}: {error.strerror or error}") from None
        self.written = time.monotonic()

    def _list_rows(self) -> Iterator[Mapping[str, Any]]:
        for place, (row, cells) in enumerate(zip(self.table.rows, self.cells, strict=True)):
            error = self.errors.get(place)
            given = {**dict.fromkeys(self.table.columns, ""), **row.values}
            own = {f"{name} (given)" if name in _LISTED else name: value for name, value in given.items()}
            known = {"at": row.name, **own, **cells}
            yield known | {"error": error.message if error else "", "row": self.keys[place]}

    def __str__(self) -> str:
        replayed = sum(cells.get("replayed") in {True, "True"} for cells in self.cells)
        store = f", {replayed} of them from the store" if replayed else ""
        return f"{self.made} of {len(self.cells)} images are in {self.path.parent}{store}; the table is {self.path}"
