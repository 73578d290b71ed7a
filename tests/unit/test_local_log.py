"""What the local Space says, while it says it."""

from __future__ import annotations

import os
import tempfile

import pytest

from flux_magic.providers.local import LocalSpace


def test_reading_what_it_says_does_not_move_where_it_writes() -> None:
    """Its standard output and this end are one open file, as after a fork: they have one position."""
    space = LocalSpace()
    with tempfile.TemporaryFile("ab+") as log:
        space._log = log
        theirs = os.dup(log.fileno())
        os.write(theirs, b"flux-magic space: ready at http://127.0.0.1:1")
        os.lseek(theirs, 0, os.SEEK_CUR)
        assert space._read_log().startswith("flux-magic space")
        os.write(theirs, b"\n")
        os.close(theirs)
        assert space._read_log() == "flux-magic space: ready at http://127.0.0.1:1\n"


@pytest.mark.parametrize("length", [0, 1, 100_000])
def test_all_of_it_is_read(length: int) -> None:
    space = LocalSpace()
    with tempfile.TemporaryFile("ab+") as log:
        log.write(b"x" * length)
        log.flush()
        space._log = log
        assert len(space._read_log()) == length
