"""Rows of a table as requests: a file of prompts, or a data frame, whose columns are parameters by name."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..errors import InvalidRequest, clean, format_count, list_few, show_value
from ..images.bounded_json import parse_json
from ..images.inputs import ROLES
from ..parameters import grammar
from ..parameters.own_values import parse_own_value
from ..parameters.placeholders import expand
from ..parameters.settings import Settings, resolve
from ..parameters.table import ROWS
from ..records.files import read_file
from ..sweeps.requests import build_requests
from ..types import ImageRequest
from .given import NOTHING, DataFrame
from .options import merge
from .target import resolve_target

MOST_BYTES: Final = 64 * 2**20
"""The largest file of prompts that is read."""

_PLACES: Final = ("model", "provider", "space")
_DELIMITERS: Final = {".csv": "", ".tsv": "\t", ".tab": "\t"}
_JSON: Final = (".jsonl", ".ndjson", ".json")
_OWN: Final = re.compile(r"set\.([A-Za-z_][A-Za-z0-9_]{0,79})")
_ALIASES: Final = {"negative": "negative_prompt"}

COLUMNS: Final = ("prompt", *ROWS, "size", *_PLACES, *ROLES, "parameters")
"""The columns that mean something in every table; `set.shift` is a parameter of the model's own."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a table.

    Attributes:
        name: the row for a person, such as `line 7`.
        values: its cells by column, without those that are empty.
        mistake: why it cannot be read, in a line that begins with its name; empty if it can.
    """

    name: str
    values: Mapping[str, Any]
    mistake: str = ""

    @property
    def key(self) -> str:
        """The values as canonical JSON, by which a second run knows the row."""
        return json.dumps(self.values, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class RowRequest:
    """The request of a row.

    Attributes:
        request: without the images that go in.
        settings: of this row.
        images: what goes in as it was named, by role; it is loaded when the row's turn comes.
        has_place: True if the row names a model, a provider or a Space of its own: the others' may answer if its does
            not.
    """

    request: ImageRequest
    settings: Settings
    images: Mapping[str, Any]
    has_place: bool = False

    def with_seed(self, seed: int) -> RowRequest:
        """Return the request with the seed that was chosen for its row before; the store may answer it."""
        return replace(self, request=replace(self.request, seed=seed, chosen=False))


@dataclass(frozen=True, slots=True)
class RowTable:
    """The rows of a table, and what they inherit.

    Attributes:
        rows: in their order.
        columns: the names of all columns, in their order.
        options: the options of `generate` for rows that leave them out.
        prompt: the prompt of rows without one, with `{column}` in it.
        images: what goes in for rows that name no image, by role.
    """

    rows: Sequence[Row]
    columns: Sequence[str]
    options: Mapping[str, Any]
    prompt: str = ""
    images: Mapping[str, Any] = field(default_factory=dict)

    def check_columns(self) -> list[str]:
        """Return the columns that are neither a parameter nor a `{name}` in a prompt.

        Raises InvalidRequest for one that is nearly a parameter's name, and for a table without a prompt.
        """
        if "prompt" not in self.columns and not self.prompt and not all(row.mistake for row in self.rows):
            listed = ", ".join(list_few(list(self.columns), 8))
            raise InvalidRequest(
                f"there is no column prompt among {listed}: name one so, or give a prompt for all rows"
            )
        used = {name for row in self.rows for name in self._list_names(row)}
        others = [name for name in self.columns if name not in {*COLUMNS, *used} and not _OWN.fullmatch(name)]
        for name in others:
            if near := difflib.get_close_matches(name, COLUMNS, 1, 0.75):
                raise InvalidRequest(
                    f"the column {name[:80]} is no parameter: did you mean {near[0]}? "
                    f"One of the model's own is the column set.{name[:80]}"
                )
        return others

    def list_unfilled(self) -> list[str]:
        """Return the `{names}` of prompts that their rows have no value for: they are sent as typed."""
        missing = (name for row in self.rows for name in self._list_names(row) if name not in self.columns)
        return list(dict.fromkeys(missing))

    def _list_names(self, row: Row) -> list[str]:
        return expand(str(row.values.get("prompt", self.prompt)), {})[1]

    def build_all(self) -> Iterator[RowRequest | InvalidRequest]:
        """Return an iterator of the rows' requests, each built when its turn comes; or what is wrong with a row."""
        return map(self.try_build, self.rows)

    def try_build(self, row: Row) -> RowRequest | InvalidRequest:
        """Return a row's request, or what is wrong with the row."""
        try:
            return self.build(row)
        except InvalidRequest as error:
            return error

    def build(self, row: Row) -> RowRequest:
        """Return a row's request. Raises InvalidRequest, which begins with the row's name."""
        if row.mistake:
            raise InvalidRequest(row.mistake)
        try:
            return self._build(row.values)
        except InvalidRequest as error:
            raise InvalidRequest(f"{row.name}: {error.message}", error.hint) from None

    def _build(self, values: Mapping[str, Any]) -> RowRequest:
        typed = _format(values.get("prompt", self.prompt))
        prompt, missing = expand(typed, {name: _format(value) for name, value in values.items()})
        if empty := [name for name in missing if name in self.columns]:
            raise InvalidRequest(
                f"{{{empty[0]}}} of the prompt is an empty cell: fill it in, or write {{{{{empty[0]}}}}}"
            )
        given = {name: _read(name, value) for name, value in values.items() if name in {*ROWS, "size", *_PLACES}}
        own = {match[1]: _read_own(value) for name, value in values.items() if (match := _OWN.fullmatch(name))}
        if own or "parameters" in values:
            given["parameters"] = {**_read_mapping(values.get("parameters", {})), **own}
        settings = resolve(**merge(self.options, given))
        images = {**self.images, **{role: values[role] for role in ROLES if role in values}}
        typed_once = None if prompt == typed else typed
        (request,) = build_requests(prompt, settings, typed=typed_once, has_images="image" in images)
        resolve_target(settings, request.model)  # a mistake in a name is the row's
        return RowRequest(request, settings, images, has_place=not values.keys().isdisjoint(_PLACES))


def read_rows(path: Path) -> tuple[list[Row], list[str]]:
    """Return the rows of a file of prompts with the names of its columns.

    A `.csv` (commas, semicolons or tabs) or `.tsv` has a line of names, `.jsonl` an object in each line; in any other
    file each line is a prompt. Empty lines count, but are no rows. The file is UTF-8, or UTF-16 with a mark.

    A row that cannot be read has a `mistake`. Raises InvalidRequest for a file that cannot be read.
    """
    try:
        data = read_file(path, MOST_BYTES)
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidRequest(f"cannot read {path}: {reason}") from None
    suffix = path.suffix.lower()
    names: list[str] = []
    if suffix in _DELIMITERS:
        rows, names = _read_csv(text, _DELIMITERS[suffix])
    elif suffix in _JSON:
        rows = list(_read_json(text))
    else:
        rows = [Row(name, {"prompt": line.strip()}) for name, line in _split_lines(text)]
    if not rows:
        raise InvalidRequest(f"{path} has no row: give a prompt in each line, or a table with a column prompt")
    return rows, list(dict.fromkeys([*filter(None, names), *(name for row in rows for name in row.values)]))


def _read_csv(text: str, delimiter: str) -> tuple[list[Row], list[str]]:
    own = re.match(r"sep=(.)\s*?\r?\n", text)  # a line of Excel's own
    text = text[own.end() :] if own else text
    delimiter = own[1] if own else delimiter or max(",;\t", key=re.split(r"[\r\n]", text, maxsplit=1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    names: list[str] = []
    number = first = 2 if own else 1
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                pass
            elif not names:
                names = _check_names([_normalize(cell) for cell in cells])
            elif len(cells) > len(names):
                has = f"{format_count(len(cells), 'cell')}, for {format_count(len(names), 'column')}"
                mistake = f"line {number} has {has}: put a cell that has the delimiter in it in quotes"
                rows.append(Row(f"line {number}", {}, mistake))
            else:
                values = dict(zip(names, map(str.strip, cells), strict=False))
                rows.append(Row(f"line {number}", _keep(values)))
            number = reader.line_num + first
    except csv.Error as error:
        raise InvalidRequest(f"line {number}: {error}") from None
    return rows, names


def _split_lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines that are not empty, each with its name; they end as in a text editor, and nowhere else."""
    lines = enumerate(io.StringIO(text, newline=None), 1)
    return ((f"line {number}", line) for number, line in lines if line.strip())


def _read_json(text: str) -> Iterator[Row]:
    """Yield a row for each object: of the list that the file is, or of its lines."""
    is_list = text.lstrip().startswith("[")
    items = enumerate(_parse(text, "the file"), 1) if is_list else ()
    for name, item in ((f"item {number}", item) for number, item in items) if is_list else _split_lines(text):
        try:
            yield Row(name, _read_object(name, item if is_list else _parse(item, name)))
        except InvalidRequest as error:
            yield Row(name, {}, error.message)


def _read_object(name: str, value: object) -> dict[str, Any]:
    values = {"prompt": value} if isinstance(value, str) else value
    if not isinstance(values, dict):
        raise InvalidRequest(f'{name} is {show_value(value)}: give an object, as in {{"prompt": "a fox"}}')
    return _keep({_normalize(key): one for key, one in values.items()})


def _parse(text: str, name: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise InvalidRequest(f"{name} is no JSON: {clean(str(error))}") from None


def read_frame(frame: Any) -> tuple[list[Row], list[str]]:
    """Return the rows of a data frame with the names of its columns. Raises InvalidRequest for two of one name."""
    names = _check_names([_normalize(name) for name in frame.columns])
    records: Iterable[Mapping[Any, Any]]
    records = frame.to_dicts() if hasattr(frame, "to_dicts") else frame.to_dict("records")
    each = enumerate(dict(zip(names, one.values(), strict=True)) for one in records)
    return [Row(f"row {number}", _keep(values)) for number, values in each], names


def build_frame(
    frame: DataFrame, options: Mapping[str, Any], images: Mapping[str, Any] = NOTHING
) -> Iterator[RowRequest | InvalidRequest]:
    """Return the requests of a data frame's rows, each built when its turn comes.

    Raises InvalidRequest for a column that is nearly a parameter's name, and for a frame without prompts.
    """
    rows, columns = read_frame(frame)
    table = RowTable(rows, columns, options, images=images)
    table.check_columns()
    return table.build_all()


def _check_names(names: list[str]) -> list[str]:
    if twice := [name for place, name in enumerate(names) if name and name in names[:place]]:
        raise InvalidRequest(f"two columns are {twice[0][:80]}: give each another name")
    return names


def _normalize(name: object) -> str:
    """Return a column's name as the table of parameters has it: `Negative Prompt` is `negative_prompt`."""
    plain = re.sub(r"[\s-]+", "_", str(name).strip())
    known = _ALIASES.get(plain.lower(), plain.lower())
    return known if known in COLUMNS else plain


def _keep(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without those that mean that nothing is given."""
    return {name: value for name, value in values.items() if name and not _is_empty(value)}


def _is_empty(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, str) and not value)


def _format(value: Any) -> str:
    """Return a cell as a prompt has it: 4 for 4.0, as pandas has integers beside an empty cell."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read(name: str, value: Any) -> Any:
    """Return the value of a parameter's cell. Raises InvalidRequest."""
    if isinstance(value, float) and value.is_integer() and name in ROWS and ROWS[name].kind is int:
        return int(value)
    if not isinstance(value, str) or name in _PLACES:
        return value
    if name in ROWS and ROWS[name].kind is int and re.fullmatch(r"\d{1,18}\.0+", value):
        value = value.partition(".")[0]  # a table writes an integer so where another cell of the column is empty
    read = next(one.read for one in grammar.OPTIONS if one.name == name)
    found = read(name, value) if read else value
    if isinstance(found, grammar.Several):
        raise InvalidRequest(f"{name} {value[:70]}: give one value in a cell, and a row for each image")
    return found


def _read_own(value: Any) -> Any:
    return parse_own_value(value) if isinstance(value, str) else value


def _read_mapping(value: Any) -> Mapping[str, Any]:
    found = _parse(value, "parameters") if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise InvalidRequest(f'parameters is {show_value(value)}: give an object, as in {{"shift": 4.0}}')
    return found
