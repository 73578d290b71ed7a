"""Rows of a table as requests: its columns are parameters by name."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..errors import InvalidRequest, list_few, show_value
from ..images.inputs import ROLES
from ..parameters import grammar
from ..parameters.own_values import parse_own_value
from ..parameters.placeholders import expand
from ..parameters.settings import Settings, resolve
from ..parameters.table import ROWS
from ..providers.gradio.meanings import is_secret
from ..sweeps.requests import build_requests
from ..types import ImageRequest
from .given import NOTHING, DataFrame
from .options import merge
from .tables import COLUMNS, PLACES, Row, normalize, parse, read_frame
from .target import resolve_target

_OWN: Final = re.compile(r"set\.([A-Za-z_][A-Za-z0-9_]{0,79})")


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

        Raises InvalidRequest for one that is nearly a parameter's name or that holds secrets, and for a table without a
        prompt.
        """
        if secrets := [name for name in self.columns if is_secret(name) and not _OWN.fullmatch(name)]:
            instead = "give it in HF_TOKEN" if secrets[0].lower() == "token" else "leave it out"
            raise InvalidRequest(f"the column {secrets[0][:80]} is a secret, which belongs in no table: {instead}")
        if all(row.mistake for row in self.rows) and self.rows:
            return []
        if not self.columns:
            raise InvalidRequest("the table has no columns: one that is called prompt is needed")
        if "prompt" not in self.columns and not self.prompt:
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
                    "Give it another name, also if it is meant as it is"
                )
        return others

    def list_unfilled(self) -> list[str]:
        """Return the `{names}` of prompts that their rows have no value for: they are sent as typed."""
        missing = (name for row in self.rows for name in self._list_names(row) if name not in self.columns)
        return list(dict.fromkeys(missing))

    def _list_names(self, row: Row) -> list[str]:
        return expand(str(row.values.get("prompt", self.prompt)), {})[1]

    def find_twins(self, seeds: Sequence[object]) -> dict[int, int]:
        """Return the places of rows that ask for the image of an earlier row, with that one's place.

        Args:
            seeds: the seed of each row that was chosen for it, or None.
        """
        first: dict[str, int] = {}
        twins: dict[int, int] = {}
        for place, (row, seed) in enumerate(zip(self.rows, seeds, strict=True)):
            used = {name: one for name, one in row.values.items() if name in COLUMNS or _OWN.fullmatch(name)}
            words = {name: row.values.get(name) for name in self._list_names(row)}
            same = first.setdefault(json.dumps([used, words, seed], sort_keys=True, default=str), place)
            if same != place:
                twins[place] = same
        return twins

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
        typed = _format(_check_prompt(values.get("prompt", self.prompt)))
        if isinstance(values.get("set"), Mapping):
            raise InvalidRequest('set is an object: call it "parameters"')
        prompt, missing = expand(typed, {name: _format(value) for name, value in values.items()})
        if empty := [name for name in missing if name in self.columns]:
            raise InvalidRequest(
                f"{{{empty[0]}}} of the prompt is an empty cell: fill it in, or write {{{{{empty[0]}}}}}"
            )
        given = {name: _read(name, value) for name, value in values.items() if name in {*ROWS, "size", *PLACES}}
        own = {match[1]: _read_own(value) for name, value in values.items() if (match := _OWN.fullmatch(name))}
        if own or "parameters" in values:
            given["parameters"] = {**_read_mapping(values.get("parameters", {})), **own}
        settings = resolve(**merge(self.options, given))
        images = {**self.images, **{role: values[role] for role in ROLES if role in values}}
        typed_once = None if prompt == typed else typed
        (request,) = build_requests(prompt, settings, typed=typed_once, has_images="image" in images)
        resolve_target(settings, request.model)  # a mistake in a name is the row's
        return RowRequest(request, settings, images, has_place=not values.keys().isdisjoint(PLACES))


def build_row(
    place: int, values: Mapping[Any, Any] | str, options: Mapping[str, Any], images: Mapping[str, Any] = NOTHING
) -> RowRequest | InvalidRequest:
    """Return the request of a prompt or of values by name, such as `{"prompt": "a fox"}`; or what is wrong with it."""
    given = {"prompt": values} if isinstance(values, str) else {normalize(name): one for name, one in values.items()}
    row = Row.of(f"request {place}", given)
    table = RowTable([row], list(given), options, images=images)
    try:
        table.check_columns()
    except InvalidRequest as error:
        return InvalidRequest(f"{row.name}: {error.message}")
    return table.try_build(row)


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


def _check_prompt(value: Any) -> Any:
    """Return the value of a prompt's cell. Raises InvalidRequest."""
    if isinstance(value, list | tuple | Mapping):
        raise InvalidRequest(f"prompt is {show_value(value)}: give one string in a row")
    if "\0" in str(value):
        raise InvalidRequest("the prompt has a character NUL in it: take it out")
    return value


def _format(value: Any) -> str:
    """Return a cell as a prompt has it: 4 for 4.0, as pandas has integers beside an empty cell."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read(name: str, value: Any) -> Any:
    """Return the value of a parameter's cell. Raises InvalidRequest."""
    if isinstance(value, float) and value.is_integer() and name in ROWS and ROWS[name].kind is int:
        return int(value)
    if not isinstance(value, str) or name in PLACES:
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
    found = parse(value, "parameters") if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise InvalidRequest(f'parameters is {show_value(value)}: give an object, as in {{"shift": 4.0}}')
    return found
