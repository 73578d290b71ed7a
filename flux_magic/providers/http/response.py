"""An HTTP answer, and the error that its status is for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ...errors import LoginRequired, ProtocolError, QueueFull, RateLimited, ResponseError, TokenRefused
from ...images.bounded_json import parse_json
from ...types import make_printable

_REFUSED = (
    "It may need a token, or another one: %config FluxMagics.token sets it for the Space in %config FluxMagics.space; "
    "%flux_status says which is sent."
)
_LOGIN = "flux_magic cannot log in: ask the app's owner for an address without a login, or choose another Space."
PAGE_READ = 64 * 2**10
"""Characters of a page that are read: the Hub's own pages, and those that ask for a login, are shorter."""

BUSY: Final = frozenset({502, 503, 504})
"""The statuses of a gateway or a server that may answer a moment later."""

ERROR_READ: Final = 256 * 2**10
"""Bytes that are read of an answer of another status than 200; no longer one is a login."""

_PASSWORD = re.compile(r"""\btype\s*=\s*["']?password\b""")
_SIGN_IN = re.compile(r"\b(log|sign)[ -]?(in|on)\b|single sign-on|authenticat", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: the HTTP status.
        text: the body.
        retry_after: seconds that the server asks to wait, or None.
        challenge: how the server wants a client to authenticate (WWW-Authenticate), or "".
        redirected: if the answer is of another address than was asked.
    """

    status: int
    text: str
    retry_after: float | None = None
    challenge: str = ""
    redirected: bool = False

    @property
    def is_page(self) -> bool:
        """True for HTML, which no endpoint answers with."""
        return self.text.lstrip()[:1] == "<"


def check_login(answer: Answer) -> None:
    """Raise LoginRequired if the answer is a login, of Gradio's, of HTTP or of a page."""
    told = _parse_json(answer.text) if len(answer.text) <= ERROR_READ else None
    told = told if isinstance(told, dict) else {}
    detail = told.get("detail")
    found = detail if isinstance(detail, dict) else told
    if told.get("auth_required") is True or "Not authenticated" in (detail, found.get("error")):
        message = found.get("auth_message") or told.get("auth_message")
        said = re.sub(r"<[^<>]*>", "", message) if isinstance(message, str) else ""
        words = make_printable(said)[:200]
        raise LoginRequired(f"this app has a login with a name and a password{words and f': {words}'}", _LOGIN)
    if answer.status == 401 and re.match(r"\s*(basic|digest|negotiate|ntlm)\b", answer.challenge, re.IGNORECASE):
        raise LoginRequired("this app has a login with a name and a password (HTTP status 401)", _LOGIN)
    if answer.is_page and _is_login_page(answer):
        raise LoginRequired("there is a login page in front of this app", _LOGIN)


def _is_login_page(answer: Answer) -> bool:
    page = answer.text[:PAGE_READ].lower()
    tags = (part.partition(">")[0] for part in page.split("<") if part.startswith("input"))
    if any(_PASSWORD.search(tag) for tag in tags):
        return True
    title = page.partition("<title")[2].partition(">")[2].partition("</title>")[0]
    return (answer.redirected or answer.status == 401) and bool(_SIGN_IN.search(title))


class StatusError(ProtocolError):
    """An HTTP status other than 200; `retry_after` is how many seconds the Space asks to wait, if it does."""

    def __init__(self, message: str, hint: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.status = status
        self.retry_after = retry_after


def make_http_error(answer: Answer) -> ResponseError:
    """Return the error for a status, with the Space's own words if there are any."""
    status, text, retry_after = answer.status, answer.text, answer.retry_after
    try:
        check_login(answer)
    except LoginRequired as login:
        return login
    detail = _parse_json(text)
    if isinstance(detail, dict):
        detail = detail.get("detail") or detail.get("error") or detail.get("message")
    words = detail if isinstance(detail, str) else "" if "<" in text else text
    said = f": {' '.join(words.split())[:300]}" if words.strip() else ""
    if status in {401, 403}:
        return TokenRefused(f"the Space refused the request{said}", _REFUSED)
    if status == 429:
        return RateLimited(f"too many requests for the Space{said}", "Try again in a minute.", retry_after)
    if status == 503 and "queue" in words.lower():
        return QueueFull(f"the Space's queue is full{said}", "Try again in a minute.")
    hint = "Try again in a moment." if status in BUSY else ""
    return StatusError(f"the Space answered with HTTP status {status}{said}", hint, status, retry_after)


def _parse_json(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return None


def parse_retry_after(header: str) -> float | None:
    """Return the seconds of a Retry-After, given as seconds or a date (RFC 9110, section 10.2.3); None if invalid."""
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", header):
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return max((then - datetime.now(timezone.utc)).total_seconds(), 0)
