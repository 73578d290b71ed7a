"""One JupyterLab and one browser for all tests here, since they take long to start; a test is a coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.lab import Lab, run_browser, run_lab
from tests.support.state import SESSION

_loops: list[asyncio.AbstractEventLoop] = []


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield the loop of all tests here: a browser's connection belongs to one."""
    _loops.append(asyncio.new_event_loop())
    _loops[0].set_default_executor(ThreadPoolExecutor(thread_name_prefix=SESSION))
    yield _loops[0]
    _loops[0].run_until_complete(_loops[0].shutdown_default_executor())
    _loops.pop().close()


@pytest.fixture(scope="session")
def lab(loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    browser = run_browser()
    with run_lab(tmp_path_factory.mktemp("lab")) as running:
        running.browser = loop.run_until_complete(browser.__aenter__())
        yield running
        loop.run_until_complete(browser.__aexit__(None, None, None))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run a test to its end."""
    names = pyfuncitem._fixtureinfo.argnames
    _loops[0].run_until_complete(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
