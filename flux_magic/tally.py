"""What has come of a sweep so far: the images there are, those that failed, and the sheet that fills in."""

from __future__ import annotations

from .client import incomplete
from .errors import FluxError, Incomplete
from .generation import Generation
from .generations import Generations
from .job import ClientEvent
from .settings import Settings, store_folder
from .sheet import Sheet
from .sweeps import Sweep


class Tally:
    """Takes the events of a sweep's images, in whatever order, each with its image's place."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._made: dict[int, Generation] = {}
        self._failures: dict[int, FluxError] = {}
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
        for place in range(len(self.sweep)):
            if place not in made and place not in self._failures:
                self._sheet.mark(place, "not made")
        troubles = {place: error.message for place, error in self._failures.items()}
        return Generations(list(made.values()), self.sweep.axes, list(made), troubles=troubles, sheet=self._sheet)

    def left(self, settings: Settings) -> str:
        """How far a sweep was when it was ended, and how to go on with it."""
        first = self.sweep.requests[0]
        done = f"{self.made} of {len(self.sweep)} images were made"
        if settings.replay == "off" or store_folder(settings) is None:
            return done
        again = f"add --seed {first.seed} and run the cell again" if first.chosen else "run the cell again"
        return f"{done}; {again}, and only what is missing is asked for"

    def failure(self) -> Incomplete | None:
        """What to raise at the end: None where nothing failed."""
        if not self._failures:
            return None
        hint = "The others are there: run the cell again, and only what is missing is asked for."
        return incomplete(len(self.sweep), self._failures, hint, self.generations())
