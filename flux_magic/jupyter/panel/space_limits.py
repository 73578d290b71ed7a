"""What a panel's Space takes: asked whenever it is another Space, and nobody waits for it."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

from ...client import blocking
from ...errors import FluxError
from ...parameters.settings import resolve
from .parameters import Parameters
from .queue import started
from .status import StatusLine


class Inquiry:
    """Asks for the bounds of the Space that is set, and gives them to `parameters`.

    Args:
        parameters: whose Space it is.
        status: where it is told that the Space does not answer, or that it takes less than what was set.
        busy: whether the status line is a job's.
        unnamed: a Space that an image names and the user has not: it is not asked before a job was; empty for none.
    """

    def __init__(self, parameters: Parameters, status: StatusLine, busy: Callable[[], bool], unnamed: str = "") -> None:
        self._unnamed = unnamed
        self._parameters, self._status, self._busy = parameters, status, busy
        self._unreachable: FluxError | None = None
        self._closed = self._answered = False
        parameters.observe(lambda _: self.begin(), ["space", "model"])

    def begin(self) -> None:
        """Ask, without waiting for it, unless the user has not named this Space."""
        if not self._unnamed or self._parameters.space != self._unnamed:
            started(self._ask)

    def ask_again(self) -> None:
        """Ask if there was no answer: the local Space gives one once it runs; this follows a press."""
        self._unnamed = ""
        if not self._answered:
            self._ask()

    def close(self) -> None:
        """Let no answer change anything any more."""
        self._closed = True

    def _ask(self) -> None:
        asked, told, trouble = self._of_whom, None, None
        try:
            told = blocking.bounds(resolve(space=self._parameters.space, model=self._parameters.model))
        except FluxError as error:
            trouble = error
        except concurrent.futures.CancelledError:  # the process ends
            return
        if self._closed or asked != self._of_whom:
            return
        self._answered = told is not None
        if self._unreachable is not None:
            self._status.mended(self._unreachable)
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
