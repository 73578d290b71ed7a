"""An image of a Space that is not the model's own: what its record says, and that it is found again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.images import metadata
from flux_magic.parameters import settings
from flux_magic.providers.gradio import hub
from flux_magic.records import embedding
from flux_magic.records.command import write_command
from flux_magic.records.record import compute_key, compute_replay_key, find_contradiction, parse_record
from flux_magic.records.sent import sanitize
from flux_magic.records.store import Store
from flux_magic.results.generation import Generation
from flux_magic.results.recall import recall
from flux_magic.types import STAND_IN, Record
from flux_magic.verify.verdict import list_differences
from tests.support.hostile import Script, answer_json, run_hostile_beside
from tests.unit.samples import encoded, record
from tests.unit.scripted import Scripted, installed

DEV = "black-forest-labs/FLUX.1-dev"
WENT_ALONG = {"randomize_seed": False, "guidance_scale": 3.5}


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Scripted]:
    """Return a provider of one model with a Space of its own; every Space sends the same values along."""
    for name in ("SPACE", "REPLAY"):
        monkeypatch.delenv(f"FLUX_MAGIC_{name}", raising=False)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    settings.configure_by(dict)
    mine = installed(monkeypatch)

    class Mine(mine):  # type: ignore[valid-type,misc]
        sent: ClassVar[Mapping[str, object]] = WENT_ALONG

    for name, value in (("PROVIDERS", (Mine,)), ("AnySpace", Mine)):
        monkeypatch.setattr(f"flux_magic.providers.registry.{name}", value)
    return Mine


def made(space: str | None = "a/b", **options: Any) -> Generation:
    result = asyncio.run(AsyncClient(space=space).generate("a fox", seed=1, **options))
    assert isinstance(result, Generation)
    return result


def of_before(new: Record) -> Record:
    """Return the same record as an earlier version wrote it: the model that was asked for, whatever the Space."""
    return replace(new, model="scripted-1", provider="Scripted", key_model="", key_provider="", sent={})


@pytest.mark.parametrize(
    ("space", "answer", "drawing", "model", "label"),
    [
        pytest.param(None, {"models": [DEV]}, None, "scripted-1", "Scripted", id="the model's own Space"),
        pytest.param("a/b", {"models": [DEV]}, None, DEV, "Gradio Space", id="the Hub's word"),
        pytest.param("a/b", {"models": [DEV, "x/y"]}, None, "unknown (Space a/b)", "Gradio Space", id="several models"),
        pytest.param("a/b", {}, None, "unknown (Space a/b)", "Gradio Space", id="a Hub that names no model"),
        pytest.param("a/b", None, None, "unknown (Space a/b)", "Gradio Space", id="no Hub"),
        pytest.param(
            "https://own.example/x", None, None, "unknown (Space https://own.example/x)", "Gradio Space", id="a URL"
        ),
        pytest.param("http://127.0.0.1:9", {"models": [DEV]}, "3", STAND_IN, "Scripted", id="the stand-in"),
    ],
)
def test_each_space_is_recorded_by_what_somebody_told_and_found_again(
    provider: type[Scripted],
    monkeypatch: pytest.MonkeyPatch,
    space: str | None,
    answer: Mapping[str, Any] | None,
    drawing: str | None,
    model: str,
    label: str,
) -> None:
    provider.drawing = drawing
    script: dict[str, Script] = {} if answer is None else {"stage": answer_json(answer)}
    with run_hostile_beside(prefix="/api/spaces", **script) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        first = made(space)
    new = first.record
    assert (new.model, new.provider) == (model, label)
    assert new.sent == ({} if drawing else WENT_ALONG)
    assert parse_record(json.loads(json.dumps(new.as_dict()))) == new
    assert find_contradiction(new) == ""
    # The key has the names by which it was asked, as it always had, whatever the Hub says.
    assert compute_key(new) == compute_key(of_before(new) if not drawing else new)
    assert compute_key(new) == compute_replay_key(
        provider="Scripted",
        model=STAND_IN if drawing else "scripted-1",
        space=new.space,
        prompt="a fox",
        seed=1,
        steps=2,
        width=768,
        height=768,
    )
    monkeypatch.setattr(hub, "_answers", {})
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    again = made(space)
    assert (again.replayed, again.record.model) == (True, model)
    if not drawing:  # a Space that is not asked does not say that it is a stand-in of an older drawing
        assert made(space, replay="only").record == again.record


def test_an_image_of_before_is_replayed_with_its_own_words(tmp_path: Path) -> None:
    old = of_before(made(store=False).record)
    Store(tmp_path / "store").put(old, [encoded()])
    again = made(replay="only")
    assert (again.replayed, again.record.model, again.record.provider) == (True, "scripted-1", "Scripted")


def test_what_is_shown_and_embedded_says_the_same(tmp_path: Path) -> None:
    fox = made()
    shown = fox.build_outputs()[1].data
    for kind in ("text/plain", "text/html"):
        assert "unknown (Space a/b)" in shown[kind]
        assert "scripted-1" not in shown[kind]
    assert "sent    randomize_seed=false, guidance_scale=3.5" in shown["text/plain"]
    (path,) = fox.save(tmp_path / "fox.png")
    inside = metadata.read(path.read_bytes())
    assert "Model: unknown (Space a/b)," in inside.parameters
    assert "AISystemUsed>unknown (Space a/b)<" in inside.xmp
    assert "trainedAlgorithmicMedia" in inside.xmp, "that a machine made it is known"
    carried = embedding.read(path.read_bytes())
    assert carried is not None
    assert carried.record == fox.record
    said = recall(path)
    assert said.cell == write_command(fox.record) == "%%flux --steps 2 --seed 1 --size 768x768 --space a/b\na fox"
    assert "guidance_scale=3.5" in said.describe()


BEFORE = record(model="scripted-1", provider="Scripted", space="hf:a/b", requested_space="a/b")
UNKNOWN_ONE = replace(BEFORE, model="unknown (Space a/b)", key_model="scripted-1", key_provider="Scripted")
TOLD_ONE = replace(UNKNOWN_ONE, model=DEV, sent={"guidance_scale": 3.5, "old": 1})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(BEFORE, UNKNOWN_ONE, [], id="of before, now unknown"),
        pytest.param(BEFORE, TOLD_ONE, [], id="of before, now told"),
        pytest.param(UNKNOWN_ONE, TOLD_ONE, [], id="unknown, now told"),
        pytest.param(TOLD_ONE, replace(TOLD_ONE, model="x/y"), [f"model: {DEV} -> x/y"], id="another model"),
        pytest.param(
            TOLD_ONE,
            replace(TOLD_ONE, sent={"guidance_scale": 4, "new": "a"}),
            [
                "the Space's guidance_scale was 3.5, is 4",
                "the Space's old was 1, is not sent",
                'the Space\'s new was not sent, is "a"',
            ],
            id="other defaults",
        ),
    ],
)
def test_verify_names_what_differs_and_was_told(old: Record, new: Record, says: list[str]) -> None:
    assert list_differences(old, new) == says


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("guidance_scale", 3.5, 3.5),
        ("aspect", "1024x1024 ( 1:1 )", "1024x1024 ( 1:1 )"),
        ("gallery", None, None),
        ("sizes", (1, "a", [True]), [1, "a", [True]]),
        ("max_tokens", 512, 512),
        ("hf_token", "", ""),
        ("hf_token", "whatever", "***"),
        ("API-Key", "whatever", "***"),
        ("openai_api_key", ["whatever"], "***"),
        ("state", {"password": "whatever", "a": 1}, {"password": "***", "a": 1}),
        ("note", "it is hf_abcdefgh", "it is ***"),
        ("note", "it is sk-abcdefghijklmnopqrstuv", "it is ***"),
        ("lora", "https://u:secret@h.example/a?sig=secret#x", "https://***@h.example/a"),
        ("image", {"path": "/tmp/gradio/fox.png", "url": None}, "(a file)"),
        ("image", "/home/me/fox.png", "(a path)"),
        ("image", r"C:\fox.png", "(a path)"),
        ("image", "data:image/png;base64,AAAA", "(a file)"),
        ("text", "x" * 501, "(501 characters)"),
        ("number", float("nan"), "(nan)"),
        ("number", 10**400, "(left out)"),
        ("number", object(), "(left out)"),
        ("list", [0] * 51, "(left out)"),
        ("list", deep(9), [[[["(left out)"]]]]),
    ],
)
def test_a_value_is_recorded_short_and_without_a_secret(name: str, value: object, kept: object) -> None:
    assert sanitize({name: value}) == {name: kept}
    assert sanitize({name: kept}) == {name: kept}, "a record that is read is as it was"


def test_many_values_take_no_more_than_8_kib() -> None:
    kept = sanitize({"guidance_scale": 3.5} | {f"text_{number}": "é" * 400 for number in range(200)})
    assert len(json.dumps(kept)) <= 8192
    assert kept["guidance_scale"] == 3.5
    assert sanitize({f"{'x' * 300}{number}": "a" for number in range(99)}) != {}
