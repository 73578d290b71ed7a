"""What has come of a sweep so far: the images there are, those that failed, and the sheet that fills in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import FluxError, Incomplete
from ..parameters.settings import Settings, store_folder
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations, forget_sheet
from ..sweeps.requests import Sweep
from ..sweeps.sheet import Sheet


def incomplete(
    number: int, failures: Mapping[int, FluxError], hint: str = "", made: Sequence[Generation] = ()
) -> Incomplete:
    """Return the error for several images of which some failed, by their places among `number`."""
    first = failures[min(failures)]
    same = "each" if len({error.message for error in failures.values()}) == 1 and len(failures) > 1 else "the first"
    said = first.message if len(failures) == 1 else f"{same}: {first.message}"
    return Incomplete(f"{len(failures)} of {number} images failed; {said}", hint or first.hint, failures, made)


class Tally:
    """Takes the events of a sweep's images, in whatever order, each with its image's place.

    Args:
        sweep: what is asked for.
        settings: with which; they tell whether what is finished is found again.
        option: how the caller writes a seed, which a text gets in place of `{}`.
    """

    def __init__(self, sweep: Sweep, settings: Settings, option: str = "--seed {}") -> None:
        self.sweep = sweep
        self._settings, self._option = settings, option
        self._made: dict[int, Generation] = {}
        self._failures: dict[int, FluxError] = {}
        forget_sheet()
        self._sheet = Sheet(sweep.axes, [(one.sent_width, one.sent_height) for one in sweep.requests])

    def take(self, place: int, event: ClientEvent | FluxError) -> None:
        """Take in what happened to the image at `place`, from 0, of the sweep's requests."""
        if isinstance(event, FluxError):
            self._failures[place] = event
            self._sheet.mark(place, f"failed: {event.message}")
        elif isinstance(event, Generation):
            self._made[place] = event
            try:
                self._sheet.put(place, event.files[0].image)
            except FluxError as error:  # its file is not in the store any more
                self._sheet.mark(place, error.message)

    @property
    def made(self) -> int:
        """How many images there are."""
        return len(self._made)

    @property
    def notes(self) -> list[str]:
        """What a person should know of the images, each once."""
        return list(dict.fromkeys(one.note for one in self._made.values() if one.note))

    def sheet(self) -> bytes:
        """The sheet as it is now, a JPEG."""
        return self._sheet.encoded()

    def generations(self) -> Generations:
        """What there is, in the order of the requests."""
        made = dict(sorted(self._made.items()))
        troubles = {place: error.message for place, error in self._failures.items()}
        return Generations(list(made.values()), self.sweep.axes, list(made), troubles=troubles, sheet=self._sheet)

    def left(self) -> str:
        """How far a sweep was when it was ended, and how to go on with it."""
        return "; ".join(filter(None, [f"{self.made} of {len(self.sweep)} images were made", self._again()]))

    def _again(self) -> str:
        """How what is missing is asked for; empty where the rest would be made again as well."""
        if not self.made or self._settings.replay != "auto" or store_folder(self._settings) is None:
            return ""
        first = self.sweep.requests[0]
        seed = f", with {self._option.format(first.seed)}" if first.chosen else ""
        return f"run again{seed}, it asks only for what is missing"

    def failure(self) -> Incomplete | None:
        """What to raise at the end: None where nothing failed."""
        if not self._failures:
            return None
        again = self._again()
        hint = f"The others are there: {again}." if again else ""
        return incomplete(len(self.sweep), self._failures, hint, self.generations())
