"""The errors of `huggingface_hub` and of the servers behind it, in our own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ...errors import (
    ConnectionFailed,
    ConnectionLost,
    FluxError,
    MissingExtra,
    NotAnImage,
    NotInStore,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    ResponseError,
    SpaceError,
    SpaceNotFound,
    TimedOut,
    TokenRefused,
)
from ...types import fit_one_line
from ..http.hosts import show_host
from ..http.response import StatusError, parse_retry_after

INSTALL: Final = 'pip install "flux-magic[inference]"'

ADVICE: Final = (
    "Log in with hf auth login, set HF_TOKEN, or %config FluxMagics.token; the token needs the permission "
    '"Make calls to Inference Providers": https://huggingface.co/settings/tokens'
)
_ONLINE: Final = "Check your connection; behind a proxy set HTTPS_PROXY before Python starts."
_BILLED: Final = "The image may have been made, and billed, all the same."


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that something failed for.

    Attributes:
        model: the model's name.
        who: the company or the server, for a person.
        url: the address of the last request.
        token: which no message shows.
        is_accepted: True if the server has taken the job, so that it may be billed.
        is_sent: True if the job was sent, whether or not it arrived.
    """

    model: str
    who: str
    url: str = ""
    token: str = ""
    is_accepted: bool = False
    is_sent: bool = False

    @property
    def billed(self) -> str:
        """The hint that the image may have been paid for; empty if that cannot be."""
        return _BILLED if self.is_sent or self.is_accepted else ""

    def shorten(self, text: str) -> str:
        """Return a server's words on one line, without the token."""
        return fit_one_line(text.replace(self.token, "***") if self.token else text)


def translate(exc: Exception, asked: Asked) -> FluxError:
    """Return our error for any exception that a call of `huggingface_hub` ended with."""
    kinds = {kind.__name__ for kind in type(exc).__mro__}
    if isinstance(exc, FluxError):
        return exc
    if isinstance(exc, ImportError):
        return MissingExtra(f"Inference Providers need huggingface_hub 2.4 or later: {INSTALL}")
    if (response := getattr(exc, "response", None)) is not None:
        return _translate_status(response, asked, kinds)
    return _translate_transport(exc, asked, kinds) or _translate_answer(exc, asked, kinds)


def _translate_transport(exc: Exception, asked: Asked, kinds: set[str]) -> FluxError | None:
    """Return the error for a request without a whole answer; None for any other."""
    host = show_host(asked.url) or asked.who
    if "OfflineModeIsEnabled" in kinds:
        return NotInStore(
            "huggingface_hub is offline: it asks nothing", "Unset HF_HUB_OFFLINE, and start Python again."
        )
    if "ConnectTimeout" in kinds | {type(exc.__cause__).__name__}:
        return ConnectionFailed(f"no connection to {host} in time", _ONLINE)
    if isinstance(exc, TimeoutError) or "TimeoutException" in kinds:
        return TimedOut(f"{asked.who} sent no image in time", f"{asked.billed} Try again later.".strip())
    if kinds & {"ConnectError", "ProxyError"}:
        return ConnectionFailed(f"no connection to {host}: {asked.shorten(str(exc))}", _ONLINE)
    if "HTTPError" in kinds:
        return ConnectionLost(f"the connection to {host} broke: {type(exc).__name__}", asked.billed)
    return None


def _translate_answer(exc: Exception, asked: Asked, kinds: set[str]) -> FluxError:
    """Return the error for an answer that is no image, or that says that there will be none."""
    if "UnidentifiedImageError" in kinds:
        return NotAnImage(f"{asked.who} sent something that is no image", asked.billed)
    if isinstance(exc, ValueError) and not kinds & {"JSONDecodeError", "UnicodeDecodeError", "Error"}:
        return SpaceError(f"{asked.who} failed: {asked.shorten(str(exc))}", asked.billed)
    return ProtocolError(f"{asked.who} sent an answer without an image ({type(exc).__name__})", asked.billed)


def _translate_status(response: Any, asked: Asked, kinds: set[str]) -> ResponseError:
    """Return the error for an HTTP status, with the server's own words if there are any."""
    status, who, model = response.status_code, asked.who, asked.model
    words, wait = _read_words(response, asked), _read_wait(response.headers)
    said = f": {words}" if words else ""
    is_unknown = status == 404 or "RepositoryNotFoundError" in kinds  # 401 too, for a model that is private
    if "GatedRepoError" in kinds or "gated" in words.lower():
        hint = f"Accept its terms on https://huggingface.co/{model}, and use a token of that account."
        error: ResponseError = TokenRefused(f"{model} is gated{said}", hint)
    elif is_unknown:
        hint = f"Check its name; %flux_status --provider inference --model {model} shows who serves it."
        error = SpaceNotFound(f"{who} does not know {model}{said}", hint)
    elif status == 402:
        hint = "Buy more on https://huggingface.co/settings/billing, or ask a Space: --provider space"
        error = QuotaExceeded(f"the credit for Inference Providers is used up{said}", hint)
    elif status in {401, 403}:
        error = TokenRefused(f"{who} does not let this token make images{said}", ADVICE)
    elif status == 429:
        hint = f"Try again in {wait:.0f} s." if wait is not None else "Try again in a minute."
        error = RateLimited(f"too many requests for {who}{said}", hint, wait)
    elif status in {400, 413, 422}:
        error = SpaceError(
            f"{who} refused the request{said}", "Check the values; what you leave out is the model's own."
        )
    else:
        hint = asked.billed if asked.is_accepted or status != 503 else "Try again in a moment."
        error = StatusError(f"{who} answered with HTTP status {status}{said}", hint, status, wait)
    return error


def _read_words(response: Any, asked: Asked) -> str:
    """Return the server's own words, if there are any: of a header, or of its JSON."""
    try:
        found = response.json()
    except Exception:  # noqa: BLE001 - no JSON, or a body that was not read
        found = None
    if isinstance(found, dict):
        found = found.get("error") or found.get("detail") or found.get("message") or found.get("errors")
    if isinstance(found, dict):
        found = found.get("message") or found.get("error")
    if isinstance(found, list):
        found = "; ".join(
            one if isinstance(one, str) else str(one.get("msg", "")) if isinstance(one, dict) else "" for one in found
        )
    words = found if isinstance(found, str) and found else response.headers.get("X-Error-Message", "")
    return asked.shorten(words)


def _read_wait(headers: Any) -> float | None:
    """Return the seconds to wait: of Retry-After, or of a used-up RateLimit (a draft of the IETF)."""
    if (wait := parse_retry_after(headers.get("Retry-After", ""))) is not None:
        return wait
    found = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})", headers.get("RateLimit", ""))
    return float(found[1]) if found else None
