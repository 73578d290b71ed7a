"""Progress of a sweep: the finished images, the failures, and the sheet that fills in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..errors import FluxError, Incomplete, describe_made, format_count
from ..parameters.placeholders import fill_some_words
from ..parameters.settings import Settings, get_store_folder
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations, forget_sheet
from ..results.words import OWN, fill_words
from ..sweeps.axes import get_values
from ..sweeps.layout import Look
from ..sweeps.requests import Sweep
from ..sweeps.sheet import Sheet


def make_incomplete(
    number: int, failures: Mapping[int, FluxError], hint: str = "", made: Sequence[Generation] = ()
) -> Incomplete:
    """Return the error for several images of which some failed, by their places among `number`."""
    first = failures[min(failures)]
    same = "each" if len({error.message for error in failures.values()}) == 1 and len(failures) > 1 else "the first"
    said = first.message if len(failures) == 1 else f"{same}: {first.message}"
    return Incomplete(
        f"{len(failures)} of {format_count(number, 'image')} failed; {said}", hint or first.hint, failures, made
    )


_UNKNOWN_SIDE: Final = 1024
"""Pixels of a side that is left to the model, for the shape of its place on a sheet."""


class Tally:
    """Collector of the events of a sweep's images, in any order, each with its image's place.

    Args:
        sweep: the requested sweep.
        settings: the sweep's settings; they decide whether a second run finds the finished images.
        option: how the caller writes a seed, with `{}` in place of the number.
    """

    def __init__(self, sweep: Sweep, settings: Settings, option: str = "--seed {}") -> None:
        self.sweep = sweep
        self._settings, self._option = settings, option
        self._made: dict[int, Generation] = {}
        self._failures: dict[int, FluxError] = {}
        forget_sheet()
        sizes = [(one.sent_width or _UNKNOWN_SIDE, one.sent_height or _UNKNOWN_SIDE) for one in sweep.requests]
        self._sheet = Sheet(sweep.axes, sizes, Look(background="grey"))

    def list_requests(self) -> Iterable[object]:
        """Return the requests for `AsyncClient.stream_many`, each with the values of the axes in its caption."""
        settings = self._settings
        if "{" not in f"{settings.caption}{settings.alt}":
            return self.sweep.requests
        from .rows import RowRequest  # it reads tables, which other sweeps do not wait for

        rows: list[object] = []
        for place, request in enumerate(self.sweep.requests):
            values = get_values(self.sweep.axes, place)
            words: dict[str, Any] = {
                name: fill_some_words(text, values, {*OWN} - values.keys())[0]
                for name, text in {"caption": settings.caption, "alt": settings.alt}.items()
                if text
            }
            rows.append(RowRequest(request, replace(settings, **words), {}))
        return rows

    def take(self, place: int, event: ClientEvent | FluxError) -> None:
        """Record what happened to the image at `place`, from 0, of the sweep's requests."""
        if isinstance(event, FluxError):
            self._failures[place] = event
            self._sheet.mark(place, f"failed: {event.message}")
        elif isinstance(event, Generation):
            self._made[place] = fill_words(event, self._settings, get_values(self.sweep.axes, place))
            try:
                self._sheet.put(place, event.files[0].image)
            except FluxError as error:  # its file is no longer in the store
                self._sheet.mark(place, error.message)

    @property
    def made(self) -> int:
        """The number of finished images."""
        return len(self._made)

    @property
    def notes(self) -> list[str]:
        """Notes on the images for the user, each once."""
        return list(dict.fromkeys(one.note for one in self._made.values() if one.note))

    def encode_sheet(self) -> bytes:
        """Return the sheet as it is now, as a JPEG."""
        return self._sheet.encode()

    def collect_generations(self) -> Generations:
        """Return the finished images, in the order of the requests."""
        made = dict(sorted(self._made.items()))
        troubles = {place: error.message for place, error in self._failures.items()}
        return Generations(
            list(made.values()),
            self.sweep.axes,
            list(made),
            troubles=troubles,
            sheet=self._sheet,
            caption=self._settings.caption,
            alt=self._settings.alt,
        )

    def describe_progress(self) -> str:
        """Describe how far a sweep was when it ended, and how to continue it."""
        return "; ".join(filter(None, [describe_made(self.made, len(self.sweep)), self._describe_rest()]))

    def _describe_rest(self) -> str:
        """Describe how to request what is missing; empty if a new run would also repeat the finished images."""
        if not self.made or self._settings.replay != "auto" or get_store_folder(self._settings) is None:
            return ""
        first = self.sweep.requests[0]
        seed = f", with {self._option.format(first.seed)}" if first.chosen else ""
        return f"run it again{seed}, to request only what is missing"

    def build_failure(self) -> Incomplete | None:
        """Return the error to raise at the end, or None if nothing failed."""
        if not self._failures:
            return None
        again = self._describe_rest()
        hint = f"The others are finished: {again}." if again else ""
        return make_incomplete(len(self.sweep), self._failures, hint, self.collect_generations())
