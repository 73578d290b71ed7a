"""Tables of prompts: the rows of a file, or of a data frame, with their columns."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import InvalidRequest, clean, format_count, show_value
from ..images.bounded_json import parse_json
from ..images.inputs import ROLES
from ..parameters.table import ROWS
from ..records.files import read_file

MOST_BYTES: Final = 64 * 2**20
"""The largest file of prompts that is read."""

PLACES: Final = ("model", "provider", "space")
"""The columns that say where an image is made."""

COLUMNS: Final = ("prompt", *ROWS, "size", *PLACES, *ROLES, "parameters")
"""The columns that mean something in every table; `set.shift` is a parameter of the model's own."""

_DELIMITERS: Final = {".csv": "", ".tsv": "\t", ".tab": "\t"}
_JSON: Final = (".jsonl", ".ndjson", ".json")
_WORKBOOKS: Final = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
_OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
_ALIASES: Final = {"negative": "negative_prompt"}


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a table.

    Attributes:
        name: the row for a person, such as `line 7`.
        values: its cells by column, without those that are empty.
        mistake: why it could not be read, with its name; empty if it could.
    """

    name: str
    values: Mapping[str, Any]
    mistake: str = ""

    @classmethod
    def of(cls, name: str, values: Mapping[str, Any]) -> Row:
        """Return a row without the cells that mean that nothing is given."""
        return cls(name, {column: value for column, value in values.items() if column and not _is_empty(value)})

    @property
    def key(self) -> str:
        """The values as canonical JSON, by which a second run knows the row."""
        return json.dumps(self.values, sort_keys=True, default=str)


def read_rows(path: Path) -> tuple[list[Row], list[str]]:
    """Return the rows of a file of prompts with the names of its columns.

    A `.csv` (commas, semicolons or tabs) or `.tsv` has a line of names, `.jsonl` an object in each line; in any other
    file each line is a prompt. Empty lines count, but are no rows. A line that is no row has a mistake.

    Raises InvalidRequest for a file that cannot be read, and names the line.
    """
    text = _decode(path)
    suffix = path.suffix.lower()
    first = text.partition("\n")[0]
    names: list[str] = []
    if suffix not in _JSON and ("\t" in first and "prompt" in map(normalize, first.split("\t"))):
        suffix = ".tsv"  # as Excel saves "Unicode Text"
    if suffix in _DELIMITERS:
        rows, names = _read_csv(text, _DELIMITERS[suffix])
    elif suffix in _JSON:
        rows = list(_read_json(text))
    else:
        rows = [Row(name, {"prompt": line.strip()}) for name, line in _split_lines(text)]
    if not rows:
        raise InvalidRequest(f"{path} has no row: give a prompt in each line, or a table with a column prompt")
    return rows, list(dict.fromkeys([*filter(None, names), *(name for row in rows for name in row.values)]))


def _decode(path: Path) -> str:
    """Return the characters of a file, in UTF-8, or UTF-16 as Excel has it. Raises InvalidRequest."""
    try:
        data = read_file(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidRequest(f"cannot read {path}: {reason}") from None
    is_zip = data.startswith(b"PK\x03\x04") and (b"xl/" in data or b"opendocument" in data)
    if is_zip or data.startswith(_OLD_WORKBOOK) or path.suffix.lower() in _WORKBOOKS:
        raise InvalidRequest(f"{path} is a workbook: save it as CSV UTF-8, in Excel by File, Save As")
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8, in Excel as CSV UTF-8; "
            "iconv -f cp1252 -t utf-8 converts one of Windows"
        ) from None


def _read_csv(text: str, delimiter: str) -> tuple[list[Row], list[str]]:
    first, _, rest = text.partition("\n")
    number = 1
    if told := re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE):  # as Excel tells itself
        delimiter, text, number = told[1], rest, 2
    delimiter = delimiter or max(",;\t", key=first.partition("\r")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    names: list[str] = []
    before = number
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                pass
            elif not names:
                names = check_names([normalize(cell) for cell in cells])
            else:
                rows.append(_make_row(f"line {number}", names, cells))
            number = reader.line_num + before
    except csv.Error as error:
        if "NUL" in str(error):
            raise InvalidRequest(f"line {number} has a character NUL in it: take it out") from None
        raise InvalidRequest(
            f"line {number}: a quote that opens in it is not closed, or has something behind it: close it, and write "
            f'a quote within a cell twice, as in "a ""red"" fox"'
        ) from None
    return rows, names


def _make_row(name: str, names: list[str], cells: list[str]) -> Row:
    row = Row.of(name, dict(zip(names, map(str.strip, cells), strict=False)))
    if len(cells) <= len(names):
        return row
    count = f"{name} has {format_count(len(cells), 'cell')}, for {format_count(len(names), 'column')}"
    return Row(name, row.values, f"{count}: put a cell that has the delimiter in it in quotes")


def _split_lines(text: str) -> Iterator[tuple[str, str]]:
    """Return the lines that are not empty, each with its name; they end as in a text editor, and nowhere else."""
    lines = enumerate(io.StringIO(text, newline=None), 1)
    return ((f"line {number}", line.rstrip("\n")) for number, line in lines if line.strip())


def _read_json(text: str) -> Iterator[Row]:
    if text.lstrip().startswith("["):
        for number, value in enumerate(parse(text, "the file"), 1):
            yield _make_json_row(f"item {number}", value)
        return
    for name, line in _split_lines(text):
        try:
            yield _make_json_row(name, parse(line, name))
        except InvalidRequest as error:
            yield Row(name, {}, error.message)


def _make_json_row(name: str, value: Any) -> Row:
    values = {"prompt": value} if isinstance(value, str) else value
    if not isinstance(values, dict):
        return Row(name, {}, f'{name} is {show_value(value)}: give an object, as in {{"prompt": "a fox"}}')
    return Row.of(name, {normalize(key): one for key, one in values.items()})


def parse(text: str, name: str) -> Any:
    """Return the value of a JSON string. Raises InvalidRequest, with the name of what has it."""
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise InvalidRequest(f"{name} is no JSON at {where}character {error.colno}: {clean(error.msg)}") from None
    except ValueError as error:
        raise InvalidRequest(f"{name} is no JSON: {clean(str(error))}") from None


def read_frame(frame: Any) -> tuple[list[Row], list[str]]:
    """Return the rows of a data frame with the names of its columns.

    Raises InvalidRequest for two columns of one name, and for columns of several levels.
    """
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise InvalidRequest("the columns have names of several levels: give each one name, by frame.columns = [...]")
    names = check_names([normalize(name) for name in frame.columns])
    records: Iterable[Mapping[Any, Any]]
    records = frame.to_dicts() if hasattr(frame, "to_dicts") else frame.to_dict("records")
    each = enumerate(dict(zip(names, one.values(), strict=True)) for one in records)
    return [Row.of(f"row {number}", values) for number, values in each], names


def check_names(names: list[str]) -> list[str]:
    """Return the names of columns. Raises InvalidRequest if two are the same."""
    if twice := [name for place, name in enumerate(names) if name and name in names[:place]]:
        raise InvalidRequest(f"two columns are {twice[0][:80]}: give each another name")
    return names


def normalize(name: object) -> str:
    """Return a column's name as the table of parameters has it: `Negative Prompt` is `negative_prompt`."""
    plain = re.sub(r"[\s-]+", "_", str(name).strip())
    known = _ALIASES.get(plain.lower(), plain.lower())
    return known if known in COLUMNS else plain


def _is_empty(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, str) and not value)
