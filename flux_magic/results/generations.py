"""Several generations: a count's one after the other, a sweep's by what it varies; and how they are shown and saved."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex, overload
from weakref import ref

from ..errors import (
    FluxError,
    InvalidArgument,
    InvalidRequest,
    MissingExtra,
    NotInSweep,
    OutOfRange,
    few,
    shown,
    without_controls,
)
from ..images import codecs
from ..parameters.calls import checked_class, path_text
from ..parameters.sizes import sides
from ..sweeps.axes import COLUMNS, EXTRA_COLUMNS, MOST_NAMED, Axis, how_many, place_of, values_at
from . import file_names
from .generation import Generation, expanded, is_folder, refuse_await, save_target
from .notes import once
from .output import Output

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from ..sweeps.sheet import Sheet
    from .sheet_output import Place

INSTALL: Final = 'pip install "flux-magic[pandas]"'


@checked_class
class Generations(Sequence[Generation]):
    """Several generations, in the order of their requests.

    A notebook shows each in full; those of a sweep as one sheet, with a table that is folded.

    Args:
        items: the generations that there are, in order.
        axes: what a sweep varied; none where there is no more than a count.
        places: the place of each among all combinations of the axes' values, the last axis varying the fastest, from
            0; without them the items are the first.
        troubles: why there is no image, by its place. A place that has neither an image nor a trouble was not made.
        sheet: of these axes, with the images of all items in it; without one it is drawn when it is first needed.

    Attributes:
        axes: as given.

    Example::

        >>> foxes = flux_magic.sweep("a fox", steps=[1, 4], seed=42, quiet=True)
        >>> len(foxes), foxes.sel(steps=4).steps
        (2, 4)

    Raises InvalidRequest for places that the axes do not have, or of which there are not as many as items.
    """

    def __init__(
        self,
        items: Sequence[Generation],
        axes: Sequence[Axis] = (),
        places: Sequence[int] | None = None,
        *,
        troubles: Mapping[int, str] | None = None,
        sheet: Sheet | None = None,
    ) -> None:
        self.axes = tuple(axes)
        if not isinstance(items, Iterable):
            raise InvalidArgument(f"the items are {shown(items)}: give a list of generations")
        self._items = tuple(items)
        self._places = tuple(range(len(self._items)) if places is None else places)
        self._troubles = dict(troubles or {})
        self._sheet = sheet and _kept(sheet)
        if len(self._places) != len(self._items) or (self.axes and not set(self._places) <= set(range(self._every))):
            raise InvalidRequest(
                f"{len(self._items)} generations are not at {len(self._places)} of {self._every} places"
            )

    @property
    def _every(self) -> int:
        """How many images there would be if none were missing."""
        return how_many(self.axes) if self.axes else len(self._items)

    @property
    def missing(self) -> dict[int, str]:
        """Why there is no image, by place: `failed: …`, or `not made` where nothing was tried."""
        there = set(self._places)
        absent = (place for place in range(self._every if self.axes else 0) if place not in there)
        return {
            place: f"failed: {self._troubles[place]}" if place in self._troubles else "not made" for place in absent
        }

    @overload
    def __getitem__(self, index: int) -> Generation: ...
    @overload
    def __getitem__(self, index: slice) -> Generations: ...
    @overload
    def __getitem__(self, index: Mapping[str, object]) -> Any: ...
    def __getitem__(self, index: int | slice | Mapping[str, object]) -> Generation | Generations:
        """By position, or by what was varied: `foxes[0]`, `foxes[1:3]`, `foxes[{"seed": 3}]`.

        A slice has no axes any more. For the values of axes see `sel`.
        """
        if isinstance(index, Mapping):
            return self._selected(index)
        if isinstance(index, slice):
            return Generations(self._items[index])
        if not isinstance(index, SupportsIndex):
            raise InvalidArgument(
                f'{shown(index)} is no position and no slice; by what was varied it is foxes[{{"seed": 3}}]'
            )
        try:
            return self._items[index]
        except IndexError:
            raise OutOfRange(f"there is no image {index}: there are {len(self)}, counted from 0") from None

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._items)

    def sel(self, chosen: Mapping[str, object] | None = None, /, **values: object) -> Any:
        """What was made with these values of the axes, as in `foxes.sel(seed=3, steps=4)` or `foxes.sel({"seed": 3})`.

        Values are compared as texts, so `3` and `"3"` are the same, and blanks around them do not count; a size may be
        `(512, 768)` as well as `"512x768"`. With a value for each axis this is the Generation, else the Generations of
        the axes that are left; a type checker cannot know which.

        Raises NotInSweep, which is a LookupError, for an axis or a value that the sweep does not have, and for an
        image that was not made.
        """
        if not isinstance(chosen, Mapping | None):
            raise InvalidArgument(f"{shown(chosen)} names no axis: give such as sel(seed=3)")
        return self._selected({**(chosen or {}), **values})

    def _selected(self, values: Mapping[str, object]) -> Generation | Generations:
        chosen = {axis: axis.find(value) for axis, value in self._by_axis(values)}
        if self.axes and len(chosen) == len(self.axes):
            return self._at(chosen)
        left = tuple(axis for axis in self.axes if axis not in chosen)
        spans = [[chosen[axis]] if axis in chosen else range(len(axis.values)) for axis in self.axes]
        moved = {place_of(self.axes, at): new for new, at in enumerate(itertools.product(*spans))}
        kept = [(item, moved[place]) for item, place in zip(self._items, self._places, strict=True) if place in moved]
        troubles = {moved[place]: why for place, why in self._troubles.items() if place in moved}
        return Generations([item for item, _ in kept], left, [place for _, place in kept], troubles=troubles)

    def _by_axis(self, values: Mapping[str, object]) -> Iterator[tuple[Axis, object]]:
        known = {axis.name: axis for axis in self.axes}
        if not known:
            raise NotInSweep("this is no sweep, so it has no axes: take its images by their positions, from 0")
        for name, value in values.items():
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                meant = f"did you mean {close[0]}? " if close else ""
                raise NotInSweep(f"this sweep has no axis {shown(name)}: {meant}It has {', '.join(known)}")
            yield known[name], value

    def _at(self, chosen: Mapping[Axis, int]) -> Generation:
        place = place_of(self.axes, [chosen[axis] for axis in self.axes])
        for item, there in zip(self._items, self._places, strict=True):
            if there == place:
                return item
        why = " ".join(self.missing[place].split())
        raise NotInSweep(f"there is no image of {self._named(place)}: {why}")

    def _named(self, place: int) -> str:
        return " ".join(f"{name}={value}" for name, value in values_at(self.axes, place).items())

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        metadata: bool | None = None,
        strip_credentials: bool | None = None,
    ) -> list[Path]:
        """Write each into a folder, or by a pattern, which may name the axes as well; as `Generation.save`.

        One that cannot be written does not keep the others from it; then its error is raised, the first of them.
        """
        path = expanded(path_text("path", path))
        axes = [axis.name for axis in self.axes]
        folder = save_target(path, len(self), axes, sheet=True, delivered={one.files[0].media_type for one in self})
        values: list[dict[str, object]] = [
            {"n": place + 1, **(values_at(self.axes, place) if self.axes else {})} for place in self._places
        ]
        pattern = path if file_names.is_pattern(path) else ""
        if pattern:
            rows = [file_names.get_values(item.record, item.record.files[0]) for item in self]
            file_names.check_distinct(pattern, [row | own for row, own in zip(rows, values, strict=True)], axes)
        if len(self) > 1 and not pattern and is_folder(folder):
            folder.mkdir(parents=True, exist_ok=True)
        saved: list[Path] = []
        errors: list[FluxError] = []
        with once():
            for item, own in zip(self, values, strict=True):
                try:
                    target = file_names.fill_some(pattern, own) if pattern else path
                    saved += item.save(
                        target, overwrite=overwrite, metadata=metadata, strip_credentials=strip_credentials
                    )
                except FluxError as error:
                    errors.append(error)
        if errors:
            raise errors[0]
        return saved

    @property
    def images(self) -> list[Image]:
        """The first image of each (Pillow), all decoded at each call: some 20 ms and 3 MB a megapixel.

        Raises StoreError if the store has one no more, and NotAnImage.
        """
        return [item.image for item in self]

    def __await__(self) -> NoReturn:
        refuse_await()

    def grid(self) -> Image:
        """All images on one sheet with labels (Pillow, RGB, at most 60,000 pixels on a side).

        Those of no sweep are labelled by their seeds. An image whose file is gone has a note in its place. What
        `save` of it writes carries the records of the images, and `flux-magic verify` checks it.
        """
        from ..sweeps.sheet_file import SheetImage
        from . import sheet_output

        if not self._carries:
            return self._drawn().image
        return SheetImage.of(self._drawn(), sheet_output.contents(self.axes or (self._seeds(),), self._shown()))

    @property
    def _carries(self) -> bool:
        """Return if a file of the sheet carries the records of its images."""
        return all(item.metadata for item in self)

    def to_pandas(self) -> pd.DataFrame:
        """A table with a row for each image that there is, in order.

        The first columns are the axes', then come `prompt`, `seed`, `steps`, `width` and `height` (pixels), what other
        parameters there are, `model`,
        `digest` (64 hex digits), `path` (in the store, as a text, or None), `replayed`, and `seconds` (from the request
        to the last byte, or None). A column that an axis has is there once.

        Raises MissingExtra, which is an ImportError, without pandas.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingExtra(f"a table needs pandas, which is not installed: {INSTALL}") from exc
        varied = [axis.name for axis in self.axes]
        rows = [
            _facts(item) | values_at(self.axes, place) for item, place in zip(self._items, self._places, strict=True)
        ]
        return pd.DataFrame(rows, columns=list(dict.fromkeys([*varied, *COLUMNS])))

    def outputs(self) -> list[Output]:
        """What a notebook shows: of a sweep the sheet and the table, else each image and its parameters."""
        if not self.axes:
            return [output for item in self for output in _outputs_of(item)]
        # What draws a sheet is loaded when there is one: a single image does not wait for it.
        from . import sheet_output

        places, encoded = self._shown(), self._drawn().encoded()
        sheet = sheet_output.sheet(self.axes, places, encoded, metadata=self._carries)
        return [sheet, sheet_output.table(self.axes, places)]

    def _shown(self) -> list[Place]:
        """Return what a sheet shows in each place."""
        from .sheet_output import Place

        there = dict(zip(self._places, self._items, strict=True))
        missing = self.missing
        return [
            Place(there[place].record, there[place].replayed) if place in there else Place(None, missing=missing[place])
            for place in range(self._every)
        ]

    def _drawn(self) -> Sheet:
        """Return the sheet, with a note if an image is missing; draw it again if it is not the last that was drawn."""
        sheet = (self._sheet and self._sheet()) or self._new_sheet()
        for place, why in self.missing.items():
            sheet.mark(place, why)
        self._sheet = _kept(sheet)
        return sheet

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the sheet, which a copy draws again."""
        return {**vars(self), "_sheet": None}

    def _new_sheet(self) -> Sheet:
        from ..sweeps.sheet import Sheet

        axes = self.axes or (self._seeds(),)
        places = self._places if self.axes else range(len(self._items))
        sheet = Sheet(axes, self._sizes())
        for place, item in zip(places, self._items, strict=True):
            try:
                sheet.put(place, codecs.decode(item.data))
            except FluxError as error:
                sheet.mark(place, error.message)
        return sheet

    def _seeds(self) -> Axis:
        """What labels the images of no sweep: their seeds, or their numbers where not all are known."""
        seeds = [item.seed for item in self]
        known = tuple(seed for seed in seeds if seed is not None)
        return Axis("seed", known) if len(known) == len(seeds) else Axis("image", tuple(range(1, len(seeds) + 1)))

    def _sizes(self) -> list[tuple[int, int]]:
        """Width and height that each image was asked for, also where there is none."""
        asked = [(item.record.requested_width, item.record.requested_height) for item in self]
        if not self.axes:
            return asked
        usual = asked[0] if asked else (1, 1)
        there = dict(zip(self._places, asked, strict=True))
        return [there.get(place) or self._size_of(place, usual) for place in range(self._every)]

    def _size_of(self, place: int, usual: tuple[int, int]) -> tuple[int, int]:
        values = values_at(self.axes, place)
        width, height = sides(str(values["size"])) if "size" in values else usual
        return int(values.get("width", width)), int(values.get("height", height))

    def __repr__(self) -> str:
        return without_controls("\n".join([*map(repr, self), *self._told()]))

    def _told(self) -> list[str]:
        """What is missing, in one line."""
        missing = self.missing
        if not missing:
            return []
        named = [f"{self._named(place)} {' '.join(why.split())}" for place, why in missing.items()]
        return [f"{len(missing)} of {self._every} images are missing: {'; '.join(few(named, MOST_NAMED))}"]

    def _ipython_display_(self) -> None:
        from IPython.display import display as show

        for output in self.outputs():
            show(output.data, metadata=output.metadata, raw=True)


_latest: list[Sheet] = []
"""The last sheet, the only one that is kept: it takes some MB, and is drawn again from its images."""


def forget_sheet() -> None:
    """Free the memory of the last sheet, as another one begins."""
    _latest.clear()


def _kept(sheet: Sheet) -> ref[Sheet]:
    """Keep this sheet in place of the last one."""
    _latest[:] = [sheet]
    return ref(sheet)


def _outputs_of(item: Generation) -> list[Output]:
    """What a notebook shows of one of several; of one whose file is gone, its line and why."""
    try:
        return item.outputs()
    except FluxError as error:
        return [Output({"text/plain": f"{item!r}: {error.message}"}, {})]


def _facts(item: Generation) -> dict[str, Any]:
    """What a table says of every image, by column."""
    path = None if item.path is None else str(item.path)
    prompt, model = without_controls(item.prompt), without_controls(item.record.model)
    others = (item.parameters.get(name) for name in EXTRA_COLUMNS)
    told = (prompt, item.seed, item.steps, item.width, item.height, *others, model, item.digest, path)
    return dict(zip(COLUMNS, (*told, item.replayed, item.record.circumstances.seconds), strict=True))
