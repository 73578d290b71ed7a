"""The limits of a panel's Space, requested in the background whenever the Space changes."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

from ...client import blocking
from ...errors import FluxError
from ...parameters.settings import resolve
from .parameters import Parameters
from .queue import start_thread
from .status import StatusLine


class Inquiry:
    """A background request for the bounds of the chosen Space, which gives them to `parameters`.

    Args:
        parameters: the parameters that name the Space.
        status: where it reports that the Space does not answer, or that it accepts less than what was set.
        busy: returns True while a job uses the status line.
        unnamed: a Space that an image names and the user has not: it is not asked before the first job; empty for none.
    """

    def __init__(self, parameters: Parameters, status: StatusLine, busy: Callable[[], bool], unnamed: str = "") -> None:
        self._unnamed = unnamed
        self._parameters, self._status, self._busy = parameters, status, busy
        self._unreachable: FluxError | None = None
        self._closed = self._answered = False
        parameters.observe(lambda _: self.begin(), ["space", "model"])

    def begin(self) -> None:
        """Ask in the background, unless the user has not named this Space."""
        if not self._unnamed or self._parameters.space != self._unnamed:
            start_thread(self._ask)

    def ask_again(self) -> None:
        """Ask once more, after a job, if there was no answer: the local Space gives one once it runs."""
        self._unnamed = ""
        if not self._answered:
            self._ask()

    def close(self) -> None:
        """Ignore all answers from now on."""
        self._closed = True

    def _ask(self) -> None:
        asked, told, trouble = self._of_whom, None, None
        try:
            told = blocking.fetch_bounds(resolve(space=self._parameters.space, model=self._parameters.model))
        except FluxError as error:
            trouble = error
        except concurrent.futures.CancelledError:  # the process ends
            return
        if self._closed or asked != self._of_whom:
            return
        self._answered = told is not None
        if self._unreachable is not None:
            self._status.clear_error(self._unreachable)
        self._unreachable = trouble
        if trouble is not None and not self._busy():
            self._status.fail(trouble)
        try:
            for moved in self._parameters.learn(told or {}):
                self._status.note(moved)
        except Exception as error:  # noqa: BLE001 - an observer's
            self._status.fail(error)

    @property
    def _of_whom(self) -> tuple[str, str]:
        return self._parameters.space, self._parameters.model
