"""An HTTP answer, and the error that its status stands for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from ..errors import ProtocolError, QueueFull, RateLimited, ResponseError, TokenRefused

_REFUSED = "It may want a token: one of %config FluxMagics.token goes to the Space of %config FluxMagics.space alone."


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: `retry_after` is in seconds, None where the server did not ask for a wait."""

    status: int
    text: str
    retry_after: float | None = None

    @property
    def is_page(self) -> bool:
        """Whether it is HTML, which no endpoint answers with."""
        return self.text.lstrip()[:1] == "<"


class StatusError(ProtocolError):
    """An HTTP status other than 200; `retry_after` is how many seconds the Space asks to wait, where it does."""

    def __init__(self, message: str, hint: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.status = status
        self.retry_after = retry_after


def http_error(answer: Answer) -> ResponseError:
    """The error for a status, with the Space's own words where they are words and not a page."""
    status, text, retry_after = answer.status, answer.text, answer.retry_after
    detail = _json_or_none(text)
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
    hint = "Try again in a moment." if status in {502, 503, 504} else ""
    return StatusError(f"the Space answered with HTTP status {status}{said}", hint, status, retry_after)


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def seconds_to_wait(header: str) -> float | None:
    """What a Retry-After says, as seconds or a date (RFC 9110, section 10.2.3); None where it is none."""
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", header):
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return max((then - datetime.now(timezone.utc)).total_seconds(), 0)
