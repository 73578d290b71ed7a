"""What becomes of a job: its images made, told of, and put on view."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from contextlib import closing

from ...client.progress import Bar
from ...results.generation import Generation
from ...sweeps.requests import Sweep
from .compare import ComparisonView
from .output import Shown, View
from .queue import Cancelled, PanelTask
from .status import StatusLine
from .thumbnails import Strip


class Work:
    """Does a panel's jobs, on whatever thread it is called.

    Args:
        status: where it is told how a job goes.
        view: where a sheet fills in.
        strip: where each result goes.
        show: puts a sheet on view that fills in, or without one what the panel's traits say.
        put: sets one of these traits, `generation` or `generations`; raises nothing.

    Attributes:
        failure: what the last job met, or an observer of it; None where all went well.
    """

    def __init__(
        self,
        status: StatusLine,
        view: View,
        strip: Strip,
        show: Callable[[Shown | None], None],
        put: Callable[[str, object], None],
    ) -> None:
        self._status, self._view, self._strip = status, view, strip
        self._show, self._put = show, put
        self._made = 0
        self.failure: BaseException | None = None

    def do(self, job: PanelTask) -> bool:
        """One job, to its end; returns whether it got there. Raises nothing."""
        self.failure, self._made = None, 0
        count, begin = len(job.requests), time.monotonic()
        try:
            if job.sweep is None:
                self._make(job)
            else:
                self._compare(job, job.sweep)
        except (Cancelled, concurrent.futures.CancelledError):
            self._status.say(f"cancelled{self._some(count, ': ')}")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs into the status line and to `wait`
            self.failed(error, self._some(count))
        else:
            self._status.note(f"done in {time.monotonic() - begin:.1f} s")
            return True
        return False

    def failed(self, error: BaseException, more: str = "") -> None:
        """Something went wrong: with a job, or in an observer."""
        self.failure = error
        self._status.fail(error, more)

    def _make(self, job: PanelTask) -> None:
        """One image after the other, each on view as it comes."""
        bar = Bar(self._status, len(job.requests), patience=0)
        with closing(job.events()) as events:
            for event in events:
                bar.show(event)
                if isinstance(event, Generation):
                    self._made += 1
                    self._strip.add(event)
                    self._put("generation", event)

    def _compare(self, job: PanelTask, sweep: Sweep) -> None:
        """Some images at once, and their sheet on view as it fills in."""
        comparison = ComparisonView(job, sweep, self._status, self._view, self._show)
        try:
            with closing(comparison.images()) as images:
                for image, label in images:
                    self._made += 1
                    self._strip.add(image, label)
        finally:
            if (sheet := comparison.sheet()) is None:
                self._show(None)
            else:
                self._strip.add(sheet, f"sheet of {len(sheet)}")
                self._put("generations", sheet)

    def _some(self, count: int, before: str = "") -> str:
        """How many of several images were made, where that is not all there is to say."""
        return f"{before}{self._made} of {count} images were made" if self._made else ""
