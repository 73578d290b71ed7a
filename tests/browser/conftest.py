"""One JupyterLab for all tests here, since it takes long to start; a test is a coroutine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from flux_magic.local import LocalSpace
from tests.support.lab import Lab, running_lab, unmeasured


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def slow_space() -> Iterator[str]:
    """The address of a local Space that takes half a second for each step."""
    local = LocalSpace(arguments=("--step-seconds", "0.5"))
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - unmeasured().keys():
            patch.delenv(name)
        address = asyncio.run(local.address())
    yield address
    local.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run a test to its end on a loop of its own."""
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
