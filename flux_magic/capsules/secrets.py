"""Secrets in what is to be packed: tokens, passwords and keys, and paths of somebody's home, which name a person."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from ..errors import InvalidRequest, NotAnImage, mask_secrets
from ..images import metadata
from ..parameters.tokens import find_user_token
from ..types import fit_one_line
from .cells import join_text

_TOKEN: Final = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|A[KS]IA[A-Z0-9]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}|r8_[A-Za-z0-9]{20,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|(?i:bearer)\s+[\w.~+/-]{16,})"
)
_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_NAMED: Final = re.compile(
    r"""(?i)\b\w*(?:token(?!iz)|password|passwd|secret|api_?key)\w*["']?\s*[=:]\s*[rbuf]{0,2}(?P<quote>["'])"""
    r"""(?P<value>[^"'\s]{8,})(?P=quote)"""
)
"""A string by a name that secrets have."""

_SET: Final = re.compile(
    r"(?:\b[A-Z_]*(?:TOKEN(?!IZ)|PASSWORD|PASSWD|SECRET|API_?KEY)[A-Z_]*(?:=|[ \t]+)|(?i:\bapi-key:\s*))"
    r"(?P<quote>)(?P<value>(?=\S{0,99}\d)[\w/+=.~-]{12,})"
)
"""A value without quotes that has a digit: in a shell's line, after `%env`, in a header."""

_HOME: Final = re.compile(
    r"(?<![\w.-])(?:/home/|(?:(?:/mnt|/cygdrive)?/[a-z])?/Users/|[A-Za-z]:[\\/]+Users[\\/]+|/root/)"
    r"[^\s/\\\"'<>:,;)\]]+(?:[/\\]+[^\s\"'<>:,;)\]]*)?"
)
_SHARED: Final = re.compile(r"\S*?(?:/home/|[\\/]Users[\\/]+)(?:jovyan|runner|user|username|you|name|Shared|Public)\b")
"""Homes that name no person."""

_BY_NAME: Final = re.compile(r"(?i)token|password|passwd|secret|api_?key|credential")

_LEAST: Final = 12
"""Characters of a value of the environment that is looked for."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A place with something that should not be shared; as a string, a phrase that does not show it.

    Attributes:
        where: `paper.ipynb, cell 3, its source`.
        what: what it is, masked.
        is_path: whether it is only a path of somebody's home.
    """

    where: str
    what: str
    is_path: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class _Known:
    """The secrets that this user is known to have, by what they are called, and the user's home."""

    values: Mapping[str, str]
    home: str


def find_secrets(texts: Mapping[str, str]) -> list[Secret]:
    """Return what should not be shared in some strings, each given by its place."""
    known = _Known(dict(_list_own()), _get_home())
    found = (Secret(where, what, is_path) for where, text in texts.items() for what, is_path in _search(text, known))
    return list(dict.fromkeys(found))


def _list_own() -> Iterator[tuple[str, str]]:
    """Yield the user's own secrets: the Hub's token, and the values of variables that have a secret's name."""
    with suppress(InvalidRequest):
        if token := find_user_token():
            yield token.value, f"your Hugging Face token (of {token.source})"
    for name, value in os.environ.items():
        is_place = Path(value).is_absolute()  # which is no secret itself
        if _BY_NAME.search(name) and len(value) >= _LEAST and not is_place:
            yield value, f"the value of {name} in your environment"


def _get_home() -> str:
    with suppress(RuntimeError):
        home = str(Path.home())
        return home if len(Path(home).parts) > 1 else ""
    return ""


def _search(text: str, known: _Known) -> Iterator[tuple[str, bool]]:
    for value, name in known.values.items():
        if value in text:
            yield name, False
    for match in _TOKEN.finditer(text):
        if not any(match[0] in value for value in known.values):
            yield f"a token, {match[0][:3]}…", False
    if _KEY.search(text):
        yield "a private key", False
    for match in chain(_NAMED.finditer(text), _SET.finditer(text)):
        if not _TOKEN.search(match[0]) and not any(match["value"] in value for value in known.values):
            yield f"a secret by its name, {match[0][: match.start('value') - match.start()]}…{match['quote']}", False
    for address in re.findall(r"\b\w{2,9}://[^\s\"'<>]+", text):
        if mask_secrets(address) != address and not _TOKEN.search(address):
            yield f"a password in an address, {fit_one_line(mask_secrets(address), 60)}", False
    yield from ((f"a path of a home, {fit_one_line(path, 80)}", True) for path in _list_paths(text, known.home))


def _list_paths(text: str, home: str) -> Iterator[str]:
    own = re.compile(rf"{re.escape(home)}(?![\w-])(?:[/\\][^\s\"'<>:,;)\]]*)?") if home else None
    yield from (match[0] for match in own.finditer(text)) if own else ()
    others = own.sub("", text) if own else text
    yield from (match[0] for match in _HOME.finditer(others) if not _SHARED.match(match[0]))


def list_strings(value: Any) -> Iterator[str]:
    """Yield the strings in JSON values, with lists of lines joined; of an image in base64 those of its metadata."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(one, str) for one in value):
            yield "".join(value)
        else:
            for one in value:
                yield from list_strings(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            kind = str(name)
            if not kind.startswith(("image/", "audio/", "video/")) or kind.startswith("image/svg"):
                yield kind
                yield from list_strings(one)
            elif kind.startswith("image/"):
                with suppress(ValueError):
                    yield from list_image_strings(base64.b64decode(join_text(one)))


def list_image_strings(data: bytes) -> Iterator[str]:
    """Yield the strings in the metadata of an image's file: those of PNG, EXIF and XMP, and our record."""
    with suppress(NotAnImage):
        found = metadata.read(data)
        yield from (found.record, found.xmp, *found.words.values())
