"""The example of every public name is run, on a scripted provider."""

from __future__ import annotations

import asyncio
import doctest
import inspect
from operator import attrgetter
from pathlib import Path

import pytest

import flux_magic
from tests.unit.scripted import painting

CALLS = [name for name in flux_magic.__all__ if not inspect.isclass(getattr(flux_magic, name))]
VALUES = ["AsyncClient", "Client", "Generation", "Generations", "ImageRequest", "InputImage", "Settings"]
METHODS = ["Generation.edit", "Generation.lineage"]


def examples(owner: object, name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(recurse=False).find(owner, name, globs={"flux_magic": flux_magic, "asyncio": asyncio})
    return [one for one in found if one.examples]


@pytest.mark.parametrize("name", [*CALLS, *VALUES, *METHODS])
def test_the_example_of_a_public_name_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name != "list_models":  # it shows what there is, and asks nothing
        painting(monkeypatch)
    monkeypatch.chdir(tmp_path)
    found = examples(attrgetter(name)(flux_magic), name)
    assert found, f"{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for one in found:
        runner.run(one, out=said.append)
    assert runner.failures == 0, "".join(said)
