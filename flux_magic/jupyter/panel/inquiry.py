"""The description of the model at hand, requested in the background whenever the model or the Space changes."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from typing import Any

from ...client import blocking
from ...errors import FluxError
from ...parameters.settings import resolve
from ...providers import get_provider
from ...results.generation import Generation
from ..widgets import start_thread
from .parameters import Parameters
from .requests import get_configured
from .status import StatusLine


def find_unnamed(parameters: Parameters, opened_with: Generation | None, options: Mapping[str, Any]) -> str:
    """Return the Space that only the image names; empty if the user, `%config` or the model has it too."""
    space, own = parameters.space, get_provider(parameters.model).own_space()
    made_here = any(one is opened_with for one in blocking.history)
    named = {get_configured()["space"], own, "local", options.get("space") or ""}
    return "" if made_here or space in named else space


class Inquiry:
    """A background request for what the chosen model takes, which gives it to `parameters`.

    Args:
        parameters: the parameters that name the model and the Space.
        status: where it reports that the Space does not answer, or that it accepts less than what was set.
        busy: returns True while a job uses the status line.
        unnamed: a Space that an image names and the user has not: it is not asked before the first job; empty for none.
    """

    def __init__(self, parameters: Parameters, status: StatusLine, busy: Callable[[], bool], unnamed: str = "") -> None:
        self._unnamed = unnamed
        self._parameters, self._status, self._busy = parameters, status, busy
        self._unreachable: FluxError | None = None
        self._closed = self._answered = False
        self._begun: tuple[str | None, ...] = ()
        parameters.observe(lambda _: self.begin(), ["space", "model", "endpoint"])

    def begin(self) -> None:
        """Ask in the background, unless the user has not named this Space."""
        is_named = not self._unnamed or self._parameters.space != self._unnamed
        if is_named and self._begun != self._of_whom:
            self._begun = self._of_whom
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
        asked, found, trouble = self._of_whom, None, None
        space, model, endpoint = asked
        try:
            found = blocking.fetch_description(resolve(space=space, model=model, endpoint=endpoint))
        except FluxError as error:
            trouble = error
        except concurrent.futures.CancelledError:  # the process ends
            return
        if self._closed or asked != self._of_whom:
            return
        self._answered = found is not None
        if self._unreachable is not None:
            self._status.clear_error(self._unreachable)
        self._unreachable = trouble
        if trouble is not None and not self._busy():
            self._status.fail(trouble)
        try:
            if moved := self._parameters.learn(found):
                self._status.note("; ".join(moved))
        except Exception as error:  # noqa: BLE001 - an observer's
            self._status.fail(error)

    @property
    def _of_whom(self) -> tuple[str | None, ...]:
        return self._parameters.space, self._parameters.model, self._parameters.endpoint
