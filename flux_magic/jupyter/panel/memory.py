"""The memory of a panel: what was set and made in it, for when its cell runs again in another kernel.

It is a small file of JSON in the store's folder `panels`, one for each panel of a notebook. Each is replaced whole, by
its own kernel alone: so kernels do not disturb each other. It keeps what differs from the panel's first values, and of
images the digests. It has no file if nothing is kept, or if the front end does not say which cell runs, as in a batch.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from IPython import get_ipython
from traitlets import TraitError
from traitlets.utils.bunch import Bunch

from ...client.inputs import load_image
from ...errors import FluxError, mask_secrets
from ...images.bounded_json import parse_json
from ...parameters.settings import get_store_folder, resolve
from ...providers.registry import SPACE
from ...records.command import name_input
from ...records.files import read_file, write_whole
from ...results.generation import Generation
from ...results.generations import Generations
from ...results.history import find_made, name_made
from ...sweeps.axes import Axis
from ...types import InputImage
from ..next_cell import NextCell
from ..widgets import start_thread
from .parameters import COMPARED, PLACE, Parameters, list_options

FOLDER: Final = "panels"
MOST_FILES: Final = 200
"""The number of panels that are remembered; of more, the files that were not written for longest are deleted."""

MOST_BYTES: Final = 64 * 2**10
"""A larger file is neither written nor read."""

MOST_MADE: Final = 50
"""The number of images that one panel remembers."""

SOON: Final = 0.5
"""Seconds from a change to its writing, so that what is typed is not written key by key."""

_AS_ONE: Final = {"size": ("width", "height"), **dict.fromkeys(COMPARED, ("compared",))}
"""Options that set others."""

_OF_ANY_MODEL: Final = {"prompt", "count", "folds"}


@dataclass(frozen=True, slots=True)
class Remembered:
    """The content of a file.

    Attributes:
        place: the provider, the model and the Space that were set.
        values: the values of traits, as far as they were not the panel's first ones.
        opened_with: a digest of the options that the panel was opened with.
        made: its images, the newest last: their names for `find_made`.
        shown: the image on view, or all those of the sheet on view.
        axes: of that sheet, each a name and its values.
        positions: of its images among all combinations.
    """

    place: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    opened_with: str = ""
    made: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    axes: tuple[tuple[str, tuple[float | str, ...]], ...] = ()
    positions: tuple[int, ...] = ()


class Memory:
    """The memory of one panel. Another panel in its place, as when its cell runs again, takes over its file.

    Args:
        panel: the panel, with its first values. What is remembered is set in it, but for what `options` set.
        options: those that the panel was opened with.
        new: whether to forget what was remembered.
        path: the panel's file; None for a panel that remembers nothing.
    """

    def __init__(self, panel: Parameters, options: Mapping[str, Any], path: Path | None, *, new: bool) -> None:
        self._panel, self._path = panel, path
        self._is_due, self._lock = False, threading.Lock()
        if path is not None and (before := _open.get(path)) is not None:
            before.close()
        self._names = [name for name in (*list_options(), "folds") if name not in _AS_ONE and panel.has_trait(name)]
        self._first = {name: getattr(panel, name) for name in self._names}
        self._opened_with = hashlib.sha256(repr(sorted(options.items())).encode("utf-8", "replace")).hexdigest()
        self._remembered = Remembered() if path is None or new else _read(path)
        self._made: list[str] = list(self._remembered.made)
        if path is not None:
            _open[path] = self
            self._set_values(options)
            panel.observe(self._on_change, [*self._names, "generation", "generations"])
            atexit.register(self.write)

    def _set_values(self, options: Mapping[str, Any]) -> None:
        """Set what is remembered and still allowed; of another model only what every model has."""
        given = {one for name in options for one in _AS_ONE.get(name, (name,))}
        values = {name: value for name, value in self._remembered.values.items() if name in {*self._names} - given}
        where = [values.get(name, getattr(self._panel, name)) for name in PLACE]
        remembered = self._remembered.place
        if where != [*(SPACE, *remembered)[-3:]]:  # earlier versions had no provider
            values = {name: value for name, value in values.items() if name in _OF_ANY_MODEL}
        if "images" in values:
            values["images"] = tuple(_load_inputs(values["images"]))
        for name in [*(one for one in PLACE if one in values), *(one for one in values if one not in PLACE)]:
            with suppress(FluxError, TraitError, TypeError, ValueError):
                setattr(self._panel, name, values[name])

    def find_shown(self) -> Generation | Generations | None:
        """Return what was on view, if the panel was opened with the same options, and all of it is in the store."""
        before = self._remembered
        found = _find_made(before.shown) if self._opened_with == before.opened_with else []
        if not found or len(found) < len(before.shown):
            return None
        try:
            axes = [Axis(name, values) for name, values in before.axes]
            return Generations(found, axes, before.positions) if before.positions else found[0]
        except FluxError:
            return None

    def find_others(self, known: Iterable[Generation]) -> list[Generation]:
        """Return the remembered images that are in the store and not `known`, the newest last."""
        return _find_made([name for name in self._remembered.made if name not in {name_made(one) for one in known}])

    def add(self, made: Iterable[Generation]) -> None:
        """Add images to those that are remembered, the newest last."""
        self._made = list(dict.fromkeys([*self._made, *map(name_made, made)]))[-MOST_MADE:]

    def _on_change(self, change: Bunch) -> None:
        if change["name"] == "generation" and change["new"] is not None:
            self.add([change["new"]])
        elif change["name"] == "generations":
            self.add(change["new"] or ())
        if not self._is_due:
            self._is_due = True
            start_thread(self.write, delay=SOON)

    def write(self) -> None:
        """Write the file, if anything has changed; what cannot be written is forgotten."""
        with self._lock:  # a change and the end of the panel may come at the same time
            if self._path is None or not self._is_due:
                return
            self._is_due = False
            data = json.dumps(asdict(self._collect())).encode()
            if len(data) <= MOST_BYTES:
                with suppress(OSError):
                    is_new = not self._path.exists()
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(self._path, data)
                    if is_new:
                        _delete_oldest(self._path.parent)

    def _collect(self) -> Remembered:
        panel: Any = self._panel
        values: dict[str, Any] = {}
        for name, first in self._first.items():
            if (value := getattr(panel, name)) != first:
                named = [[one.role, name_input(one.record)] for one in value] if name == "images" else value
                with suppress(TypeError, ValueError):  # of a kind that JSON does not have
                    if mask_secrets(written := json.dumps(named, allow_nan=False)) == written:
                        values[name] = named
        place = tuple(mask_secrets(getattr(panel, name)) for name in PLACE)
        before = Remembered(place, values, self._opened_with, tuple(self._made))
        if (sheet := panel.generations) is None:
            return replace(before, shown=(name_made(panel.generation),) if panel.generation else ())
        axes = tuple((axis.name, axis.values) for axis in sheet.axes)
        return replace(before, shown=tuple(map(name_made, sheet)), axes=axes, positions=sheet._places)  # noqa: SLF001

    def close(self) -> None:
        """Write what is not written yet, and remember nothing from now on."""
        if self._path is not None:
            atexit.unregister(self.write)
            self.write()
            with self._lock:
                self._path = None


_open: Final[WeakValueDictionary[Path, Memory]] = WeakValueDictionary()
"""The memories of this kernel that write a file."""


def find_path() -> Path | None:
    """Return the file of the panel that is being opened; None if it has none."""
    shell = get_ipython()
    if shell is None or (cell := NextCell.of(shell)) is None:
        return None
    try:
        if (folder := get_store_folder(resolve())) is None:
            return None
        notebook = cell.notebook or str(shell.user_ns.get("__vsc_ipynb_file__") or Path.cwd())
        place = folder.absolute() / FOLDER
    except (FluxError, OSError):  # the folder at work was deleted
        return None
    key = "\n".join([notebook, cell.cell, str(_count_opened(shell.parent_header["header"]["msg_id"]))])
    return place / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.json"


_opened: dict[str, int] = {}
"""The number of panels that the cell at work has opened, by the id of its request."""


def _count_opened(request: str) -> int:
    number = _opened.get(request, 0)
    _opened.clear()
    _opened[request] = number + 1
    return number


def _read(path: Path) -> Remembered:
    """Return the content of a file; nothing, if it is missing or damaged."""
    try:
        found = parse_json(read_file(path, MOST_BYTES, within=path.parent))
        values, opened_with = dict(found["values"]), str(found["opened_with"])
        place, made, shown = (tuple(map(str, found[name])) for name in ("place", "made", "shown"))
        axes = tuple((str(name), tuple(listed)) for name, listed in found["axes"])
        positions = tuple(map(int, found["positions"]))
        return Remembered(place, values, opened_with, made[-MOST_MADE:], shown[:MOST_MADE], axes, positions)
    except (OSError, ValueError, TypeError, LookupError):
        return Remembered()


def _find_made(names: Sequence[str]) -> list[Generation]:
    try:
        return list(find_made(resolve(), names))
    except (FluxError, OSError):
        return []


def _load_inputs(named: Any) -> Iterable[InputImage]:
    """Yield the images that went in, as far as they are in the store; a file is never read by its path."""
    for one in named if isinstance(named, list) else ():
        with suppress(FluxError, TypeError, ValueError):
            role, name = map(str, one)
            if name.startswith("sha256:"):
                yield load_image(name, role)


def _delete_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[MOST_FILES:]:
        file.unlink(missing_ok=True)
