"""What holds for all tests."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.state import left, state

# A shell that starts a program in the background has it ignore Ctrl-C, and so would every kernel that a test
# starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test finds what another one, or the person at this machine, has made; and none leaves anything there.
os.environ["FLUX_MAGIC_STORE"] = tempfile.mkdtemp(prefix="flux_magic-store-")
os.environ["FLUX_MAGIC_REPLAY"] = "off"
os.environ.pop("FLUX_MAGIC_SHARED_STORE", None)
atexit.register(shutil.rmtree, os.environ["FLUX_MAGIC_STORE"], ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run the tests marked thorough as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out thorough tests, unless they are asked for together or by name."""
    if config.getoption("thorough") or any("::" in argument for argument in config.args):
        return
    chosen = [item for item in items if item.get_closest_marker("thorough") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the commands that run the failed tests alone."""
    failed = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    for test in dict.fromkeys(shlex.quote(report.nodeid) for report in failed):
        terminalreporter.write_line(f"run alone: .venv/bin/python -m pytest {test}")


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_found_it() -> Iterator[None]:
    """Fail a test that leaves something behind; what fixtures of modules and of the session hold is there before."""
    before = state()
    yield
    if found := left(before):
        pytest.fail("this test left behind:\n  " + "\n  ".join(found), pytrace=False)


@pytest.fixture(scope="session")
def space() -> Iterator[str]:
    """The address of a local Space: one for all who ask, since it takes seconds to start."""
    from tests.support.space import running_space

    with running_space() as address:
        yield address
