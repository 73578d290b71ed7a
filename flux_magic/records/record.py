"""A record as JSON, and from it; what identifies a request, so that its image can be found again.

Each version of the JSON has a JSON Schema in `flux_magic/records/schemas`, and stays readable. Version 0 is how
notebooks were saved before there was a schema: one flat object.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ..errors import InvalidRequest, RecordError, shown
from ..images.bounded_json import parse_json
from ..images.formats import MEDIA_TYPES, READ
from ..parameters.addresses import Space
from ..parameters.table import ROWS, Values
from ..types import RECORD_VERSION, STAND_IN, UNKNOWN, Circumstances, Copy, FileRecord, ImageRequest, Record
from .sent import sanitize

_SCHEMAS: Final = Path(__file__).with_name("schemas")


@functools.cache
def our_version() -> str:
    """This package's version, as a record tells it: looking for it takes a millisecond, and loading what looks five."""
    from importlib.metadata import version

    return version("flux-magic")


@dataclass(frozen=True, slots=True)
class Carried:
    """What goes along with one copy of a picture: its record, and what this copy was when it was written.

    `copy` is None where nothing was embedded, as with a link.
    """

    record: Record
    copy: Copy | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON-ready values, by the schema `carried-1`."""
        copy = {} if self.copy is None else {"copy": asdict(self.copy)}
        return {"record": self.record.as_dict(), **copy}


def from_dict(value: object) -> Record:
    """The record that JSON of any version holds; members that are not known are left out.

    Raises RecordError where it is none, and says what is wrong with it.
    """
    if isinstance(value, Mapping) and "schema" not in value and "provider" in value:
        return _from_version_0(value)
    version = value.get("schema") if isinstance(value, Mapping) else None
    if isinstance(version, int) and version > RECORD_VERSION:
        says = f"the record is of version {shown(version)}: this flux_magic reads up to {RECORD_VERSION}"
        raise RecordError(says, _UPGRADE)
    return _from_version_1(checked("record-1", value))


_SHEET = "The cell of each is in its own file, and below the sheet in its notebook; flux-magic verify checks them."
_UPGRADE = "Install a newer one: pip install --upgrade flux-magic"


def carried_from(value: object) -> Carried:
    """The record and the copy that a notebook's metadata or a picture's text hold; raises RecordError."""
    if isinstance(value, Mapping) and isinstance(value.get("sheet"), list) and "record" not in value:
        raise RecordError(f"this is a sheet of {len(value['sheet'])} images, each with a record of its own", _SHEET)
    known = checked("carried-1", value)
    copy, record = known.get("copy"), from_dict(known["record"])
    if copy is None:
        return Carried(record)
    copy = _members(Copy, copy) | {"file": int(copy["file"])}
    if copy["file"] >= len(record.files):
        raise RecordError(f"the record is not whole: it has no file {shown(copy['file'])}")
    return Carried(record, Copy(**copy))


def loads(text: str | bytes) -> Any:
    """JSON as values; raises RecordError where it is none."""
    try:
        return parse_json(text, parse_constant=_no_constant)
    except ValueError as exc:
        raise RecordError(f"the record is no JSON: {exc}") from exc


def _no_constant(name: str) -> None:
    """Python reads what it writes for what is no number; JSON has no word for it."""
    raise ValueError(f"{name} is no number")


def _from_version_1(value: Mapping[str, Any]) -> Record:
    requested, run, around = value["requested"], value["run"], value.get("circumstances", {})
    key = run.get("key", {})
    return Record(
        prompt=run["prompt"],
        model=run["model"],
        provider=run["provider"],
        space=run["space"],
        seed=None if run["seed"] is None else int(run["seed"]),
        steps=int(run["steps"]),
        width=int(run["width"]),
        height=int(run["height"]),
        requested_prompt=requested["prompt"],
        requested_model=requested["model"],
        requested_space=requested.get("space"),
        requested_seed=None if requested.get("seed") is None else int(requested["seed"]),
        requested_width=int(requested["width"]),
        requested_height=int(requested["height"]),
        files=tuple(_file(file) for file in value["files"]),
        circumstances=_circumstances({**around, "version": around.get("flux_magic", UNKNOWN)}),
        sent=sanitize(run.get("sent", {})),
        key_provider=key.get("provider", ""),
        key_model=key.get("model", ""),
        parameters=Values(run.get("parameters")),
        requested_parameters=Values(requested.get("parameters")),
    )


def _file(value: Mapping[str, Any]) -> FileRecord:
    """To the schema 8.0 is a whole number as well, and any format is one: a later version may read more of them."""
    if value["media_type"] not in MEDIA_TYPES.values():
        raise RecordError(
            f"the record is of a file of type {shown(value['media_type'])}: this flux_magic reads {READ}", _UPGRADE
        )
    whole = {"width": int(value["width"]), "height": int(value["height"])}
    return FileRecord(**_members(FileRecord, value) | whole)


def _circumstances(value: Mapping[str, Any]) -> Circumstances:
    known = Circumstances(**_members(Circumstances, value))
    if any(isinstance(time, float) and not math.isfinite(time) for time in (known.seconds, known.queued)):
        raise RecordError("the record is not whole: a time in its circumstances is no number")
    return known


def _from_version_0(value: Mapping[str, Any]) -> Record:
    """The flat form, as one of version 1."""
    given = dict(value)
    names = ("prompt", "model", "provider", "space", "seed", "steps", "width", "height")
    run = {name: given[name] for name in names if name in given}
    requested = {
        name: given[key] for name in ("model", "space", "width", "height") if (key := f"requested_{name}") in given
    }
    around = {"flux_magic": given.get("version", UNKNOWN), "started": given.get("started", UNKNOWN)}
    known = {
        "schema": 1,
        "run": run,
        "requested": {"prompt": run.get("prompt"), "seed": run.get("seed"), **requested},
        "files": given.get("files"),
        "circumstances": {**around, "seconds": given.get("seconds")},
    }
    return _from_version_1(checked("record-1", known))


def _members(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a JSON object that are fields of a dataclass."""
    return {field.name: value[field.name] for field in fields(kind) if field.name in value}


@functools.cache
def _validator(name: str) -> Callable[[object], object]:
    import fastjsonschema

    schema = json.loads((_SCHEMAS / f"{name}.json").read_text("utf-8"))
    return fastjsonschema.compile(schema)


def checked(schema: str, value: object) -> Mapping[str, Any]:
    """Return the value if it is valid by one of our schemas; raises RecordError if it is not."""
    import fastjsonschema

    try:
        _validator(schema)(value)
    except fastjsonschema.JsonSchemaValueException as exc:
        said = str(exc.message).replace("data.", "its ", 1).replace("data ", "it ", 1)
        raise RecordError(f"the record is not whole: {said[:200]}") from exc
    assert isinstance(value, Mapping)  # noqa: S101 - so says the schema
    return value


def replay_key(
    *,
    provider: str,
    model: str,
    space: str,
    prompt: str,
    seed: int,
    steps: int,
    width: int,
    height: int,
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """What identifies a request by all that shapes its picture: sha256, 64 hex digits.

    It is taken over canonical JSON (sorted names, no blanks, ASCII) of these: the provider's label, the model's
    canonical name, the Space's identity, the prompt as sent, the sizes as sent. A request with other parameters has
    them as well, as sent.
    """
    shaping = {name: _canonical(value) for name, value in parameters.items() if _shapes_image(name)}
    canonical = json.dumps(
        {
            "provider": provider,
            "model": model,
            "space": space,
            "prompt": prompt,
            "seed": seed,
            "steps": steps,
            "width": width,
            "height": height,
            **({"parameters": shaping} if shaping else {}),
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _shapes_image(name: str) -> bool:
    return name not in ROWS or ROWS[name].shapes_image


def _canonical(value: Any) -> Any:
    """Return a number that has no fraction as an int: JSON of another program may hold 3 for 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def request_of(record: Record) -> ImageRequest:
    """The request that makes this again; raises InvalidRequest where the record holds what none can ask for."""
    return ImageRequest(
        record.prompt,
        record.requested_model,
        record.requested_width,
        record.requested_height,
        record.steps,
        record.seed or 0,
        randomize_seed=record.seed is None,
        typed=record.requested_prompt,
        parameters=record.requested_parameters,
    )


def contradiction(record: Record) -> str:
    """Where what a record says was requested and run cannot both be so, in words; empty where it can."""
    asked = (record.requested_width, record.requested_height)
    if tuple(map(ROWS["width"].round_down, asked)) != (record.width, record.height):
        return f"it asked for {asked[0]}×{asked[1]}, and ran {record.width}×{record.height}"
    if None not in {record.requested_seed, record.seed} and record.requested_seed != record.seed:
        return f"it asked for seed {record.requested_seed}, and ran {record.seed}"
    if record.stand_in != (record.model == STAND_IN):
        return f"{shown(record.model)} is no model of {shown(record.space)}"
    if record.requested_space is not None and not _is_of(record.space, record.requested_space):
        return f"it asked the Space {shown(record.requested_space)}, and was made by {shown(record.space)}"
    return ""


def _is_of(identity: str, space: str) -> bool:
    """Whether a Space's identity is that of the Space of this name."""
    try:
        known = Space.parse(space).identity
    except InvalidRequest:
        return False
    return identity.startswith("local:") if known == "local" else known == identity


def key_of(record: Record) -> str | None:
    """Return the key of the request that made this; None if its seed is not known.

    It has the names by which a Space is asked, which are known beforehand, not what the Hub says of it afterwards.
    """
    if record.seed is None:
        return None
    return replay_key(
        provider=record.key_provider or record.provider,
        model=record.key_model or record.model,
        space=record.space,
        prompt=record.prompt,
        seed=record.seed,
        steps=record.steps,
        width=record.width,
        height=record.height,
        parameters=record.parameters,
    )
