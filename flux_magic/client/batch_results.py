"""The results of `flux-magic batch`: the saved images of a table's rows, and the file that lists them."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import FluxError, InvalidRequest, SaveError, mask_secrets
from ..images.inputs import ROLES
from ..parameters.seeds import choose_seed
from ..parameters.table import EXTRA_NAMES
from ..providers.gradio.meanings import is_secret
from ..records.files import write_whole
from ..results.generation import Generation
from .progress import print_above
from .rows import RowRequest, RowTable
from .tables import PLACES, parse

RESULTS: Final = "results.csv"
"""The name of the table of results, in the folder of the images."""

_MADE: Final = ("prompt", "seed", "steps", "width", "height", "model", "digest", "file", "seconds", "replayed", "note")
_LISTED: Final = {"at", "model", "digest", "file", "seconds", "replayed", "note", "error", "row"}
"""Columns of the table of results; one of the file that has such a name is called `note (given)`."""

_ADDRESSES: Final = (*PLACES, *ROLES)
_IN_QUERY: Final = r"(?i)([?&;][\w.-]*(?:sig|signature|token|key|secret|password|credential)[\w.-]*=)[^&#\s\"']+"
"""A secret in the query of an address."""

_PAUSE: Final = 2.0
"""Least seconds between two writings of the table of results."""

_SAVED: Final = {"metadata", "strip_credentials", "sign", "sign_as"}
_NOT_SHAPING: Final = {"proxy", "token", "timeout", "concurrency", "cluster", "replay", "store", *_SAVED}


def mask_cell(name: str, value: Any) -> Any:
    """Return the value of a column as it may be written: without passwords and tokens."""
    if is_secret(name.removeprefix("set.")):
        return "***"
    if isinstance(value, Mapping):
        return {key: mask_cell(str(key), one) for key, one in value.items()}
    if name == "parameters" and isinstance(value, str):
        with suppress(InvalidRequest):
            return json.dumps(mask_cell("", parse(value, name)), ensure_ascii=False)
    if not isinstance(value, str):
        return value
    if name in _ADDRESSES:
        value = re.sub(r"(://[^\s?#]*)[?#]\S*", r"\1?***", value)
    return mask_secrets(re.sub(_IN_QUERY, r"\1***", value))


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
    def read(cls, table: RowTable, out: str) -> Results:
        """Return the results of an earlier run, as far as its rows and options are the same.

        Raises InvalidRequest for a pattern that would give two images one name.
        """
        from ..results import file_names
        from ..results.generation import check_target, expand_path

        pattern = expand_path(out)
        axes = [name for name in table.columns if name not in file_names.FIELDS]
        if is_folder := not file_names.is_pattern(pattern):
            pattern = f"{pattern.rstrip('/')}/"
        check_target(pattern + "{n}" * is_folder, len(table.rows), axes)  # as a pattern, no folder is made yet
        folder = Path(pattern.partition("{")[0] + "x").parent
        results = cls(table, pattern, folder / RESULTS, [{} for _ in table.rows])
        results.keys = [results._compute_key(place) for place in range(len(table.rows))]
        results._check_names()
        results.read_earlier()
        return results

    @classmethod
    def open(cls, table: RowTable, out: str) -> Results:
        """Return the results as `read` does, and write the file. Raises InvalidRequest and SaveError."""
        results = cls.read(table, out)
        folder = results.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveError(f"cannot write {folder}: {error.strerror or error}") from None
        results.write()
        return results

    def _check_names(self) -> None:
        """Raise InvalidRequest if the pattern names no more than columns, and two images would have one name."""
        from ..results import file_names

        known: dict[str, int] = {}
        for place in range(len(self.keys)):
            name = self._name(place)
            if file_names.is_pattern(name) or not file_names.get_suffix(self.out):
                return  # the rest of the name is the image's own
            if self.keys[other := known.setdefault(name, place)] != self.keys[place]:
                raise InvalidRequest(
                    f"{self.table.rows[other].name} and {self.table.rows[place].name} would both be saved as {name}: "
                    "add {n} or {seed} to --out"
                )

    def _name(self, place: int) -> str:
        """Return where a row's image goes, with the values of its columns in it."""
        from ..results import file_names

        given = {name: str(mask_cell(name, value)) for name, value in self.table.rows[place].values.items()}
        values = {**dict.fromkeys(self.table.columns, ""), **given, "n": place + 1}
        own = {name: value for name, value in values.items() if name not in file_names.FIELDS or name == "n"}
        return file_names.fill_some(self.out, own) if file_names.is_pattern(self.out) else self.out

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

    def is_new_seed(self, place: int) -> bool:
        """Return True if a random seed was chosen for the row just now, and not by an earlier run."""
        return isinstance(self.cells[place].get("seed"), int)

    def build(self, place: int) -> RowRequest | InvalidRequest:
        """Return the row's request, with the seed that was chosen for it; or its mistake."""
        built, seed = self.table.try_build(self.table.rows[place]), self.cells[place].get("seed")
        if isinstance(built, InvalidRequest) or not built.request.chosen or seed is None:
            return built
        return built.with_seed(int(seed))

    def save(self, place: int, made: Generation) -> None:
        """Save an image, and list it; a file that cannot be written is the row's failure."""
        try:
            with print_above():
                saved = made.save(self._name(place))
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
            values = {name: mask_cell(name, value) for name, value in row.values.items()}
            given = {**dict.fromkeys(self.table.columns, ""), **values}
            own = {f"{name} (given)" if name in _LISTED else name: value for name, value in given.items()}
            made = {"prompt": mask_cell("prompt", cells["prompt"])} if "prompt" in cells else {}
            known = {"at": row.name, **own, **cells, **made}
            yield known | {"error": error.message if error else "", "row": self.keys[place]}

    def __str__(self) -> str:
        replayed = sum(cells.get("replayed") in {True, "True"} for cells in self.cells)
        store = f", {replayed} of them from the store" if replayed else ""
        return f"{self.made} of {len(self.cells)} images are in {self.path.parent}{store}; the table is {self.path}"
