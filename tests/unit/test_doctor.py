"""What the doctor says of this machine."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from flux_magic.client.doctor import examine
from flux_magic.parameters.settings import resolve


def found(**options: Any) -> dict[str, str]:
    return asyncio.run(examine(resolve(replay="only", **options))).rows


def test_a_store_that_is_not_there_yet_can_be_written(tmp_path: Path) -> None:
    rows = found(store=tmp_path / "not" / "yet")
    assert re.fullmatch(rf"{tmp_path}/not/yet: can be written, \d+\.\d GiB free", rows["store"])
    assert "shared store" not in rows
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("store", "said"),
    [
        pytest.param("/proc/no/store", "/proc/no/store: cannot be written: ", id="a folder that takes nothing"),
        pytest.param(False, "off", id="off"),
        pytest.param("~nobody_here_7/x", "store is '~nobody_here_7/x': no such home is known", id="no such home"),
    ],
)
def test_why_a_store_keeps_nothing_is_said(store: Any, said: str) -> None:
    assert found(store=store)["store"].startswith(said)


def test_a_store_in_the_home_folder_is_shown_without_the_users_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert found(store="~/images")["store"].startswith("~/images: can be written")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("FLUX_MAGIC_STORE", raising=False)
    assert found()["store"].startswith("~/.local/share/flux_magic/store: can be written")
    assert found(store=True)["store"] == found()["store"]


def test_of_each_shared_store_it_says_where_it_is_and_whether_it_can_be_read(tmp_path: Path) -> None:
    rows = found(shared_store=f"{tmp_path}:{tmp_path / 'gone'}")
    gone = f"{tmp_path / 'gone'}: cannot be read: No such file or directory"
    assert rows["shared store"] == f"1: {tmp_path}: can be read; 2: {gone}"
    assert found(shared_store=tmp_path)["shared store"] == f"{tmp_path}: can be read"
    assert "shared store" not in found(shared_store="off")
