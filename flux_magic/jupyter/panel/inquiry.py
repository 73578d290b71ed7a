"""The description of the model at hand, requested in the background whenever the model or the Space changes."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...client import blocking
from ...errors import FluxError
from ...parameters.settings import resolve
from ...providers import get_provider
from ...providers.registry import find_engine
from ...results.generation import Generation
from ..widgets import start_thread
from .parameters import PLACE, Parameters
from .requests import get_configured
from .status import StatusLine


def find_unnamed(parameters: Parameters, opened_with: Generation | None, options: Mapping[str, Any]) -> str:
    """Return the Space or the engine that only the image names; "" if the user, `%config` or the model has it too."""
    made_here, known = any(one is opened_with for one in blocking.history), get_configured()
    if engine := find_engine(parameters.provider):
        named = {known["provider"], options.get("provider")}
        return "" if made_here or not engine.is_paid or parameters.provider in named else parameters.provider
    space, own = parameters.space, get_provider(parameters.model).own_space()
    named = {known["space"], own, "local", options.get("space") or ""}
    return "" if made_here or space in named else space


class Inquiry:
    """A background request for what the chosen model takes, which gives it to `parameters`.

    Args:
        parameters: the parameters that name the model and the Space.
        status: where it reports that the Space does not answer, or that it accepts less than what was set.
        busy: returns True while a job uses the status line.
        unnamed: a Space, or an engine that is paid, that an image names and the user has not: it is not asked before
            the first job; empty for none.
        on_begun: called when it begins to ask. When there is an answer, `parameters` call their own observers.

    Attributes:
        is_asking: True until there is an answer, or an error.
    """

    def __init__(
        self,
        parameters: Parameters,
        status: StatusLine,
        busy: Callable[[], bool],
        unnamed: str = "",
        on_begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._unnamed, self._on_begun, self.is_asking = unnamed, on_begun, False
        self._parameters, self._status, self._busy = parameters, status, busy
        self._unreachable: FluxError | None = None
        self._closed = self._answered = False
        self._begun: tuple[str | None, ...] = ()
        parameters.observe(lambda _: self.begin(), [*PLACE, "endpoint"])

    def begin(self) -> None:
        """Ask in the background, unless the user has not named this Space."""
        is_named = not self._unnamed or self._unnamed not in {self._parameters.space, self._parameters.provider}
        if is_named and self._begun != self._of_whom:
            self._begun, self._answered, self.is_asking = self._of_whom, False, True
            self._on_begun()
            start_thread(partial(self._ask, self._begun))

    def ask_again(self) -> None:
        """Ask once more, after a job, if there was no answer: the local Space gives one once it runs."""
        self._unnamed = ""
        if not self._answered:
            self._ask(self._of_whom)

    def close(self) -> None:
        """Ignore all answers from now on."""
        self._closed = True

    def _ask(self, asked: tuple[str | None, ...]) -> None:
        found, trouble = None, None
        try:
            found = blocking.fetch_description(resolve(**dict(zip((*PLACE, "endpoint"), asked, strict=True))))
        except FluxError as error:
            trouble = error
        except concurrent.futures.CancelledError:  # the process ends
            return
        if self._closed or asked != self._of_whom:
            return
        self._answered = found is not None and bool(found.parameters)  # a model that is not on the disk yet has none
        self.is_asking = False
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
        return *self._parameters.place.values(), self._parameters.endpoint
