"""The work on a job: its images made, reported, and put on view."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from contextlib import closing

from ...client.progress import Bar
from ...errors import describe_made
from ...results.generation import Generation
from ...sweeps.requests import Sweep
from .compare import ComparisonView
from .output import Shown, View
from .queue import Cancelled, PanelTask
from .status import StatusLine
from .thumbnails import Strip


class Work:
    """The worker for a panel's jobs, on the thread that calls it.

    Args:
        status: where it reports how a job goes.
        view: where a sheet fills in.
        strip: where each result goes.
        show: shows an incomplete sheet, or without one what the panel's traits say.
        put: sets one of these traits, `generation` or `generations`. Must not raise.

    Attributes:
        failure: the error of the last job, or of an observer of it; None if all went well.
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
        """Do one job, and return True if it came to its end. Raises nothing."""
        self.failure, self._made = None, 0
        count, begin = len(job.requests), time.monotonic()
        try:
            if job.sweep is None:
                self._make(job)
            else:
                self._compare(job, job.sweep)
        except (Cancelled, concurrent.futures.CancelledError):
            self._status.say(f"cancelled{self._describe_some(count, ': ')}")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs into the status line and to `wait`
            self.on_failure(error, self._describe_some(count))
        else:
            self._status.note(f"done in {time.monotonic() - begin:.1f} s")
            return True
        return False

    def on_failure(self, error: BaseException, more: str = "") -> None:
        """Keep and show an error of a job or of an observer."""
        self.failure = error
        self._status.fail(error, more)

    def _make(self, job: PanelTask) -> None:
        """Make one image after the other, and show each as it comes."""
        bar = Bar(self._status, len(job.requests), patience=0)
        with closing(job.iterate_events()) as events:
            for event in events:
                bar.show(event)
                if isinstance(event, Generation):
                    self._made += 1
                    self._strip.add(event)
                    self._put("generation", event)

    def _compare(self, job: PanelTask, sweep: Sweep) -> None:
        """Make several images at once, and show their sheet as it fills in."""
        comparison = ComparisonView(job, sweep, self._status, self._view, self._show)
        try:
            with closing(comparison.iterate_images()) as images:
                for image in images:
                    self._made += 1
                    self._strip.add(image)
        finally:
            if (sheet := comparison.build_sheet()) is None:
                self._show(None)
            else:
                self._strip.add(sheet)
                self._put("generations", sheet)

    def _describe_some(self, count: int, before: str = "") -> str:
        """Return how many of several images were made; empty if none was."""
        return f"{before}{describe_made(self._made, count)}" if self._made else ""
