"""A count of how often one `%%flux` cell passes from one file of the package to another.

`python -m tests.benchmarks.hops` makes one image on a local Space with every module loaded and every cache empty.
Each pair of a calling and a called function of different files is one change of file, however often; a call into
a file that was visited before counts as a return as well. Work between two files of the package that another
library passes on (asyncio, IPython, aiohttp) counts as a call from the nearest function of the package on the stack.

Options: --list shows the changes in their order, --space URL asks a Space that runs already.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import flux_magic

_ROOT = str(Path(flux_magic.__file__).parent) + os.sep
_NAMED = ("get_provider", "is_local", "parse", "resolve_target", "find_data", "read_image")
"""Functions whose calls are counted as well."""


class Walk:
    """The changes of file of what runs within `watched`, in all threads."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []
        self.calls: Counter[str] = Counter()
        self._seen: set[tuple[CodeType | None, CodeType]] = set()
        self._callers: set[str] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count within, in threads that run already as well."""
        threading.setprofile(self._on_event)
        sys.setprofile(self._on_event)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _arg: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_ROOT) or code.co_name == "<module>":
            return
        file = code.co_filename[len(_ROOT) :]
        if code.co_name in _NAMED and frame.f_lasti <= 0 + 2:
            self.calls[f"{file.removesuffix('.py')}: {code.co_name}"] += 1
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(_ROOT):
            caller = caller.f_back
        known = caller.f_code if caller else None
        if known is not None:
            self._callers.add(_name(known))
        if known is not None and known.co_filename == code.co_filename:
            return
        if (known, code) not in self._seen:
            self._seen.add((known, code))
            self.changes.append((_name(known) if known else "-", _name(code)))

    def without_leaves(self) -> list[tuple[str, str]]:
        """Return the changes without calls of functions that call no other: a reader looks those up in place."""
        return [change for change in self.changes if change[1] in self._callers]


def _name(code: CodeType) -> str:
    return f"{code.co_filename[len(_ROOT) :]}:{code.co_name}"


def count(changes: list[tuple[str, str]]) -> str:
    """Return a line that says how many changes there are, and how many of them lead back."""
    files = {called.partition(":")[0] for _, called in changes}
    return f"{len(changes)} changes of file, {len(files)} files, {len(changes) - len(files)} back to one visited before"


def walk(space: str) -> Walk:
    """Make one image as a cell does, in this process's IPython, and return what it passed through."""
    from IPython.core.interactiveshell import InteractiveShell

    for module in pkgutil.walk_packages(flux_magic.__path__, "flux_magic."):
        if ".stand_in." not in module.name:
            importlib.import_module(module.name)
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "flux_magic")
    walked = Walk()
    with walked.watched():
        shell.run_cell_magic("flux", f"--steps 4 --seed 42 --space {space} --output fox", "a red fox in the mist")
    assert shell.user_ns["fox"].seed == 42
    return walked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="show every change of file")
    parser.add_argument("--space", help="the URL of a Space that runs already")
    options = parser.parse_args()
    from tests.support.space import run_space

    with (
        tempfile.TemporaryDirectory() as folder,
        nullcontext(options.space) if options.space else run_space() as at,
    ):
        os.chdir(folder)
        os.environ.update(FLUX_MAGIC_STORE=folder, HF_ENDPOINT="http://127.0.0.1:1")
        walked = walk(at)
        os.chdir("/")
    if options.list:
        listed = walked.without_leaves()
        print("\n".join(f"{before} -> {called}" for before, called in listed))
    files = Counter(called.partition(":")[0] for _, called in walked.changes)
    print(f"all calls: {count(walked.changes)}")
    print(f"without leaves: {count(walked.without_leaves())}")
    print(", ".join(f"{name} {number}" for name, number in sorted(walked.calls.items())))
    print(", ".join(f"{name} {number}" for name, number in files.most_common(14)))


if __name__ == "__main__":
    main()
