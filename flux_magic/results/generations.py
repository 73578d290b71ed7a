"""Collections of generations, by number or by what a sweep varies, and the ways to show and save them."""

from __future__ import annotations

import difflib
import functools
import itertools
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex, TypedDict, overload
from weakref import ref

from ..errors import (
    FluxError,
    InvalidArgument,
    InvalidRequest,
    MissingExtra,
    NotInSweep,
    OutOfRange,
    SaveError,
    format_count,
    list_few,
    replace_controls,
    show_value,
)
from ..images import codecs
from ..parameters.calls import check_class, check_path, takes
from ..parameters.lists import list_items
from ..parameters.placeholders import fill_some_words, fill_words
from ..parameters.sizes import split_sides
from ..parameters.table import format_value
from ..sweeps.axes import (
    COLUMNS,
    EXTRA_COLUMNS,
    MOST_NAMED,
    Axis,
    count_combinations,
    flatten,
    get_coordinates,
    get_place,
    get_values,
    pair_axes,
)
from . import file_names, output
from .generation import Generation, check_target, expand_path, is_folder, refuse_await
from .notes import limit_notes, print_note
from .output import Output
from .signer import open_signing
from .words import OWN, list_own

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL.Image import Image
    from typing_extensions import Unpack

    from ..records.manifest import Signing
    from ..sweeps.layout import Look
    from ..sweeps.sheet import Sheet
    from ..sweeps.sheet_file import Contents
    from .sheet_output import Place

INSTALL: Final = 'pip install "flux-magic[pandas]"'


class SheetOptions(TypedDict, total=False):
    """The options of `grid` and `figure`."""

    labels: str | bool | Sequence[object] | None
    row_labels: str | bool | Sequence[object] | None
    column_labels: str | bool | Sequence[object] | None
    title: str | None
    tile: int | None
    gap: int | None
    columns: int | None
    font: str | os.PathLike[str] | None
    background: str | None


@check_class
class Generations(Sequence[Generation]):
    """Sequence of generations, in the order of their requests.

    A notebook shows each in full; those of a sweep as one sheet, with a folded table.

    Args:
        items: the finished generations, in order.
        axes: what a sweep varied; empty for a plain count.
        places: the place of each among all combinations of the axes' values, the last axis varying the fastest, from 0;
            without them the items are the first.
        troubles: the reason for each missing image, by its place. A place with neither an image nor a reason was not
            made.
        sheet: a sheet of these axes with the images of all items; without it one is drawn when it is first needed.
        shown: True if the images are on view already: the first display shows nothing.
        caption: words under the sheet of a sweep; the {name} of an axis is replaced by its values.
        alt: alternative text of the sheet, likewise; by default its prompts and axes in words.

    Attributes:
        axes: as given.

    Example::

        >>> foxes = flux_magic.sweep("a fox", steps=[1, 4], seed=42, quiet=True)
        >>> len(foxes), foxes.sel(steps=4).steps
        (2, 4)

    Raises InvalidRequest if the axes do not have these places, or if their number is not that of the items.
    """

    def __init__(
        self,
        items: Sequence[Generation],
        axes: Sequence[Axis] = (),
        places: Sequence[int] | None = None,
        *,
        troubles: Mapping[int, str] | None = None,
        sheet: Sheet | None = None,
        shown: bool = False,
        caption: str | None = None,
        alt: str | None = None,
    ) -> None:
        self.axes = tuple(axes)
        if not isinstance(items, Iterable):
            raise InvalidArgument(f"the items are {show_value(items)}: give a list of generations")
        self._items = tuple(items)
        every: Sequence[object] = self._items
        if strange := [one for one in every if not isinstance(one, Generation)]:
            raise InvalidArgument(f"an item is {show_value(strange[0])}: give a list of generations")
        self._places = tuple(range(len(self._items)) if places is None else places)
        self._troubles = dict(troubles or {})
        self._sheet = sheet and _keep_sheet(sheet)
        self._shown = shown
        self._words = {"caption": caption or "", "alt": alt or ""}
        if len(self._places) != len(self._items) or (self.axes and not set(self._places) <= set(range(self._every))):
            raise InvalidRequest(
                f"{len(self._items)} generations do not fit {len(self._places)} of {self._every} places"
            )

    @property
    def _every(self) -> int:
        """The number of images if none were missing."""
        return count_combinations(self.axes) if self.axes else len(self._items)

    @property
    def missing(self) -> dict[int, str]:
        """The reason for each missing image, by place: `failed: …`, or `not made` if nothing was tried."""
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
    @overload
    def __getitem__(self, index: Sequence[int]) -> Generations: ...
    def __getitem__(self, index: int | slice | Mapping[str, object] | Sequence[int]) -> Generation | Generations:
        """Return an image by position, or several: `foxes[0]`, `foxes[1:3]`, `foxes[[0, 3, 6]]`, `foxes[{"seed": 3}]`.

        A slice has no axes. Images of a list keep their labels, see `pick`. For the values of axes see `sel`.
        """
        if isinstance(index, Mapping):
            return self._select(index)
        if (several := list_items(index)) is not None:
            return self._take([self._find_position(one) for one in several])
        if isinstance(index, slice):
            return Generations(self._items[index])
        return self._items[self._find_position(index)]

    def _find_position(self, index: object) -> int:
        """Return the position of an image from 0; a negative one counts from the end."""
        if not isinstance(index, SupportsIndex) or isinstance(index, bool):
            raise InvalidArgument(
                f"{show_value(index)} is neither a position nor a slice; to select by a value, "
                'write foxes[{"seed": 3}]'
            )
        try:
            return range(len(self))[index]
        except IndexError:
            are = "is" if len(self) == 1 else "are"
            raise OutOfRange(f"there is no image {index}: there {are} {len(self)}, counted from 0") from None

    def pick(self, *which: int | str) -> Generations:
        """Return some of the images, in this order: by their numbers, from 1 as on the sheet, or by their digests.

        Those of a sweep keep what was varied: the result is shown as a sheet with the labels that they had, and `sel`
        and `to_pandas` know their values. `%flux_pick` chooses by click.

        Args:
            which: numbers, 1 or more; or the first digits of digests, 6 or more.

        Example::

            >>> foxes = flux_magic.sweep("a fox", seed=[1, 2, 3], quiet=True)
            >>> [fox.seed for fox in foxes.pick(3, 1)]
            [3, 1]

        Raises OutOfRange for an image that does not exist or was not made, and InvalidArgument for one given twice.
        """
        return self._take([self._find_number(one) for one in which])

    def _find_number(self, one: object) -> int:
        """Return the position of the image with this number, or the beginning of this digest."""
        if isinstance(one, str):
            found = [at for at, item in enumerate(self) if any(file.digest.startswith(one) for file in item.files)]
            if len(found) == 1 and len(one) >= 6:
                return found[0]
            why = "give more digits" if len(one) < 6 or found else "with random seeds, a new run makes other images"
            counted = format_count(len(found), "image") if found else "no images"
            raise OutOfRange(f"{counted} with digest {one[:64]}: {why}")
        if not isinstance(one, SupportsIndex) or isinstance(one, bool):
            raise InvalidArgument(f"{show_value(one)} is no image: give its number, from 1, or its digest")
        places, number = list(self._places), operator.index(one)
        if number - 1 in places:
            return places.index(number - 1)
        why = self.missing.get(number - 1, f"they are counted from 1 to {self._every}")
        raise OutOfRange(f"there is no image {number}: {' '.join(why.split())}")

    def number(self, position: int) -> int:
        """Return the number of an image on the sheet, from 1, by its position, from 0."""
        return self._places[self._find_position(position)] + 1

    def describe(self) -> list[str]:
        """Return the label of each image: what was varied, or what differs between them."""
        axes = self.axes or (self._make_axis(),)
        places = self._places if self.axes else range(len(self))
        return [
            " · ".join(axis.format_label(at) for axis, at in zip(axes, get_coordinates(axes, place), strict=True))
            for place in places
        ]

    def _take(self, positions: Sequence[int]) -> Generations:
        """Return the images at these positions, with what was varied as one axis."""
        if twice := [at for at in positions if positions.count(at) > 1]:
            raise InvalidArgument(f"image {self.number(twice[0])} is given twice")
        items = [self._items[at] for at in positions]
        if not self.axes or not items:
            return Generations(items)
        values = [get_values(self.axes, self._places[at]) for at in positions]
        parts = [Axis(part.name, tuple(one[part.name] for one in values)) for part in flatten(self.axes)]
        return Generations(items, [pair_axes(parts)])

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._items)

    def sel(self, chosen: Mapping[str, object] | None = None, /, **values: object) -> Any:
        """Select by values of the axes, as in `foxes.sel(seed=3, steps=4)` or `foxes.sel({"seed": 3})`.

        Values are compared as strings without surrounding spaces, so `3` and `"3"` are the same. A size may be `(512,
        768)` as well as `"512x768"`. With a value for each axis the result is a Generation, otherwise the Generations
        of the remaining axes; a type checker cannot know which.

        Raises NotInSweep (a LookupError) for an axis or a value that the sweep does not have, and for an image that was
        not made.
        """
        if not isinstance(chosen, Mapping | None):
            raise InvalidArgument(f"{show_value(chosen)} names no axis: give, for example, sel(seed=3)")
        return self._select({**(chosen or {}), **values})

    def _select(self, values: Mapping[str, object]) -> Generation | Generations:
        from .sheet_output import Row

        chosen: dict[Axis, Sequence[int]] = {}
        for axis, part, value in self._match_axes(values):
            found = set(part.find(value))
            chosen[axis] = [at for at in chosen.get(axis, range(len(axis.values))) if at in found]
            if not chosen[axis]:
                named = " and ".join(f"{name} {show_value(one)}" for name, one in values.items())
                raise NotInSweep(f"this sweep has no pair of {named}")
        if self.axes and len(chosen) == len(self.axes) and all(len(places) == 1 for places in chosen.values()):
            return self._get_at({axis: at for axis, (at,) in chosen.items()})
        left = tuple(
            axis.take(chosen[axis]) if axis in chosen else axis
            for axis in self.axes
            if axis not in chosen or len(chosen[axis]) > 1
        )
        spans = [chosen.get(axis, range(len(axis.values))) for axis in self.axes]
        moved = {get_place(self.axes, at): new for new, at in enumerate(itertools.product(*spans))}
        kept = [(item, moved[place]) for item, place in zip(self._items, self._places, strict=True) if place in moved]
        troubles = {moved[place]: why for place, why in self._troubles.items() if place in moved}
        alone = {axis: at[0] for axis, at in chosen.items() if len(at) == 1}
        given = {
            part.name: Row([value := part.values[at]], [format_value(value)])
            for axis, at in alone.items()
            for part in flatten([axis])
        }
        rest = {*(part.name for part in flatten(left)), *OWN}
        words: dict[str, Any] = {name: fill_some_words(text, given, rest)[0] for name, text in self._words.items()}
        return Generations([item for item, _ in kept], left, [place for _, place in kept], troubles=troubles, **words)

    def _match_axes(self, values: Mapping[str, object]) -> Iterator[tuple[Axis, Axis, object]]:
        """Yield each value with its axis, and the part of this that has the name."""
        known = {part.name: (axis, part) for axis in self.axes for part in axis.parts or (axis,)}
        if not known:
            raise NotInSweep("this is not a sweep, so it has no axes: select images by position, from 0")
        for name, value in values.items():
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                meant = f"did you mean {close[0]}? " if close else ""
                raise NotInSweep(f"this sweep has no axis {show_value(name)}: {meant}It has {', '.join(known)}")
            yield *known[name], value

    def _get_at(self, chosen: Mapping[Axis, int]) -> Generation:
        place = get_place(self.axes, [chosen[axis] for axis in self.axes])
        for item, there in zip(self._items, self._places, strict=True):
            if there == place:
                return item
        why = " ".join(self.missing[place].split())
        raise NotInSweep(f"there is no image of {self._name_place(place)}: {why}")

    def _name_place(self, place: int) -> str:
        return " ".join(f"{name}={value}" for name, value in get_values(self.axes, place).items())

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        metadata: bool | None = None,
        strip_credentials: bool | None = None,
        sign: bool | None = None,
    ) -> list[Path]:
        """Write each image into a folder, or by a pattern, as `Generation.save` does; a pattern may also name the axes.

        If an image cannot be written, the others are still saved; the first error is raised at the end.
        """
        path = expand_path(check_path("path", path))
        axes, others = [axis.name for axis in flatten(self.axes)], _list_own(self)
        folder = check_target(
            path, len(self), [*axes, *others], sheet=True, delivered={one.files[0].media_type for one in self}
        )
        values: list[dict[str, object]] = [
            {**{name: item.parameters.get(name, "") for name in others}, **get_values(self.axes, place), "n": place + 1}
            for item, place in zip(self, self._places, strict=True)
        ]
        pattern = path if file_names.is_pattern(path) else ""
        if pattern:
            rows = [file_names.get_values(item.record, item.record.files[0]) for item in self]
            file_names.check_distinct(pattern, [row | own for row, own in zip(rows, values, strict=True)], axes)
        if len(self) > 1 and not pattern and is_folder(folder):
            folder.mkdir(parents=True, exist_ok=True)
        saved: list[Path] = []
        errors: list[FluxError] = []
        with limit_notes():
            for item, own in zip(self, values, strict=True):
                try:
                    target = file_names.fill_some(pattern, own) if pattern else path
                    saved += item.save(
                        target,
                        overwrite=overwrite,
                        metadata=metadata,
                        strip_credentials=strip_credentials,
                        sign=sign,
                    )
                except FluxError as error:
                    errors.append(error)
        if errors:
            raise errors[0]
        return saved

    @property
    def images(self) -> list[Image]:
        """The first image of each (Pillow), all decoded at each call: some 20 ms and 3 MB a megapixel.

        Raises StoreError if one is no longer in the store, and NotAnImage.
        """
        return [item.image for item in self]

    @property
    def caption(self) -> str | None:
        """The words under the sheet of a sweep, or None. Without a sweep, those that all images have."""
        if self.axes:
            return self._fill("caption") or None
        captions = {item.caption for item in self}
        return captions.pop() if len(captions) == 1 else None

    @property
    def alt(self) -> str:
        """The sheet's alternative text, never empty: the user's, else the prompts and the axes in words."""
        from .sheet_output import describe_sheet

        return self._fill("alt") or describe_sheet(self.axes or (self._make_axis(),), self._list_places())

    def _fill(self, word: str) -> str:
        """Return caption or alternative text, with the values of the axes."""
        from .sheet_output import Row

        each = [list_own(item) for item in self]
        shared = {name: Row([one[name] for one in each]) for name in OWN}
        values = shared | {axis.name: Row(axis.values, axis.format_values()) for axis in flatten(self.axes)}
        return fill_words(self._words[word], values).strip() if self.axes else ""

    @property
    def only_image(self) -> bool:
        """True if a notebook shows the images without the parameters that made them."""
        return bool(self._items) and all(item.only_image for item in self)

    def __await__(self) -> NoReturn:
        refuse_await()

    @takes(SheetOptions)
    def grid(self, *, dpi: int = 300, **options: Unpack[SheetOptions]) -> Image:
        """Return all images on one sheet with labels, as a Pillow image whose `save` writes a figure for a paper.

        `save` writes PNG, JPEG, TIFF, PDF and SVG (the images embedded, the labels as text), and what else Pillow does.
        A PNG, JPEG or WebP carries the records of the images, and `flux-magic verify` checks it. A note replaces an
        image whose file is gone.

        Args:
            labels: one string for each image; or `"(a)"`, `"A."`, `"(i)"` or `"1"`, which count; or a template such as
                `"seed {seed}"` or `"(a) {prompt}"`, with an image's parameters, `{caption}` and the axes. False for
                none. By default a sweep's values; without a sweep the images' captions, or what differs between them.
            row_labels, column_labels: likewise for each row and column; a sweep of two axes or more has them.
            title: above all.
            tile: pixels of an image's width, 16 to 4096; labels, margins and gaps grow with it. By default the columns
                share about 1,280 pixels. A smaller image is enlarged.
            gap: pixels between the images, 0 to 1000.
            columns: how many images stand side by side.
            dpi: pixels an inch of the files, 10 to 4800: with `tile=512, dpi=300` an image is 1.7 inches wide, and its
                label has 7 points.
            font: the file of a font, or its family (`"DejaVu Serif"`); a character that it lacks is taken from others.
            background: `"white"`, `"transparent"`, `"dark"` or `"grey"`.

        Example::

            >>> foxes = flux_magic.sweep("a {red|blue} fox", seed=42, quiet=True)
            >>> foxes.grid(labels="(a)", tile=512, title="Foxes").save("foxes.pdf")

        Raises InvalidRequest for another value, for too few or too many labels, and for a sheet that would be larger
        than image programs open.
        """
        from ..sweeps.sheet_file import SheetImage
        from .sheet_look import check_dpi

        return SheetImage.of(self._draw_as(options), self._collect_contents(), check_dpi(dpi))

    @takes(SheetOptions)
    def figure(self, *, dpi: int = 300, **options: Unpack[SheetOptions]) -> Figure:
        """Return the sheet of `grid` as a figure of matplotlib, with an `Axes` for each image, and the labels as text.

        The options are those of `grid`; `tile` is 512 by default.

        Example::

            >>> foxes = flux_magic.sweep("a {red|blue} fox", seed=42, quiet=True)
            >>> figure = foxes.figure(labels="(a)")
            >>> len(figure.axes)
            2

        Raises MissingExtra, which is an ImportError, without matplotlib; and the errors of `grid`.
        """
        from ..sweeps.sheet_figure import build_figure
        from .sheet_look import check_dpi

        if options.get("tile") is None:
            options["tile"] = 512
        return build_figure(self._draw_as(options), check_dpi(dpi), self._collect_contents().prompt)

    def _draw_as(self, options: SheetOptions) -> Sheet:
        """Return the sheet with these options; without any it is the one that is kept."""
        from ..sweeps.layout import Look
        from .sheet_look import check_plan, read_look

        axes = self.axes or (self._make_axis(),)
        items = dict(zip(self._places, self._items, strict=True))
        look = read_look(axes, items, self._every, options)
        if look == Look(background=look.background):
            return self._draw().repaint(look.background)
        check_plan(axes, self._list_sizes(), look)
        return self._mark_missing(self._make_sheet(look))

    def _collect_contents(self) -> Contents:
        """Return what a file of the sheet carries: no records if one of the images shall have none."""
        from . import sheet_output

        contents = sheet_output.collect_contents(self.axes or (self._make_axis(),), self._list_places())
        contents = replace(contents, signer=self._open_signing())
        return contents if self._carries else replace(contents, records=(), carried=())

    def _open_signing(self) -> Signing | None:
        """Return the signer of a sheet, if all its images are to be signed; None, with a note, if it cannot sign."""
        if not self._items or not all(item.sign for item in self):
            return None
        try:
            return open_signing(self._items[0].sign_as)
        except FluxError as error:
            print_note(f"the sheet is not signed: {error.message}")
            return None

    @property
    def _carries(self) -> bool:
        """True if a file of the sheet carries the records of its images."""
        return all(item.metadata for item in self)

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each finished image, in order.

        The first columns are the axes. Then come `prompt`, `seed`, `steps`, `width` and `height` (pixels), the other
        parameters that any image has, `model`, `digest` (64 hex digits), `path` (in the store, as a string, or None),
        `replayed`, and `seconds` (from the request to the last byte, or None). If an image went into any of them, there
        is `image`, the digest of what went in (of several, with spaces between). A column that is also an axis is there
        once.

        Raises MissingExtra, which is an ImportError, without pandas.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingExtra(f"a table needs pandas, which is not installed: {INSTALL}") from exc
        varied = [axis.name for axis in flatten(self.axes)]
        rows = [
            _collect_facts(item) | get_values(self.axes, place)
            for item, place in zip(self._items, self._places, strict=True)
        ]
        taken = list(dict.fromkeys(name for item in self for name in item.parameters))
        known = [name for name in COLUMNS if name not in EXTRA_COLUMNS or name in taken]
        at = known.index("model")
        images = ["image"] if any(item.record.images for item in self) else []
        ordered = [*known[:at], *(name for name in taken if name not in COLUMNS), *known[at:], *images]
        return pd.DataFrame(rows, columns=list(dict.fromkeys([*varied, *ordered])))

    def build_outputs(self) -> list[Output]:
        """Return what a notebook shows: the sheet and table of a sweep, otherwise each image and its parameters."""
        if not self.axes:
            return [one for item in self for one in _build_outputs(item)]
        # The drawing code is loaded only for a sheet, so a single image does not wait for it.
        from . import sheet_output

        clear = bool(self._items) and all(item.inline == "png" for item in self)
        encoded = self._draw().repaint("transparent" if clear else "grey").encode()
        places, caption = self._list_places(), self.caption
        build = functools.partial(
            sheet_output.build_sheet, self.axes, places, encoded, alt=self.alt, metadata=self._carries
        )
        try:
            sheet = build(signer=self._open_signing())
        except SaveError as error:
            print_note(f"the sheet shown is not signed: {error.message}")
            sheet = build()
        if self.only_image:
            return [sheet, *([output.build_caption(caption)] if caption else [])]
        return [sheet, sheet_output.build_table(self.axes, places, caption=caption)]

    def _list_places(self) -> list[Place]:
        """Return what a sheet shows in each place."""
        from .sheet_output import Place

        there = dict(zip(self._places, self._items, strict=True))
        missing = self.missing
        return [
            _make_place(there[place]) if place in there else Place(None, missing=missing[place])
            for place in range(self._every)
        ]

    def _draw(self) -> Sheet:
        """Return the sheet, with a note if an image is missing; draw it again if another one was drawn since."""
        sheet = self._mark_missing((self._sheet and self._sheet()) or self._make_sheet())
        self._sheet = _keep_sheet(sheet)
        return sheet

    def _mark_missing(self, sheet: Sheet) -> Sheet:
        for place, why in self.missing.items():
            sheet.mark(place, why)
        return sheet

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the sheet, which a copy draws again."""
        return {**vars(self), "_sheet": None}

    def _make_sheet(self, look: Look | None = None) -> Sheet:
        from ..sweeps.sheet import Sheet

        axes = self.axes or (self._make_axis(),)
        places = self._places if self.axes else range(len(self._items))
        sheet = Sheet(axes, self._list_sizes(), look)
        for place, item in zip(places, self._items, strict=True):
            try:
                sheet.put(place, codecs.decode(item.data))
            except FluxError as error:
                sheet.mark(place, error.message)
        return sheet

    def _make_axis(self) -> Axis:
        """Return the labels of images without a sweep."""
        from .differences import find_differences

        return find_differences(self._items)

    def _list_sizes(self) -> list[tuple[int, int]]:
        """Return the width and height requested for each image, also for missing ones."""
        records = [(item, item.record) for item in self]
        asked = [(one.requested_width or item.width, one.requested_height or item.height) for item, one in records]
        if not self.axes:
            return asked
        usual = asked[0] if asked else (1, 1)
        there = dict(zip(self._places, asked, strict=True))
        return [there.get(place) or self._get_size(place, usual) for place in range(self._every)]

    def _get_size(self, place: int, usual: tuple[int, int]) -> tuple[int, int]:
        values = get_values(self.axes, place)
        width, height = split_sides(str(values["size"])) if "size" in values else usual
        return int(values.get("width", width)), int(values.get("height", height))

    def __repr__(self) -> str:
        return replace_controls("\n".join([*map(repr, self), *self._describe_missing()]))

    def _describe_missing(self) -> list[str]:
        """Return a line about what is missing, if anything is."""
        missing = self.missing
        if not missing:
            return []
        named = [f"{self._name_place(place)} {' '.join(why.split())}" for place, why in missing.items()]
        head = f"{len(missing)} of {format_count(self._every, 'image')} {'is' if len(missing) == 1 else 'are'} missing"
        return [f"{head}: {'; '.join(list_few(named, MOST_NAMED))}"]

    def _ipython_display_(self) -> None:
        from IPython.display import display as show

        if self._shown:
            self._shown = False
            return
        for one in self.build_outputs():
            show(one.data, metadata=one.metadata, raw=True)


_latest: list[Sheet] = []
"""The last sheet, the only one kept: it takes some MB, and can be drawn again from its images."""


def forget_sheet() -> None:
    """Free the memory of the last sheet before another one begins."""
    _latest.clear()


def _keep_sheet(sheet: Sheet) -> ref[Sheet]:
    """Keep this sheet in place of the last one."""
    _latest[:] = [sheet]
    return ref(sheet)


def _make_place(item: Generation) -> Place:
    from .sheet_output import Place

    return Place(item.record, item.replayed, images=item.request.images)


def _build_outputs(item: Generation) -> list[Output]:
    """Return what a notebook shows of one of several images; if its file is gone, its line and the reason."""
    try:
        return item.build_outputs()
    except FluxError as error:
        return [Output({"text/plain": f"{item!r}: {error.message}"}, {})]


def _list_own(items: Iterable[Generation]) -> list[str]:
    """Return the names of the parameters that only some model has, without those that are a column already."""
    return list(dict.fromkeys(name for item in items for name in item.parameters if name not in COLUMNS))


def _collect_facts(item: Generation) -> dict[str, Any]:
    """Return what a table says of an image, by column; a model's own parameters have the last ones."""
    path = None if item.path is None else str(item.path)
    prompt, model = replace_controls(item.prompt), replace_controls(item.record.model)
    others = (item.parameters.get(name) for name in EXTRA_COLUMNS)
    told = (prompt, item.seed, item.steps, item.width, item.height, *others, model, item.digest, path)
    known = dict(zip(COLUMNS, (*told, item.replayed, item.record.circumstances.seconds), strict=True))
    images = " ".join(one.digest for one in item.record.images) or None
    return known | {name: value for name, value in item.parameters.items() if name not in known} | {"image": images}
