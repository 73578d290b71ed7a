"""What can go wrong, as one tree.

::

    FluxError
    ├── InvalidRequest (also ValueError)       cannot be asked for: a value out of its range, an empty prompt
    ├── SaveError (also OSError)               a picture could not be written to where it was to go
    ├── LocalSpaceError                        the bundled Space is not installed, or does not start
    ├── ConnectionFailed (also ConnectionError)  no connection to the Space
    ├── TimedOut (also TimeoutError)           a limit was reached; the message says which
    └── ResponseError                          the Space answered, but not with an image
        ├── SpaceError                         its application failed, in its own words
        ├── CancelledByServer                  the job was taken off by the Space
        ├── EmptyResult                        the job ended well, with no image in it
        ├── NotAnImage                         the file behind the result is no picture
        └── ProtocolError                      an HTTP error, a page, a broken or cut stream

Every message is one to three lines: what happened, and on a line of its own what to do next.
"""

from __future__ import annotations

import re
import traceback
from typing import ClassVar

_SECRET = re.compile(r"(?<=//)[^/@\s]+(?=@)|\bhf_\w+")


class FluxError(Exception):
    """The root of the tree; `message` says what happened and `hint` what to do next (may be empty)."""

    verbose: ClassVar[bool] = False
    """Whether a notebook shows the traceback as well (`%config FluxMagics.verbose_errors = True`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in place of a traceback."""
        if FluxError.verbose:
            # The lines of a cell are among them, with what was typed there.
            return [_SECRET.sub("***", line) for line in traceback.format_exception(self)]
        return [f"{type(self).__name__}: {self}"]


class InvalidRequest(FluxError, ValueError):
    """What was asked for cannot be sent; the message says what is allowed."""


class SaveError(FluxError, OSError):
    """A picture could not be written to where it was to go."""


class LocalSpaceError(FluxError):
    """The bundled local Space is not installed, or does not start."""


class ConnectionFailed(FluxError, ConnectionError):
    """No connection to the Space could be made."""


class TimedOut(FluxError, TimeoutError):
    """A limit was reached; the message says which."""


class ResponseError(FluxError):
    """The Space answered, but not with an image. Catch this for whatever a Space does wrong."""


class SpaceError(ResponseError):
    """The Space's application failed; the message holds its own words."""


class CancelledByServer(ResponseError):
    """The Space took the job off before it was done."""


class EmptyResult(ResponseError):
    """The job ended well, but there is no image in its result."""


class NotAnImage(ResponseError):
    """The file behind the result is not a picture that can be read."""


class ProtocolError(ResponseError):
    """An answer outside the protocol: an HTTP error, a page where data was due, a broken stream."""


def shown(value: object) -> str:
    """A value as a message shows it: short, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of over 4300 digits
        return "a number of very many digits"
    return text if len(text) <= 60 else f"{text[:57]}..."
