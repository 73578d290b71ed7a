"""A heat: a fresh Gradio, fresh clients, and rounds in which each of them makes the same image, in a shuffled order."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from flux_magic.providers.local import LocalSpace

Told = dict[str, Any]
"""What a client said of one command."""

_order = random.Random(1)


class Racer:
    """A client in a process of its own, which has made its first image."""

    def __init__(self, name: str, address: str, environment: Mapping[str, str], home: Path | None = None) -> None:
        self.name = name
        python = sys.executable if home is None else str(home / ".venv/bin/python")
        command = [python, "-m", "tests.benchmarks.racers", name, address]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            cwd=home,
        )

    def ready(self) -> None:
        self._answer()

    def ask(self, do: str, **options: object) -> Told:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Told:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended in the middle of the race")
        told: Told = json.loads(line)
        return told

    def close(self) -> None:
        with self._process:
            if self._process.stdin:
                self._process.stdin.close()


@contextmanager
def fresh_space() -> Iterator[str]:
    """Provide the address of a local Space that has made no image yet: Gradio 6 slows down after some thousand."""
    space = LocalSpace()
    try:
        yield asyncio.run(space.get_address())
    finally:
        space.close()


@contextmanager
def racing(names: Sequence[str], addresses: str | Mapping[str, str], **environment: str) -> Iterator[dict[str, Racer]]:
    """Provide the clients by name, ready; each has an address of its own where these differ."""
    with ExitStack() as stack:
        kept = stack.enter_context(tempfile.TemporaryDirectory())
        racers = {}
        for name in names:
            address = addresses if isinstance(addresses, str) else addresses[name]
            racer = Racer(name, address, {"FLUX_MAGIC_REPLAY": "off", "TMPDIR": kept, **environment})
            stack.callback(racer.close)
            racer.ready()  # one after the other, so that none is warm before another's imports
            racers[name] = racer
        yield racers


def round_of(racers: Mapping[str, Racer], do: str, **options: object) -> dict[str, Told]:
    """Return the same asked of each, one at a time, in an order by chance."""
    names = _order.sample(list(racers), len(racers))
    told = {name: racers[name].ask(do, **options) for name in names}
    seen = {one["sha256"] for one in told.values() if "sha256" in one}
    assert len(seen) <= 1, "the clients got different images"
    return told
