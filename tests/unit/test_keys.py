"""Replay keys and records of version 1, as they were computed and written before there was a version 2."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from flux_magic.client import replay
from flux_magic.client.target import resolve_target
from flux_magic.errors import NotInStore
from flux_magic.images import metadata
from flux_magic.parameters.settings import resolve
from flux_magic.providers import local
from flux_magic.records import record
from flux_magic.records.record import compute_key, load_json, parse_carried, parse_record
from flux_magic.sweeps.requests import build_requests

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "tests/data/records"
KNOWN = json.loads((RECORDS / "keys-1.json").read_text("utf-8"))
"""Computed by the code of before: a hundred requests with the keys that the store is asked for, in their order."""


def test_a_hundred_replay_keys_stay_what_they_were(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys: list[str] = []
    compute = record.compute_replay_key

    def listen(**values: Any) -> str:
        keys.append(compute(**values))
        return keys[-1]

    monkeypatch.setattr(replay, "compute_replay_key", listen)
    monkeypatch.setattr(local, "read_drawing", lambda: "1")
    changed = []
    for row in KNOWN["requests"]:
        keys.clear()
        settings = resolve(**row["options"], replay="only", store=tmp_path)
        (request,) = build_requests(row["prompt"], settings)
        with pytest.raises(NotInStore):
            asyncio.run(replay.Replay(request, resolve_target(settings, request.model)).find_or_raise())
        if keys != row["keys"]:
            changed.append(row)
    assert len(KNOWN["requests"]) == 100
    assert changed == []


@pytest.mark.parametrize("row", KNOWN["records"], ids=[row["record"] for row in KNOWN["records"]])
def test_a_record_of_versions_0_and_1_is_written_as_it_was(row: dict[str, Any]) -> None:
    made = parse_record(json.loads((RECORDS / f"{row['record']}.json").read_text("utf-8")))
    assert json.dumps(made.as_dict(), separators=(",", ":")) == row["written"]
    assert compute_key(made) == row["key"]


def test_the_records_in_the_tutorials_images_are_written_byte_for_byte_as_they_were_read() -> None:
    images = sorted((ROOT / "notebooks/flux_images").glob("*.webp"))
    assert images
    for path in images:
        text = metadata.read(path.read_bytes()).record
        assert json.dumps(parse_carried(load_json(text)).as_dict(), separators=(",", ":")) == text, path.name
