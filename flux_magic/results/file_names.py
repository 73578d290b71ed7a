"""Names of saved files: made of prompt, seed and digest, or by a pattern such as `{prompt}-{seed}.png`."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from ..errors import InvalidRequest, list_few
from ..parameters.placeholders import format_as
from ..parameters.table import EXTRA, EXTRA_NAMES
from ..types import UNKNOWN, FileRecord, ImageRequest, Record

FIELDS: Final = (
    "prompt",
    "seed",
    "steps",
    "width",
    "height",
    "size",
    "model",
    *(row.name for row in EXTRA),
    "digest",
    "n",
)
"""Fields of a pattern. A sweep adds its axes, a model its own parameters, and `n` is an image's number of several.

Each may have a format of Python's: `{seed:04d}`.
"""

_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows reserves for its devices, with any suffix."""

_NO_SEED: Final = "noseed"
_DIGITS: Final = 12
_LONGEST: Final = 40
_MOST_BYTES: Final = 100


def make_slug(text: str) -> str:
    """Return the words of a prompt as part of a file name: lower-case letters and digits of any script, and dashes."""
    kept = "".join(one if _is_kept(one) else " " for one in unicodedata.normalize("NFC", text[:400]).lower())
    words = [word for word in kept.split() if any(one.isalnum() for one in word)]
    short = "-".join(words)[:_LONGEST].encode()[:_MOST_BYTES].decode(errors="ignore")
    return unicodedata.normalize("NFC", short).rstrip("-")


def _is_kept(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def name_file(record: Record, file: FileRecord, suffix: str) -> str:
    """Return the name of a file in a folder: `a-red-fox-42-1a2b3c4d5e6f.png`."""
    parts = (make_slug(record.prompt), _format_seed(record.seed), file.digest[:_DIGITS])
    return "-".join(part for part in parts if part) + suffix


def _format_seed(seed: int | None) -> str:
    return _NO_SEED if seed is None else str(seed)


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """Return True if the path has a field, or a brace that is not part of one."""
    return bool(_BRACES.search(os.fspath(path)))


def check(pattern: str, axes: Iterable[str] = ()) -> None:
    """Raise InvalidRequest for an unknown field, and name the known ones."""
    known = list(dict.fromkeys([*FIELDS, *axes]))
    for match in _BRACES.finditer(pattern):
        if match[0] in {"{{", "}}"} or _split(match)[0] in known:
            continue
        listed = ", ".join(f"{{{name}}}" for name in known)
        raise InvalidRequest(f"cannot save as {pattern[:80]}: {match[0]} is not a field. A name can have {listed}")


def _split(match: re.Match[str]) -> tuple[str, str]:
    """Return the name of a field, and the format behind a colon, as in `{seed:03d}`."""
    name, _, form = (match[1] or "").partition(":")
    return name, form


def fill_some(pattern: str, values: Mapping[str, object]) -> str:
    """Return the pattern with these values in it, and its other fields as they are."""

    def value(match: re.Match[str]) -> str:
        name, form = _split(match)
        return match[0] if name not in values else make_slug(format_as(values[name], form)) or "none"

    return _BRACES.sub(value, pattern)


def fill(pattern: str, record: Record, file: FileRecord, suffix: str) -> Path:
    """Return the path of one image; a path without a suffix gets that of the delivered file.

    A pattern that ends in a slash, or whose last part has no field and no suffix, is a folder.
    """
    path = Path(_fill_path(pattern, get_values(record, file))).expanduser()
    if is_folder(pattern):
        return path / name_file(record, file, suffix)
    return path if get_suffix(pattern) else path.with_name(path.name + suffix)


def get_values(record: Record, file: FileRecord, n: int = 1) -> dict[str, object]:
    """Return the values of a pattern's fields for an image."""
    values = _collect_values(
        record.prompt, record.seed, record.steps, record.width or file.width, record.height or file.height
    )
    values = _collect_parameters(record.parameters) | values
    return values | {"model": record.model, "digest": file.digest[:_DIGITS], "n": n}


def expect_values(request: ImageRequest, n: int = 1) -> dict[str, object]:
    """Return the values that are known before the image is made, with a different digest for each image."""
    values = _collect_values(request.prompt, request.seed, request.steps, request.sent_width, request.sent_height)
    values = _collect_parameters(request.sent_parameters) | values
    return values | {"model": "", "digest": f"{n:0{_DIGITS}}", "n": n}


def _collect_parameters(parameters: Mapping[str, object]) -> dict[str, object]:
    return {**dict.fromkeys(EXTRA_NAMES, ""), **parameters}


def get_suffix(pattern: str) -> str:
    """Return the suffix that a pattern gives its files; empty if it gives none."""
    suffix = Path(_get_last(pattern)).suffix
    return "" if "}" in suffix else suffix


def is_folder(pattern: str) -> bool:
    """Return True if a pattern names folders, in which files get their usual names."""
    last = _get_last(pattern)
    return not last or not (_BRACES.search(last) or get_suffix(last))


def _get_last(pattern: str) -> str:
    """Return the last part of a path, which is empty after a final slash."""
    return re.split(r"[/\\]" if os.sep == "\\" else "/", pattern)[-1]


def _collect_values(
    prompt: str, seed: int | None, steps: int | None, width: int | None, height: int | None
) -> dict[str, object]:
    given = {
        "steps": steps,
        "width": width,
        "height": height,
        "size": f"{width}x{height}" if width and height else None,
    }
    known = {name: UNKNOWN if value is None else value for name, value in given.items()}
    return {"prompt": prompt, "seed": _NO_SEED if seed is None else seed, **known}


def _fill_path(pattern: str, values: Mapping[str, object]) -> str:
    parts = re.split(r"([/\\])", pattern)
    return "".join(_fill_part(part, values) for part in parts)


def _fill_part(part: str, values: Mapping[str, object]) -> str:
    """Fill in one name of the path; put an underscore before a name that Windows reserves for a device."""

    def value(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        name, form = _split(match)
        return make_slug(format_as(values[name], form)) or "none"

    name = _BRACES.sub(value, part)
    return f"_{name}" if name != part and _RESERVED.match(name) else name


def check_distinct(pattern: str, rows: Sequence[Mapping[str, object]], axes: Sequence[str] = ()) -> None:
    """Raise InvalidRequest if two images would get the same name; the message lists the fields that differ.

    `rows` has the values of the fields for each image, and `axes` names those that a sweep varies.
    """
    taken: dict[str, object] = {}
    for row in () if is_folder(pattern) else rows:
        name = _fill_path(pattern, row)
        if taken.setdefault(name.casefold(), row["digest"]) != row["digest"]:
            raise InvalidRequest(
                f"cannot save {len(rows)} images as {pattern[:80]}: several would be {name[:80]}. "
                f"Add {_find_missing(pattern, rows, axes)} to it, or give a folder"
            )


def _find_missing(pattern: str, rows: Sequence[Mapping[str, object]], axes: Sequence[str]) -> str:
    """Return the fields that differ from image to image but are not in the pattern."""
    there = {_split(match)[0] for match in _BRACES.finditer(pattern)}
    there |= {"size"} if {"width", "height"} <= there else set()
    names = [name for name in axes or ("seed", "prompt", "steps", "size") if name not in there]
    varied = [f"{{{name}}}" for name in names if len({str(row[name]) for row in rows}) > 1]
    return " and ".join(list_few(varied or ["{n}"], 4))
