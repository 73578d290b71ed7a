"""What holds for all tests."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest

# A shell that starts a program in the background has it ignore Ctrl-C, and so would every kernel that a test
# starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test finds what another one, or the person at this machine, has made; and none leaves anything there.
os.environ["FLUX_MAGIC_STORE"] = tempfile.mkdtemp(prefix="flux_magic-store-")
os.environ["FLUX_MAGIC_REPLAY"] = "off"
os.environ.pop("FLUX_MAGIC_SHARED_STORE", None)
atexit.register(shutil.rmtree, os.environ["FLUX_MAGIC_STORE"], ignore_errors=True)


@pytest.fixture(scope="session")
def space() -> Iterator[str]:
    """The address of a local Space: one for all who ask, since it takes seconds to start."""
    from tests.support.space import running_space

    with running_space() as address:
        yield address
