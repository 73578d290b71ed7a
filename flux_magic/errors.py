"""What can go wrong, as one tree.

::

    FluxError
    ├── InvalidRequest (also ValueError)       cannot be asked for: a value out of its range, an empty prompt
    │   ├── UnknownAttribute (also AttributeError)  there is no such name in the package, or in a panel
    │   └── InvalidArgument (also TypeError)   a call does not take this argument, or no value of this type
    ├── SaveError (also OSError)               a picture could not be written to where it was to go
    ├── StoreError (also OSError)              the store cannot be read or changed
    ├── RecordError (also ValueError)          no record, or one that cannot be read
    ├── NotInStore (also LookupError)          no such image, and with replay = "only" no Space is asked
    ├── NotInSweep (also LookupError)          a sweep has no such axis, value or image
    │   └── OutOfRange (also IndexError)       a sequence has no image at this position
    ├── MissingExtra (also ImportError)        this needs a package that is not installed
    ├── LocalSpaceError                        the bundled Space is not installed, or does not start
    ├── ConnectionFailed (also ConnectionError)  no connection to the Space
    │   └── ConnectionLost                     a connection that was there broke before the answer was whole
    ├── TimedOut (also TimeoutError)           a limit was reached; the message says which
    ├── Stopped                                `cancel_all()` ended the job
    ├── WouldDeadlock (also RuntimeError)      a blocking call on a thread that it would wait for
    ├── Incomplete                             some of several images failed; `failures` says which, and why
    └── ResponseError                          the Space answered, but not with an image
        ├── SpaceNotFound                      there is no such Space, or nothing of Gradio at the address
        ├── SpaceAsleep                        it sleeps, and did not wake in time
        ├── SpacePaused                        its owner has paused it
        ├── SpaceBroken                        it is being built, or its application does not run
        ├── SpaceChanged                       its endpoint takes other inputs than the provider sends
        ├── TokenRefused                       it wants a token, or another one
        │   └── LoginRequired                  it has a login, with a name and a password
        ├── RateLimited                        too many requests
        ├── QueueFull                          its queue takes no more jobs
        ├── SpaceError                         its application failed, in its own words
        │   ├── QuotaExceeded                  no GPU time is left; `retry_after` says for how long
        │   └── GpuTrouble                     the GPU was not to be had, or failed
        ├── CancelledByServer                  the job was taken off by the Space
        ├── EmptyResult                        the job ended well, with no image in it
        ├── NotAnImage                         the file behind the result is no picture
        │   └── UnreadableFormat               it is of a format that is not shown here, such as HEIC
        └── ProtocolError                      an HTTP error, a page, a broken stream
            └── StreamLost                     the connection was lost while the job ran

Every message is one to three lines: what happened, and on a line of its own what to do next.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

_SECRET = re.compile(
    r"(?<=//)[^/\s\"']+(?=@)|(?<=//)[^\s/@:\[\]]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"']{0,300}(?=@)|\bhf_\w+"
)
"""A password in an address, which may hold @ and /, or a token."""

_TYPED = re.compile(
    r"""(\b\w*(?:token|proxy|password|secret|api_key)\w*["']?\s*[=:]\s*[rbuf]{0,2})("[^"]*"?|'[^']*'?)""", re.IGNORECASE
)
"""A string in a line of code, by a name that secrets have."""


def masked(text: str) -> str:
    """The text without what looks like a token of Hugging Face's, or a password in an address."""
    return _SECRET.sub("***", text)


def cleaned(text: str) -> str:
    """Return the text as by `without_controls`, with no secret in it."""
    return without_controls(masked(text))


class FluxError(Exception):
    """The root of the tree; `message` says what happened and `hint` what to do next (may be empty)."""

    is_of_file: bool = False
    """Whether one image's file could not be fetched: another image's may be there."""

    verbose: ClassVar[bool] = False
    """Whether a notebook shows the traceback as well (`%config FluxMagics.verbose_errors = True`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = cleaned(message), cleaned(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in place of a traceback."""
        if FluxError.verbose:
            # The lines of a cell are among them, with what was typed there.
            return [_TYPED.sub(r'\1"***"', cleaned(line)) for line in traceback.format_exception(self)]
        return [f"{type(self).__name__}: {self}"]


class InvalidRequest(FluxError, ValueError):
    """What was asked for cannot be sent; the message says what is allowed."""


class UnknownAttribute(InvalidRequest, AttributeError):
    """A name that the package does not have, or one that a panel does not have and that would change nothing."""


class InvalidArgument(InvalidRequest, TypeError):
    """An argument that a call does not take, or a value of a type that it does not take."""


class SaveError(FluxError, OSError):
    """A picture could not be written to where it was to go."""


class StoreError(FluxError, OSError):
    """What is in the store cannot be read or changed."""


class RecordError(FluxError, ValueError):
    """What was taken for a record is none, or cannot be read."""


class NotInStore(FluxError, LookupError):
    """There is no such image in the store; with `replay = "only"` no Space is asked for it."""


class NotInSweep(FluxError, LookupError):
    """A sweep has no such axis, no such value, or no image there; the message says what it has."""


class OutOfRange(NotInSweep, IndexError):
    """A position in a sequence of images at which it has none."""


class MissingExtra(FluxError, ImportError):
    """This needs a package that is not installed; the message says how to install it."""


class LocalSpaceError(FluxError):
    """The bundled local Space is not installed, or does not start."""


class ConnectionFailed(FluxError, ConnectionError):
    """No connection to the Space could be made."""


class ConnectionLost(ConnectionFailed):
    """A connection broke before the answer was whole; the next one may hold."""


class TimedOut(FluxError, TimeoutError):
    """A limit was reached; the message says which."""


class Stopped(FluxError):
    """`cancel_all()` ended the job."""


class WouldDeadlock(FluxError, RuntimeError):
    """A blocking call on the thread that it would wait for."""


class Incomplete(FluxError):
    """Some of several images failed.

    `failures` has the error of each, by the place of its request, from 0; `made` the images there are, where they were
    not given out before.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        failures: Mapping[int, FluxError] | None = None,
        made: Sequence[Any] = (),
    ) -> None:
        super().__init__(message, hint)
        self.failures = dict(failures or {})
        self.made = made


class ResponseError(FluxError):
    """The Space answered, but not with an image. Catch this for whatever a Space does wrong."""


class SpaceNotFound(ResponseError):
    """There is no such Space, or nothing of Gradio at its address."""


class SpaceAsleep(ResponseError):
    """The Space sleeps, and did not wake in time."""


class SpacePaused(ResponseError):
    """The Space's owner has paused it; asking again does not wake it."""


class SpaceBroken(ResponseError):
    """The Space is being built, or its application does not run."""


class SpaceChanged(ResponseError):
    """The Space's endpoint takes other inputs than the provider sends; nothing was sent."""


class TokenRefused(ResponseError):
    """The Space wants a token, or another one."""


class LoginRequired(TokenRefused):
    """The Space's application has a login, with a name and a password, which no request of ours can pass."""


class RateLimited(ResponseError):
    """The Space, or the Hub before it, had too many requests from here.

    `retry_after` is how many seconds to wait, None where it was not told.
    """

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class QueueFull(ResponseError):
    """The Space's queue takes no more jobs for now."""


class SpaceError(ResponseError):
    """The Space's application failed; the message holds its own words."""


class QuotaExceeded(SpaceError):
    """No GPU time is left for this account or address.

    `retry_after` is how many seconds until there is some again, None where it was not told.
    """

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class GpuTrouble(SpaceError):
    """The GPU behind the Space was not to be had, or failed."""


class CancelledByServer(ResponseError):
    """The Space took the job off before it was done."""


class EmptyResult(ResponseError):
    """The job ended well, but there is no image in its result."""


class NotAnImage(ResponseError):
    """The file behind the result is not a picture that can be read.

    `url` is its address, where a Space made it: the job is done, and the file is there for some hours.
    """

    def __init__(self, message: str, hint: str = "", url: str = "") -> None:
        super().__init__(message, hint)
        self.url = url


class UnreadableFormat(NotAnImage):
    """A file of a format that is not shown here, such as HEIC, SVG or a video; the message names it."""


class ProtocolError(ResponseError):
    """An answer outside the protocol: an HTTP error, a page where data was due, a broken stream."""


class StreamLost(ProtocolError):
    """The connection to the Space was lost while the job ran."""


HOPELESS: Final = (
    ConnectionFailed,
    LocalSpaceError,
    QuotaExceeded,
    RateLimited,
    SpaceAsleep,
    SpaceBroken,
    SpaceChanged,
    SpaceNotFound,
    SpacePaused,
    TokenRefused,
    UnreadableFormat,
)
"""What a Space would answer, or not answer, for the next image as well: it is not asked for that."""


def is_hopeless(error: BaseException) -> bool:
    """Return True if the next image would meet this error as well.

    Those are the errors of HOPELESS, but for a lost connection and for the file of one image.
    """
    is_passing = isinstance(error, ConnectionLost) or (isinstance(error, FluxError) and error.is_of_file)
    return isinstance(error, HOPELESS) and not is_passing


def few(texts: Sequence[str], most: int) -> list[str]:
    """The first of them, and how many more there are."""
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return [*texts[:most], *more]


def shown(value: object) -> str:
    """A value as a message shows it: short, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of over 4300 digits
        return "a number of very many digits"
    except RecursionError:
        return "a value of very deep nesting"
    return text if len(text) <= 60 else f"{text[:57]}..."


# C0 and C1 controls but for a line's end and a tab, the controls that reorder text, and halves of a character.
STEERING: Final = "\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u206a-\u206f\ud800-\udfff"
"""The characters that steer a terminal, reorder text, or cannot be encoded, for a set of a regular expression."""


_STEERING: Final = re.compile(f"[{STEERING}]")


def without_controls(text: str) -> str:
    """Return the text with U+FFFD in place of what steers a terminal or cannot be encoded."""
    return _STEERING.sub("\ufffd", text.replace("\r\n", "\n"))
