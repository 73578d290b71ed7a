"""What the doctor says of this machine."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from flux_magic.doctor import examine
from flux_magic.settings import resolve


def found(**options: Any) -> dict[str, str]:
    return asyncio.run(examine(resolve(replay="only", **options))).rows


def test_a_store_that_is_not_there_yet_can_be_written(tmp_path: Path) -> None:
    rows = found(store=tmp_path / "not" / "yet")
    assert re.fullmatch(r"can be written, \d+\.\d GiB free", rows["store"])
    assert "shared store" not in rows
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("store", "said"),
    [
        pytest.param("/proc/no/store", "cannot be written: ", id="a folder that takes nothing"),
        pytest.param(False, "off", id="off"),
        pytest.param("~nobody_here_7/x", "store is '~nobody_here_7/x': no such home is known", id="no such home"),
    ],
)
def test_why_a_store_keeps_nothing_is_said(store: Any, said: str) -> None:
    assert found(store=store)["store"].startswith(said)


def test_of_each_shared_store_it_says_whether_it_can_be_read_and_not_where_it_is(tmp_path: Path) -> None:
    rows = found(shared_store=f"{tmp_path}:{tmp_path / 'gone'}")
    assert rows["shared store"] == "1: can be read; 2: cannot be read: No such file or directory"
    assert found(shared_store=tmp_path)["shared store"] == "can be read"
    assert "shared store" not in found(shared_store="off")
