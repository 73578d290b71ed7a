"""The record as JSON: what is written, what is read forever, and what identifies a request."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastjsonschema
import jsonschema  # type: ignore[import-untyped]  # it ships none
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flux_magic
from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import FluxError, RecordError
from flux_magic.parameters.table import MAX_SEED
from flux_magic.records.record import Carried, compute_key, compute_replay_key, load_json, parse_carried, parse_record
from flux_magic.records.sent import sanitize
from flux_magic.results.generation import Generation
from flux_magic.types import UNKNOWN, Circumstances, Copy, FileRecord, Record
from tests.unit.samples import FILE, RECORD, record
from tests.unit.scripted import Scripted, answer, installed

SAMPLES = Path(__file__).parents[1] / "data" / "records"
SCHEMAS = Path(flux_magic.__file__).parent / "records" / "schemas"
GONE = object()


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def changed(value: Any, path: str, to: object) -> Any:
    """Return a copy of JSON with one member another, or GONE."""
    made = copy.deepcopy(value)
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    inner = made
    for step in way:
        inner = inner[step]
    if to is GONE:
        del inner[last]
    else:
        inner[last] = to
    return made


def as_json(text: str) -> str:
    """Return two halves of a character that stand side by side are that character, once they went through JSON."""
    return str(json.loads(json.dumps(text)))


TEXTS = st.one_of(st.text(min_size=1), st.text(st.characters(codec=None), min_size=1)).map(as_json)
PIXELS = st.integers(8, 10**6)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
SEEDS = st.none() | st.integers(0, MAX_SEED)
TIMES = st.none() | st.floats(0, 10**9)
FILES = st.builds(
    FileRecord,
    st.sampled_from(["image/png", "image/jpeg", "image/webp"]),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    DIGESTS,
    DIGESTS,
)
COPIES = st.builds(Copy, st.just(0), st.just("image/jpeg"), DIGESTS, DIGESTS)
RECORDS = st.builds(
    Record,
    prompt=TEXTS,
    model=TEXTS,
    provider=TEXTS,
    space=TEXTS,
    seed=SEEDS,
    steps=st.integers(1, 10**6),
    width=PIXELS,
    height=PIXELS,
    requested_prompt=TEXTS,
    requested_model=TEXTS | st.just(""),
    requested_space=st.none() | TEXTS,
    requested_seed=SEEDS,
    requested_width=PIXELS,
    requested_height=PIXELS,
    files=st.lists(FILES, min_size=1, max_size=3).map(tuple),
    circumstances=st.builds(
        Circumstances, *[TEXTS] * 6, st.dictionaries(TEXTS, TEXTS, max_size=2), TEXTS, TIMES, TIMES
    ),
    sent=st.dictionaries(st.text(max_size=80), st.text() | st.floats() | st.booleans()).map(sanitize),
    rewrites=st.lists(TEXTS.map(lambda text: text[:80]), max_size=2).map(tuple),
    requested_provider=st.sampled_from(["", "diffusers", "inference:together"]),
)


@given(RECORDS, st.none() | COPIES)
def test_any_record_is_valid_by_the_shipped_schemas_and_is_read_as_it_was(made: Record, embedded: Copy | None) -> None:
    written = json.loads(json.dumps(Carried(made, embedded).as_dict()))
    for name, value in {"record-1": written["record"], "carried-1": written}.items():
        jsonschema.Draft7Validator(schema(name)).validate(value)
        fastjsonschema.validate(schema(name), value)
    assert parse_record(written["record"]) == made
    assert parse_carried(written) == Carried(made, embedded)


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.json")))
def test_the_shipped_schemas_are_schemas_themselves(name: str) -> None:
    made = schema(name)
    jsonschema.Draft7Validator.check_schema(made)
    assert made["$schema"] == "http://json-schema.org/draft-07/schema#"


TWICE = (
    FileRecord("image/webp", 1024, 768, "0123456789abcdef" * 4, "fedcba9876543210" * 4),
    FileRecord("image/jpeg", 512, 384, "00112233445566778899aabbccddeeff" * 2, "ffeeddccbbaa99887766554433221100" * 2),
)
WHOLE = Record(
    prompt="a red fox in the snow \ud800",
    model="black-forest-labs-flux-1-schnell",
    provider="BlackForestLabs Flux-1-Schnell",
    space="hf:owner/name",
    seed=MAX_SEED,
    steps=4,
    width=1024,
    height=768,
    requested_prompt="a red fox in {place} \ud800",
    requested_model="flux",
    requested_space="owner/name",
    requested_seed=None,
    requested_width=1025,
    requested_height=768,
    files=TWICE,
    circumstances=Circumstances(
        version="0.2.0",
        gradio="6.31.0",
        decoder="Pillow 12.3.0, libwebp 1.6.0",
        space_commit="0123456789abcdef0123456789abcdef01234567",
        started="2026-01-02T03:04:05+00:00",
        seconds=3.25,
        queued=0.5,
    ),
)
LEAST = Record(
    prompt="a fox",
    model="m",
    provider="p",
    space="https://space.example/a",
    seed=None,
    steps=1,
    width=8,
    height=8,
    requested_prompt="a fox",
    requested_model="",
    requested_space=None,
    requested_seed=None,
    requested_width=8,
    requested_height=8,
    files=(FileRecord("image/png", 1, 1, "0" * 64, "f" * 64),),
)
FIRST = replace(
    WHOLE,
    prompt="ein Fuchs – \U0001f98a\nim Schnee",
    requested_prompt="ein Fuchs – \U0001f98a\nim Schnee",
    space="hf:black-forest-labs/FLUX.1-schnell",
    requested_space=None,
    seed=0,
    requested_seed=0,
    files=TWICE[:1],
    circumstances=Circumstances("0.1.0", started="2026-01-02T03:04:05+00:00", seconds=1.25),
)
TIDIED = Record(
    prompt="a red fox in the morning mist",
    model="flux_magic stand-in",
    provider="BlackForestLabs Flux-1-Schnell",
    space="local:1",
    seed=42,
    steps=4,
    width=768,
    height=768,
    requested_prompt="a red fox in the morning mist",
    requested_model="flux",
    requested_space="local",
    requested_seed=42,
    requested_width=768,
    requested_height=768,
    files=(
        FileRecord(
            "image/webp",
            768,
            768,
            "fa362ad64e4586a31d2b71afd65d34a19dc2a29dc2bb09d6e0e1bd55c3024c4b",
            "767025c95cc712ae4b97a885650fab3a1b34da5aa0b68bb9e66d8e063921030f",
        ),
    ),
    circumstances=Circumstances("0.1.0"),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("version-0", FIRST, id="version 0"),
        pytest.param("version-0-tidied", TIDIED, id="version 0 of a tutorial"),
        pytest.param("version-1", WHOLE, id="version 1"),
        pytest.param("version-1-least", LEAST, id="version 1 with no more than there must be"),
    ],
)
def test_a_record_of_any_version_is_read_for_ever(name: str, expected: Record) -> None:
    """Return the samples are as they were written once, and are never written again."""
    assert parse_record(sample(name)) == expected


def test_what_a_picture_carried_is_read_for_ever() -> None:
    assert parse_carried(sample("carried-1")) == Carried(WHOLE, Copy(1, "image/png", "a" * 64, "b" * 64))
    assert parse_carried({"record": sample("version-0")}) == Carried(FIRST)


@pytest.mark.parametrize("name", ["version-1", "version-1-least"])
def test_the_samples_are_valid_by_the_schema(name: str) -> None:
    jsonschema.Draft7Validator(schema("record-1")).validate(sample(name))


@pytest.mark.parametrize("path", ["new", "requested.new", "run.new", "files.0.new", "circumstances.new"])
def test_members_of_a_later_day_are_left_out(path: str) -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    assert parse_record(changed(sample("version-1"), path, deep)) == WHOLE


def test_a_later_version_is_refused_and_says_what_to_install() -> None:
    with pytest.raises(RecordError, match=r"^the record is of version 3: this flux_magic reads up to 2\n") as caught:
        parse_record({"schema": 3, "all": "is new"})
    assert caught.value.hint == "Install a newer one: pip install --upgrade flux-magic"
    with pytest.raises(RecordError, match="of version a number with very many digits: this flux_magic reads up to 2"):
        parse_record({"schema": 10**5000})


DAMAGE: list[Any] = [
    pytest.param("schema", GONE, "it must contain ['schema'] properties", id="no version"),
    pytest.param("schema", "1", "its schema must be", id="version as a text"),
    pytest.param("schema", 0, "its schema must be", id="version 0 in the form of 1"),
    pytest.param("schema", True, "its schema must be", id="version true"),
    pytest.param("run", GONE, "it must contain ['run']", id="no run"),
    pytest.param("run.seed", GONE, "its run must contain ['seed']", id="no seed"),
    pytest.param("run.seed", -1, "its run.seed must be bigger than or equal to 0", id="negative seed"),
    pytest.param("run.seed", MAX_SEED + 1, "its run.seed must be smaller", id="large seed"),
    pytest.param("run.seed", "42", "its run.seed must be integer or null", id="seed as a text"),
    pytest.param("run.seed", True, "its run.seed must be integer or null", id="seed true"),
    pytest.param("run.seed", 4.5, "its run.seed must be integer or null", id="half a seed"),
    pytest.param("run.seed", float("nan"), "its run.seed must be integer or null", id="seed NaN"),
    pytest.param("run.prompt", "", "its run.prompt must be longer", id="empty prompt"),
    pytest.param("run.prompt", None, "its run.prompt must be string", id="no prompt"),
    pytest.param("run.steps", 0, "its run.steps must be bigger", id="no steps"),
    pytest.param("run.width", 7, "its run.width must be bigger", id="too narrow"),
    pytest.param("requested.height", False, "its requested.height must be integer", id="height false"),
    pytest.param("requested.space", 3, "its requested.space must be string or null", id="Space is a number"),
    pytest.param("files", [], "its files must contain at least 1 items", id="no files"),
    pytest.param("files", {}, "its files must be array", id="files no list"),
    pytest.param("files.0", "fox.png", "its files[0] must be object", id="file no object"),
    pytest.param("files.1.media_type", "video/mp4", "its files[1].media_type must match pattern", id="another type"),
    pytest.param("files.0.digest", "A" * 64, "its files[0].digest must match pattern", id="no digest"),
    pytest.param("files.0.sha256", "a" * 64 + "\n", "its files[0].sha256 must match pattern", id="a line end"),
    pytest.param("circumstances.gradio", 6, "its circumstances.gradio must be string", id="version is a number"),
    pytest.param("circumstances.seconds", "1", "its circumstances.seconds must be number", id="time as a text"),
    pytest.param("circumstances.seconds", float("nan"), "a time in its circumstances is no number", id="time NaN"),
    pytest.param("circumstances.queued", float("inf"), "a time in its circumstances is no number", id="time endless"),
    pytest.param("circumstances", None, "its circumstances must be object", id="circumstances null"),
    pytest.param("run.sent", [3.5], "its run.sent must be object", id="sent no object"),
    pytest.param("run.key", {"model": "m"}, "its run.key must contain", id="half a key"),
]


def one_line(error: FluxError) -> str:
    assert "\n" not in error.message
    assert len(error.message) < 300
    return error.message


VERSION_0 = ["seed", "files", "prompt", "space", "requested_width", "requested_model"]
NO_RECORDS: list[Any] = [None, 3, "x", [], [1], {}, {"provider": 3}]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        *(
            pytest.param(changed(sample("version-1"), path, to), says, id=str(one.id))
            for one in DAMAGE
            for path, to, says in [one.values]
        ),
        *(pytest.param(changed(sample("version-0"), path, GONE), "", id=f"version 0, no {path}") for path in VERSION_0),
        *(pytest.param(value, "", id=repr(value)) for value in NO_RECORDS),
    ],
)
def test_whatever_is_damaged_is_one_clear_line(value: object, says: str) -> None:
    with pytest.raises(RecordError, match=r"^the record is not whole: ") as caught:
        parse_record(value)
    assert says in one_line(caught.value)


NOT_IN_JSON = {"seed NaN", "time NaN", "time endless"}
PYTHONS_OWN = {"a line end"}
"""Python's `$` lets one pass, and so does this library; that of other languages does not."""


@pytest.mark.parametrize(("path", "to", "_says"), [one for one in DAMAGE if one.id not in NOT_IN_JSON | PYTHONS_OWN])
def test_what_is_refused_is_not_valid_by_the_schema(path: str, to: object, _says: str) -> None:
    assert not jsonschema.Draft7Validator(schema("record-1")).is_valid(changed(sample("version-1"), path, to))


@pytest.mark.parametrize("kind", ["image/heic", "image/svg+xml"])
def test_a_record_of_a_file_that_a_later_version_may_read_says_what_this_one_reads(kind: str) -> None:
    with pytest.raises(RecordError, match="this flux_magic reads PNG, JPEG, WebP, GIF or AVIF") as caught:
        parse_record(changed(sample("version-1"), "files.1.media_type", kind))
    assert caught.value.hint == "Install a newer one: pip install --upgrade flux-magic"


@pytest.mark.parametrize(
    ("path", "to", "says"),
    [
        pytest.param("record", GONE, "must contain ['record']", id="no record"),
        pytest.param("record", "x", "its record must be object", id="record is a text"),
        pytest.param("record.run", GONE, "must contain ['run']", id="a damaged record"),
        pytest.param("copy.file", 2, "it has no file 2", id="no such file"),
        pytest.param("copy.file", 2.0, "it has no file 2", id="no such file, as a float"),
        pytest.param("copy.file", -1, "its copy.file must be", id="file -1"),
        pytest.param("copy.file", True, "its copy.file must be integer", id="file true"),
        pytest.param("copy", None, "its copy must be object", id="copy null"),
        pytest.param("copy.sha256", GONE, "must contain ['sha256']", id="no sha256"),
    ],
)
def test_what_goes_along_with_a_copy_is_checked(path: str, to: object, says: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_carried(changed(sample("carried-1"), path, to))
    assert says in one_line(caught.value)


def test_whole_numbers_are_whole_however_they_are_written() -> None:
    floats = json.loads(json.dumps(sample("carried-1")), parse_int=float)
    read = parse_carried(changed(floats, "record.schema", 1))
    assert repr(read) == repr(parse_carried(sample("carried-1")))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param('{"seed": NaN}', id="NaN"),
        pytest.param('{"seed": -Infinity}', id="infinity"),
        pytest.param("[" * 200_000, id="nested"),
        pytest.param('{"a":' * 200_000, id="nested objects"),
        pytest.param(f'{{"seed": {"9" * 5000}}}', id="digits"),
        pytest.param("{} {}", id="two"),
    ],
)
def test_what_is_no_json_is_one_clear_line(text: str | bytes) -> None:
    with pytest.raises(RecordError, match=r"^the record is no JSON: .") as caught:
        load_json(text)
    one_line(caught.value)


def made_with(monkeypatch: pytest.MonkeyPatch, provider: Callable[[type[Scripted]], object], **options: Any) -> str:
    """Return the JSON of a record that was made with these settings."""
    provider(installed(monkeypatch))
    made = asyncio.run(AsyncClient().generate("a fox", seed=1, **options))
    assert isinstance(made, Generation)
    return json.dumps(Carried(made.record).as_dict())


def test_no_secret_no_proxy_and_no_path_is_in_a_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    secrets = {"token": "hf_secretsecret", "proxy": "http://user:password@proxy.example:3128"}
    text = made_with(monkeypatch, lambda _: None, timeout=77, store=str(tmp_path / "store"), **secrets)
    for secret in ("hf_", "password", "proxy.example", "3128", "77", str(tmp_path), str(Path.home()), "127.0.0.1"):
        assert secret not in text


def test_a_local_space_leaves_no_address_in_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(provider: type[Scripted]) -> None:
        provider.drawing = "3"
        provider.script = [answer()]

    text = made_with(monkeypatch, drawn, space="http://127.0.0.1:54321/")
    assert "127.0.0.1" not in text
    assert "54321" not in text
    assert '"space": "local:3"' in text


def key(**changes: Any) -> str:
    names = ("provider", "model", "space", "prompt", "seed", "steps", "width", "height")
    return compute_replay_key(**{name: getattr(RECORD, name) for name in names} | changes)


def test_the_key_is_the_sha256_of_canonical_json() -> None:
    canonical = (
        '{"height":192,"model":"black-forest-labs-flux-1-schnell",'
        '"prompt":"a r\\u00e9d \\ud83e\\udd8a \\ud800 \\"fox\\"","provider":"Scripted","seed":42,'
        '"space":"hf:black-forest-labs/FLUX.1-schnell","steps":4,"width":256}'
    )
    assert key(prompt='a réd \U0001f98a \ud800 "fox"') == hashlib.sha256(canonical.encode("ascii")).hexdigest()


def test_the_key_stays_what_it_is_or_no_image_is_found_again() -> None:
    assert key() == "25c422d333a8e8480c915cc317abd20a362f38bb137b1911aba155cbd6aebaf5"
    assert compute_key(RECORD) == key()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider", "Another"),
        ("model", "flux_magic stand-in"),
        ("space", "local:1"),
        ("prompt", "a red fox "),
        ("seed", 43),
        ("steps", 5),
        ("width", 264),
        ("height", 256),
    ],
)
def test_whatever_shapes_the_picture_is_in_the_key(name: str, value: object) -> None:
    assert key(**{name: value}) != key()
    assert compute_key(record(**{name: value})) == key(**{name: value})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"requested_width": 259, "requested_height": 199}, id="the size as asked for"),
        pytest.param({"requested_prompt": "a red {animal}"}, id="the prompt as typed"),
        pytest.param({"requested_model": "schnell", "requested_space": "x"}, id="names as asked for"),
        pytest.param({"requested_seed": None}, id="how the seed came"),
        pytest.param({"version": "9", "started": "later", "seconds": 99.0}, id="circumstances"),
        pytest.param({"files": (replace(FILE, digest="b" * 64),)}, id="what came back"),
    ],
)
def test_what_does_not_shape_the_picture_is_not_in_the_key(changes: dict[str, Any]) -> None:
    assert compute_key(record(**changes)) == key()


def test_what_has_no_known_seed_has_no_key() -> None:
    assert compute_key(record(seed=None)) is None


def test_what_nobody_tells_is_unknown() -> None:
    assert parse_record(sample("version-1-least")).circumstances == Circumstances()
    assert Circumstances().gradio == UNKNOWN
