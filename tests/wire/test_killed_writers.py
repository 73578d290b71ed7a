"""Writers of one store that are killed at any moment: what was finished is there, and nothing is half there."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flux_magic.images import codecs
from flux_magic.records.record import compute_key, load_json, parse_record
from flux_magic.records.store import Store
from tests.unit.samples import encoded

WRITERS, KILLS = 4, 20
KINDS = ("png", "webp")
SIZE = (96, 64)

PARENT = f"""
import os, signal, sys
from dataclasses import replace
from pathlib import Path

from flux_magic.records.store import Store
from tests.unit.samples import encoded, generation

made = generation(*(encoded(kind, size={SIZE}) for kind in {KINDS}))
pictures = [file.data for file in made.files]

def write(log, seed):
    while True:
        seed += 1
        stored = Store(Path(sys.argv[1]), None).put(replace(made.record, seed=seed), pictures)
        print(seed, stored.path.name, file=log, flush=True)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    if not (child := os.fork()):
        write(Path(line.strip()).open("w"), int(Path(line.strip()).name) * 1_000_000)
    print(child, flush=True)
"""
"""Starts a writer for each line that it reads, which names the writer's log, and says its process id."""


class Writers:
    """As many as there are to be, each with a log of what it finished."""

    def __init__(self, parent: subprocess.Popen[str], logs: Path) -> None:
        self._parent, self._logs, self._begun = parent, logs, 0
        self.running: dict[int, Path] = {}

    def begin(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._begun += 1
        log = self._logs / str(self._begun)
        self._parent.stdin.write(f"{log}\n")
        self._parent.stdin.flush()
        self.running[int(self._parent.stdout.readline())] = log

    def kill(self, process: int) -> None:
        os.kill(process, signal.SIGKILL)
        until(lambda: is_gone(process))
        del self.running[process]

    def finished(self) -> dict[int, str]:
        """Return what was put for certain: each seed with the name of its record. A last line may be cut."""
        lines = re.compile(r"^(\d+) (\S+)\n", re.MULTILINE)
        return {int(seed): name for log in self._logs.iterdir() for seed, name in lines.findall(log.read_text())}

    def all_write(self) -> bool:
        return all(log.exists() and log.stat().st_size for log in self.running.values())


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@contextmanager
def writers(folder: Path, logs: Path) -> Iterator[Writers]:
    logs.mkdir()
    command = [sys.executable, "-c", PARENT, str(folder)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        made = Writers(parent, logs)
        try:
            yield made
        finally:
            for process in list(made.running):
                made.kill(process)


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(os, "fork"), reason="it is about kill -9")
def test_what_was_finished_is_there_and_nothing_is_half_there(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    folder = tmp_path / "store"
    with writers(folder, tmp_path / "logs") as made:
        for _ in range(WRITERS):
            made.begin()
        for _ in range(KILLS):
            until(made.all_write)
            time.sleep(chance.uniform(0, 0.05))
            made.kill(chance.choice(list(made.running)))
            made.begin()
    _check(folder, made.finished())


def _check(folder: Path, finished: dict[int, str]) -> None:
    assert len(finished) > WRITERS + KILLS
    store, jobs = Store(folder, None), list(Store(folder, None))
    assert finished.items() <= {stored.record.seed: stored.path.name for stored in jobs}.items()
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    for stored in jobs:
        assert parse_record(load_json(stored.path.read_bytes())) == stored.record
        assert [codecs.describe(stored.read(place)) for place in range(len(KINDS))] == list(stored.record.files)
        assert store.find(str(compute_key(stored.record))) == stored
        names -= {stored.path.name, *(path.name for path in stored.files)}
    assert store.skipped == []
    leftovers = {name for name in names if re.fullmatch(r"\.[0-9a-f]{16}\.part", name)}
    whole = {encoded(kind, size=SIZE) for kind in KINDS}
    waiting = names - leftovers
    assert {next(folder.rglob(name)).read_bytes() for name in waiting} <= whole, "pictures whose record was to come"
    assert len(leftovers) <= KILLS + WRITERS
    assert len(waiting) <= len(KINDS) * (KILLS + WRITERS)
    print(f"{len(finished)} finished, {len(jobs)} there, {len(leftovers)} parts and {len(waiting)} pictures left over")
