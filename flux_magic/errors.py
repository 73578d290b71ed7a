"""The error tree.

::

    FluxError
    ├── InvalidRequest (also ValueError)       cannot be asked for: a value out of its range, an empty prompt
    │   ├── UnknownAttribute (also AttributeError)  there is no such name in the package, or in a panel
    │   └── InvalidArgument (also TypeError)   a call does not take this argument, or no value of this type
    ├── SaveError (also OSError)               an image could not be written to where it was to go
    ├── StoreError (also OSError)              the store cannot be read or changed
    ├── RecordError (also ValueError)          no record, or one that cannot be read
    ├── CapsuleError (also ValueError)         no capsule, or one that is not unpacked here
    ├── NotInStore (also LookupError)          no such image, and with replay = "only" no Space is asked
    ├── NotInSweep (also LookupError)          a sweep has no such axis, value or image
    │   └── OutOfRange (also IndexError)       a sequence has no image at this position
    ├── MissingExtra (also ImportError)        this needs a package that is not installed
    ├── ModelUnavailable                       the files of a model for your own GPU cannot be had or loaded
    ├── NotEnoughMemory (also MemoryError)     a model, or an image of this size, does not fit into the memory
    ├── LocalSpaceError                        the bundled Space is not installed, or does not start
    ├── ConnectionFailed (also ConnectionError)  no connection to the Space
    │   └── ConnectionLost                     a connection that was there broke before the answer was whole
    ├── ClusterError                           a worker of a Dask cluster could not make an image, or died
    │   └── ClusterUnavailable                 no scheduler, another version on a worker, or the connection was lost
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
        ├── NotAnImage                         the file behind the result is no image
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

# Expressions here are strings, which `re` compiles once, at their first use: loading the extension needs none of them.
_HIDDEN: Final = r"(?<=//)[^/\s\"']+(?=@)|(?<=//)[^\s/@:\[\]]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"']{0,300}(?=@)|\bhf_\w+"
"""A password in an address, which may hold @ and /, or a token."""

_TYPED: Final = (
    r"""(?i)(\b\w*(?:token|proxy|password|secret|api_key)\w*["']?\s*[=:]\s*[rbuf]{0,2})("[^"]*"?|'[^']*'?)"""
)
"""A string in a line of code, by a name that secrets have."""


def mask_secrets(text: str) -> str:
    """Return the string with Hugging Face tokens, and passwords in addresses, masked."""
    return re.sub(_HIDDEN, "***", text)


def clean(text: str) -> str:
    """Return the string without control characters and secrets."""
    return replace_controls(mask_secrets(text))


class FluxError(Exception):
    """The root of the tree. `message` says what happened, and `hint` what to do next; it may be empty."""

    is_of_file: bool = False
    """True if the file of one image could not be fetched; the files of other images may be there."""

    verbose: ClassVar[bool] = False
    """True if a notebook shows the traceback as well (`%config FluxMagics.verbose_errors = True`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = clean(message), clean(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is copied, pickled, and sent by Dask, whose own way fails for errors of two kinds."""
        return type(self), (self.message, self.hint), vars(self)

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows in place of a traceback."""
        if FluxError.verbose:
            # The lines of a cell are among them, with what was typed there.
            return [re.sub(_TYPED, r'\1"***"', clean(line)) for line in traceback.format_exception(self)]
        return [f"{type(self).__name__}: {self}"]


class InvalidRequest(FluxError, ValueError):
    """A request that cannot be sent; the message says what is allowed."""


class UnknownAttribute(InvalidRequest, AttributeError):
    """A name that the package does not have, or one that a panel does not have and that would change nothing."""


class InvalidArgument(InvalidRequest, TypeError):
    """An argument that a call does not take, or a value of a type that it does not take."""


class SaveError(FluxError, OSError):
    """An image could not be written to the given path."""


class StoreError(FluxError, OSError):
    """The store cannot be read or changed."""


class RecordError(FluxError, ValueError):
    """Something that is not a record, or a record that cannot be read."""


class CapsuleError(FluxError, ValueError):
    """Something that is not a capsule, or one that could do harm and is not unpacked."""


class NotInStore(FluxError, LookupError):
    """An image that is not in the store; with `replay = "only"` no Space is contacted."""


class NotInSweep(FluxError, LookupError):
    """A sweep has no such axis, no such value, or no image there; the message says what it has."""


class OutOfRange(NotInSweep, IndexError):
    """A position in a sequence of images at which it has none."""


class MissingExtra(FluxError, ImportError):
    """This needs a package that is not installed; the message says how to install it."""


class ModelUnavailable(FluxError):
    """The files of a model for your own GPU cannot be had, or are not such as are loaded here."""


class NotEnoughMemory(FluxError, MemoryError):
    """A model, or an image of this size, does not fit into the memory; the message says what would help."""


class LocalSpaceError(FluxError):
    """The bundled local Space is not installed, or does not start."""


class ConnectionFailed(FluxError, ConnectionError):
    """No connection to the Space could be made."""


class ConnectionLost(ConnectionFailed):
    """A connection broke before the answer was whole; the next one may hold."""


class ClusterError(FluxError):
    """A worker of a Dask cluster could not make an image, or died while it did."""


class ClusterUnavailable(ClusterError):
    """A Dask cluster that cannot be used: no scheduler, another version on a worker, a connection that was lost."""


class TimedOut(FluxError, TimeoutError):
    """A limit was reached; the message says which."""


class Stopped(FluxError):
    """The job was ended by `cancel_all()`."""


class WouldDeadlock(FluxError, RuntimeError):
    """A blocking call on the thread that it would wait for."""


class Incomplete(FluxError):
    """Some of several images failed.

    `failures` has the error of each, by the place of its request, from 0; `made` the images there are, if they were not
    given out before.
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
    """An answer of the Space that is not an image. Catch this for anything that a Space does wrong."""


class SpaceNotFound(ResponseError):
    """A Space that does not exist, or an address without a Gradio app."""


class SpaceAsleep(ResponseError):
    """The Space sleeps, and did not wake in time."""


class SpacePaused(ResponseError):
    """The Space's owner has paused it; asking again does not wake it."""


class SpaceBroken(ResponseError):
    """A Space that is being built, or whose application does not run."""


class SpaceChanged(ResponseError):
    """The Space's endpoint takes other inputs than the provider sends; nothing was sent."""


class TokenRefused(ResponseError):
    """A Space that requires a token, or another one."""


class LoginRequired(TokenRefused):
    """A Space whose application asks for a user name and password, which flux_magic cannot send."""


class RateLimited(ResponseError):
    """The Space, or the Hub before it, had too many requests from here.

    `retry_after` is how many seconds to wait, or None if it was not told.
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

    `retry_after` is how many seconds until there is some again, or None if it was not told.
    """

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class GpuTrouble(SpaceError):
    """The GPU behind the Space was not to be had, or failed."""


class CancelledByServer(ResponseError):
    """The Space took the job off before it was done."""


class EmptyResult(ResponseError):
    """A job that succeeded without an image in its result."""


class NotAnImage(ResponseError):
    """A file in the result that cannot be read as an image.

    `url` is its address, if a Space made it: the job is done, and the file is there for some hours.
    """

    def __init__(self, message: str, hint: str = "", url: str = "") -> None:
        super().__init__(message, hint)
        self.url = url


class UnreadableFormat(NotAnImage):
    """A file of a format that is not shown here, such as HEIC, SVG or a video; the message names it."""


class ProtocolError(ResponseError):
    """A response outside the protocol: an HTTP error, a page instead of data, or a broken stream."""


class StreamLost(ProtocolError):
    """The connection to the Space was lost while the job ran."""


HOPELESS: Final = (
    ClusterUnavailable,
    ConnectionFailed,
    LocalSpaceError,
    MissingExtra,
    ModelUnavailable,
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
"""Errors that the next image would meet as well. After one of them the Space is not contacted again."""


def is_hopeless(error: BaseException) -> bool:
    """Return True if the next image would meet this error as well.

    Those are the errors of HOPELESS, but for a lost connection and for the file of one image.
    """
    is_passing = isinstance(error, ConnectionLost) or (isinstance(error, FluxError) and error.is_of_file)
    return isinstance(error, HOPELESS) and not is_passing


def format_count(number: int, noun: str) -> str:
    """Return a number of things in words: `1 image`, `12 images`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe_made(made: int, every: int) -> str:
    """Return how many of several images were made: `1 of 8 images was made`."""
    return f"{made} of {format_count(every, 'image')} {'was' if 1 in {made, every} else 'were'} made"


def list_few(texts: Sequence[str], most: int) -> list[str]:
    """Return the first of the strings, and how many more there are."""
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return [*texts[:most], *more]


def show_value(value: object) -> str:
    """Return a short form of a value for a message, whatever the value is."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print a number of over 4300 digits
        return "a number with very many digits"
    except RecursionError:
        return "a very deeply nested value"
    return text if len(text) <= 60 else f"{text[:57]}..."


# C0 and C1 controls but for a line's end and a tab, the controls that reorder text, and halves of a character.
STEERING: Final = "\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u206a-\u206f\ud800-\udfff"
"""Characters that control a terminal, reorder text, or cannot be encoded, as a set of a regular expression."""


def replace_controls(text: str) -> str:
    """Return the string with U+FFFD in place of characters that control a terminal or cannot be encoded."""
    return re.sub(f"[{STEERING}]", "\ufffd", text.replace("\r\n", "\n"))
