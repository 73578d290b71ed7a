"""What holds for all tests."""

from __future__ import annotations

import atexit
import gc
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_magic.client import blocking, runner
from flux_magic.providers.gradio import hub
from tests.support.state import find_left, take_state

# A shell that starts a program in the background has it ignore Ctrl-C, and so would every kernel that a test
# starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test finds what another one, or the person at this machine, has made; and none leaves anything there.
os.environ["FLUX_MAGIC_STORE"] = tempfile.mkdtemp(prefix="flux_magic-store-")
os.environ["FLUX_MAGIC_REPLAY"] = "off"
os.environ["HF_TOKEN_PATH"] = str(Path(os.environ["FLUX_MAGIC_STORE"], "no token"))
# matplotlib takes seconds to look for the fonts of the machine, which it notes in the cache.
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="flux_magic-cache-")
for name in ("FLUX_MAGIC_SHARED_STORE", "FLUX_MAGIC_SIGN_AS", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
    os.environ.pop(name, None)
for name in ("FLUX_MAGIC_STORE", "XDG_CACHE_HOME"):
    atexit.register(shutil.rmtree, os.environ[name], ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run the tests marked thorough as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out thorough tests, unless they are asked for together or by name."""
    if config.getoption("thorough") or any("::" in argument for argument in config.args):
        return
    thorough = [item for item in items if item.get_closest_marker("thorough") is not None]
    config.hook.pytest_deselected(items=thorough)
    items[:] = [item for item in items if item.get_closest_marker("thorough") is None]


def pytest_collection_finish() -> None:
    """Let the collector of garbage, which many tests call, leave alone what the session holds for good."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the commands that run the failed tests alone."""
    failed = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    for test in dict.fromkeys(shlex.quote(report.nodeid) for report in failed):
        terminalreporter.write_line(f"run alone: .venv/bin/python -m pytest {test}")


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_found_it() -> Iterator[None]:
    """Fail a test that leaves something behind; what fixtures of modules and of the session hold is there before."""
    before = take_state()
    yield
    if found := find_left(before):
        pytest.fail("this test left behind:\n  " + "\n  ".join(found), pytrace=False)


@pytest.fixture(autouse=True)
def _begins_afresh(_leaves_the_process_as_it_found_it: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a test a history and answers of the Hub of its own, and end the background loop that it began."""
    blocking.history.clear()
    monkeypatch.setattr(hub, "_answers", {})
    yield
    runner.background.close()
    blocking.history.clear()


@pytest.fixture(scope="session")
def space() -> Iterator[str]:
    """Yield the address of a local Space: one for all who ask, since it takes seconds to start."""
    from tests.support.space import run_space

    with run_space() as address:
        yield address


@pytest.fixture(scope="session")
def slow_space() -> Iterator[str]:
    """Yield the address of one that takes 0.3 s for each step."""
    from tests.support.space import run_space

    with run_space("--step-seconds", "0.3") as address:
        yield address
