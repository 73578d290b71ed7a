"""The Hugging Face token of the user: of the environment, or the one that `hf auth login` has stored.

The file is read here: `huggingface_hub` is not installed with this package, and importing it takes most of a second.
"""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import InvalidRequest

TRUE: Final = ("1", "ON", "YES", "TRUE")
"""The values of a variable, in capitals, that Hugging Face's own tools read as yes."""

_VARIABLES: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_LOGIN: Final = "hf auth login"
_SYNTAX: Final = r"[A-Za-z0-9._~+/-]+=*"
"""The characters of a bearer token, RFC 6750, section 2.1."""

_MOST_BYTES: Final = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it is from: `given`, a variable's name, or `hf auth login`."""

    value: str = field(repr=False)
    source: str


def check_token(token: str, name: str, remedy: str) -> str:
    """Return a token without the white space around it.

    Raises InvalidRequest, which does not show it, for a character that no token has.
    """
    token = token.strip()
    if token and not re.fullmatch(_SYNTAX, token):
        raise InvalidRequest(f"{name} holds a space, a line end or a character that no token has: {remedy}")
    return token


def find_user_token() -> Token | None:
    """Return the environment's token, else the stored one, or None, or it is not to be used unasked.

    Raises InvalidRequest for one of the environment that cannot be a token. A stored one that cannot be used is left
    out: `describe_stored_trouble` says why.
    """
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in TRUE:
        return None
    for name in _VARIABLES:
        remedy = "set it to the token as it was made, or unset it"
        if token := check_token(os.environ.get(name, ""), f"the environment's {name}", remedy):
            return Token(token, name)
    token = _read(_find_path()).strip()
    return Token(token, _LOGIN) if token and not describe_stored_trouble() else None


def describe_stored_trouble() -> str:
    """Return why the stored token cannot be used; "" if it can be, or there are none."""
    path = _find_path()
    token = _read(path).strip()
    if token and not re.fullmatch(_SYNTAX, token):
        return f"the file of {_LOGIN} holds no token: log in again"
    if token and _has_expired(token, path.with_name("stored_tokens")):
        return f"that of {_LOGIN} has expired: log in again"
    return ""


def _find_path() -> Path:
    """Return the place where `huggingface_hub` keeps the token."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or Path(cache, "huggingface")
    named = os.environ.get("HF_TOKEN_PATH") or Path(home, "token")
    return Path(os.path.expandvars(os.path.expanduser(named)))  # noqa: PTH111 - Path's own fails without a home


def _read(path: Path) -> str:
    """Return the text of a small file; "" for anything else, such as a pipe that would not end."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return ""
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            return ""
        return os.read(handle, _MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(handle)


def _has_expired(token: str, stored: Path) -> bool:
    """Return True if `hf auth login` has stored the token with a time that has passed."""
    import configparser  # loaded for a stored token alone

    known = configparser.ConfigParser(interpolation=None)
    try:
        known.read_string(_read(stored))
        found = [known[name] for name in known.sections() if known[name].get("hf_token") == token]
        return any(float(one.get("expires_at", "inf")) <= time.time() for one in found)
    except (configparser.Error, ValueError):
        return False
