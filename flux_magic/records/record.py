"""Records as JSON, and the key that identifies a request, so that its image can be found again.

Each version of the JSON has a JSON Schema in `flux_magic/records/schemas`, and stays readable. Version 0 is how
notebooks were saved before there was a schema: one flat object.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ..errors import InvalidRequest, RecordError, format_count, show_value
from ..images.bounded_json import parse_json
from ..images.formats import MEDIA_TYPES, READ
from ..parameters.addresses import Space
from ..parameters.table import ROWS, SIDES, Values, round_values
from ..types import (
    RECORD_VERSION,
    STAND_IN,
    UNKNOWN,
    Circumstances,
    Copy,
    FileRecord,
    ImageRequest,
    InputRecord,
    Record,
)
from .sent import sanitize

_SCHEMAS: Final = Path(__file__).with_name("schemas")


@functools.cache
def get_version() -> str:
    """Return this package's version. Cached, since finding it takes a millisecond and importing the finder five."""
    from importlib.metadata import version

    return version("flux-magic")


@dataclass(frozen=True, slots=True)
class Carried:
    """The metadata of one copy of an image: its record, and the copy's checksums when it was written.

    `copy` is None if nothing was embedded, as with a link.
    """

    record: Record
    copy: Copy | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, by the schema `carried-1`."""
        copy = {} if self.copy is None else {"copy": asdict(self.copy)}
        return {"record": self.record.as_dict(), **copy}


def parse_record(value: object) -> Record:
    """Return the record in JSON of any version; unknown members are left out.

    Raises RecordError if it is none, and says what is wrong with it.
    """
    if isinstance(value, Mapping) and "schema" not in value and "provider" in value:
        return _read_version_0(value)
    version = value.get("schema") if isinstance(value, Mapping) else None
    if isinstance(version, int) and version > RECORD_VERSION:
        says = f"the record is of version {show_value(version)}: this flux_magic reads up to {RECORD_VERSION}"
        raise RecordError(says, _UPGRADE)
    return _read_version_1(check_schema("record-1", value))


_SHEET = "The cell of each is in its own file, and below the sheet in its notebook; flux-magic verify checks them."
_UPGRADE = "Install a newer one: pip install --upgrade flux-magic"


def parse_carried(value: object) -> Carried:
    """Return the record and the copy in a notebook's metadata or an image's text; raises RecordError."""
    if isinstance(value, Mapping) and isinstance(value.get("sheet"), list) and "record" not in value:
        raise RecordError(
            f"this is a sheet of {format_count(len(value['sheet']), 'image')}, each with a record of its own", _SHEET
        )
    known = check_schema("carried-1", value)
    copy, record = known.get("copy"), parse_record(known["record"])
    if copy is None:
        return Carried(record)
    copy = _pick_members(Copy, copy) | {"file": int(copy["file"])}
    if copy["file"] >= len(record.files):
        raise RecordError(f"the record is not whole: it has no file {show_value(copy['file'])}")
    return Carried(record, Copy(**copy))


def load_json(text: str | bytes) -> Any:
    """Parse JSON; raises RecordError if it is not JSON."""
    try:
        return parse_json(text, parse_constant=_refuse_constant)
    except ValueError as exc:
        raise RecordError(f"the record is no JSON: {exc}") from exc


def _refuse_constant(name: str) -> None:
    """Refuse NaN and infinities, which Python writes and reads, but JSON does not have."""
    raise ValueError(f"{name} is no number")


def _read_version_1(value: Mapping[str, Any]) -> Record:
    requested, run, around = value["requested"], value["run"], value.get("circumstances", {})
    key = run.get("key", {})
    return Record(
        prompt=run["prompt"],
        model=run["model"],
        provider=run["provider"],
        space=run["space"],
        seed=_read_count(run["seed"]),
        steps=_read_count(run["steps"]),
        width=_read_count(run["width"]),
        height=_read_count(run["height"]),
        requested_prompt=requested["prompt"],
        requested_model=requested["model"],
        requested_space=requested.get("space"),
        requested_seed=_read_count(requested.get("seed")),
        requested_width=_read_count(requested["width"]),
        requested_height=_read_count(requested["height"]),
        files=tuple(_read_file(file) for file in value["files"]),
        circumstances=_read_circumstances({**around, "version": around.get("flux_magic", UNKNOWN)}),
        sent=sanitize(run.get("sent", {})),
        key_provider=key.get("provider", ""),
        key_model=key.get("model", ""),
        parameters=Values(run.get("parameters")),
        requested_parameters=Values(requested.get("parameters")),
        requested_steps=_read_count(requested.get("steps", run["steps"])),
        images=tuple(InputRecord(**_pick_members(InputRecord, one)) for one in run.get("images", ())),
        rewrites=tuple(run.get("rewrites", ())),
        requested_provider=requested.get("provider", ""),
    )


def _read_count(value: float | None) -> int | None:
    """Return an integer of JSON, in which 8.0 is one too."""
    return None if value is None else int(value)


def _read_file(value: Mapping[str, Any]) -> FileRecord:
    """Convert a file's entry. To the schema 8.0 is an integer too, and any format is valid for later versions."""
    if value["media_type"] not in MEDIA_TYPES.values():
        raise RecordError(
            f"the record is of a file of type {show_value(value['media_type'])}: this flux_magic reads {READ}", _UPGRADE
        )
    whole = {"width": int(value["width"]), "height": int(value["height"])}
    return FileRecord(**_pick_members(FileRecord, value) | whole)


def _read_circumstances(value: Mapping[str, Any]) -> Circumstances:
    known = Circumstances(**_pick_members(Circumstances, value))
    if any(isinstance(time, float) and not math.isfinite(time) for time in (known.seconds, known.queued)):
        raise RecordError("the record is not whole: a time in its circumstances is no number")
    return known


def _read_version_0(value: Mapping[str, Any]) -> Record:
    """Convert the flat form to one of version 1."""
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
    return _read_version_1(check_schema("record-1", known))


def _pick_members(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a JSON object that are fields of a dataclass."""
    return {field.name: value[field.name] for field in fields(kind) if field.name in value}


@functools.cache
def _load_validator(name: str) -> Callable[[object], object]:
    import fastjsonschema

    schema = json.loads((_SCHEMAS / f"{name}.json").read_text("utf-8"))
    return fastjsonschema.compile(schema)


def check_schema(schema: str, value: object) -> Mapping[str, Any]:
    """Return the value if it is valid by one of our schemas; raises RecordError if it is not."""
    import fastjsonschema

    try:
        _load_validator(schema)(value)
    except fastjsonschema.JsonSchemaValueException as exc:
        said = str(exc.message).replace("data.", "its ", 1).replace("data ", "it ", 1)
        raise RecordError(f"the record is not whole: {said[:200]}") from exc
    assert isinstance(value, Mapping)  # noqa: S101 - so says the schema
    return value


def compute_replay_key(
    *,
    provider: str,
    model: str,
    space: str,
    prompt: str,
    seed: int,
    steps: int | None,
    width: int | None,
    height: int | None,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    images: Sequence[InputRecord] = (),
) -> str:
    """Return the key of a request, from everything that shapes its image: sha256, 64 hex digits.

    It is taken over canonical JSON (sorted names, no spaces, ASCII) of these: the provider's label, the model's
    canonical name, the Space's identity, the prompt as sent, the sizes as sent. A request with other parameters has
    them as well, and one with images their roles and digests. Steps and sizes that are left to the model are null.
    """
    shaping = {name: _make_canonical(value) for name, value in parameters.items() if _shapes_image(name)}
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
            **({"images": [[one.role, one.digest] for one in images]} if images else {}),
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _shapes_image(name: str) -> bool:
    return name not in ROWS or ROWS[name].shapes_image


def _make_canonical(value: Any) -> Any:
    """Return a number that has no fraction as an int: JSON of another program may hold 3 for 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def build_request(record: Record) -> ImageRequest:
    """Return the request that makes this again, with all that was sent, but without its images.

    Raises InvalidRequest if the record's values are not allowed.
    """
    return ImageRequest(
        record.prompt,
        record.requested_model,
        record.width if record.requested_width is None else record.requested_width,
        record.height if record.requested_height is None else record.requested_height,
        record.steps,
        record.seed or 0,
        randomize_seed=record.seed is None,
        typed=record.requested_prompt,
        parameters=get_parameters(record),
    )


def get_parameters(record: Record) -> dict[str, Any]:
    """Return the parameters that a record's cell names: all that were sent, those asked for as they were asked for."""
    asked = record.requested_parameters
    return {name: asked.get(name, value) for name, value in record.parameters.items()}


def find_contradiction(record: Record) -> str:
    """Return how the requested and used values of a record contradict each other, in words; empty if they do not."""
    asked = (record.requested_width, record.requested_height)
    sent = (ROWS["width"].round_down(one) for one in asked)
    ran = (record.width, record.height)
    if any(None not in {one, other} and one != other for one, other in zip(sent, ran, strict=True)):
        return f"it asked for {asked[0]}×{asked[1]}, and ran {record.width}×{record.height}"
    if None not in {record.requested_seed, record.seed} and record.requested_seed != record.seed:
        return f"it asked for seed {record.requested_seed}, and ran {record.seed}"
    if record.stand_in != (record.model == STAND_IN):
        return f"{show_value(record.model)} is no model of {show_value(record.space)}"
    if record.requested_space is not None and not _is_of(record.space, record.requested_space):
        return f"it asked the Space {show_value(record.requested_space)}, and was made by {show_value(record.space)}"
    return ""


def _is_of(identity: str, space: str) -> bool:
    """Return True if a Space's identity is that of the Space with this name."""
    try:
        known = Space.parse(space).identity
    except InvalidRequest:
        return False
    return identity.startswith("local:") if known == "local" else known == identity


def compute_key(record: Record) -> str | None:
    """Return the key of the request that made this, over what was asked for; None if its seed is not known.

    It has the names by which a Space is asked, which are known beforehand, not what the Hub says of it afterwards.
    """
    return next(iter(compute_keys(record)), None)


def compute_keys(record: Record) -> tuple[str, ...]:
    """Return the keys by which a stored image is found: over what was asked for, and over all that was sent.

    The second is that of the record's cell. It is left out if it is the first; there are none without a seed.
    """
    if record.seed is None:
        return ()
    seed, asked = record.seed, round_values(record.requested_parameters)

    def compute(steps: int | None, width: int | None, height: int | None, parameters: Mapping[str, Any]) -> str:
        return compute_replay_key(
            provider=record.key_provider or record.provider,
            model=record.key_model or record.model,
            space=record.space,
            prompt=record.prompt,
            seed=seed,
            steps=steps,
            width=width,
            height=height,
            parameters=parameters,
            images=record.images,
        )

    def find_asked(name: str) -> int | None:
        asked_for: int | None = getattr(record, f"requested_{name}")
        ran: int | None = getattr(record, name)
        if asked_for is None:
            return None
        # The provider may have left it out of the request.
        return int(ROWS[name].round_down(asked_for)) if ran is None else ran

    sent = (record.steps, record.width, record.height)
    steps, width, height = (find_asked(name) for name in ("steps", *SIDES))
    return tuple(dict.fromkeys([compute(steps, width, height, asked), compute(*sent, record.parameters)]))
