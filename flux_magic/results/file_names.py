"""The names of saved files: of the prompt, the seed and the digest, or by a pattern such as `{prompt}-{seed}.png`."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from ..errors import InvalidRequest, few
from ..parameters.table import EXTRA_NAMES
from ..types import FileRecord, ImageRequest, Record

FIELDS: Final = ("prompt", "seed", "steps", "width", "height", "size", "model", *sorted(EXTRA_NAMES), "digest", "n")
"""The fields of a pattern; a sweep has its axes besides, and `n` is an image's number among several."""

_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for its devices, with any suffix."""

_DIGITS: Final = 12
_LONGEST: Final = 40
_MOST_BYTES: Final = 100


def slug(text: str) -> str:
    """Return the words of a text as a part of a file's name: small letters and digits of any script, and dashes."""
    kept = "".join(one if _is_kept(one) else " " for one in unicodedata.normalize("NFC", text[:400]).lower())
    words = [word for word in kept.split() if any(one.isalnum() for one in word)]
    short = "-".join(words)[:_LONGEST].encode()[:_MOST_BYTES].decode(errors="ignore")
    return unicodedata.normalize("NFC", short).rstrip("-")


def _is_kept(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def name_file(record: Record, file: FileRecord, suffix: str) -> str:
    """Return the name of a file in a folder: `a-red-fox-42-1a2b3c4d5e6f.png`."""
    parts = (slug(record.prompt), _format_seed(record.seed), file.digest[:_DIGITS])
    return "-".join(part for part in parts if part) + suffix


def _format_seed(seed: int | None) -> str:
    return "noseed" if seed is None else str(seed)


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """Return if the path has a field, or a brace that is none."""
    return bool(_BRACES.search(os.fspath(path)))


def check(pattern: str, axes: Iterable[str] = ()) -> None:
    """Raise InvalidRequest for an unknown field, and name the known ones."""
    known = list(dict.fromkeys([*FIELDS, *axes]))
    for match in _BRACES.finditer(pattern):
        if match[0] in {"{{", "}}"} or match[1] in known:
            continue
        listed = ", ".join(f"{{{name}}}" for name in known)
        raise InvalidRequest(f"cannot save as {pattern[:80]}: {match[0]} is no field. A name can have {listed}")


def fill_some(pattern: str, values: Mapping[str, object]) -> str:
    """Return the pattern with these values in it, and its other fields as they are."""

    def value(match: re.Match[str]) -> str:
        return match[0] if match[1] not in values else slug(str(values[match[1]])) or "none"

    return _BRACES.sub(value, pattern)


def fill(pattern: str, record: Record, file: FileRecord, suffix: str) -> Path:
    """Return the path of one image; one without a suffix gets that of the delivered file.

    A pattern that ends in a slash, or whose last part has no field and no suffix, is a folder.
    """
    path = Path(_fill_path(pattern, get_values(record, file))).expanduser()
    if is_folder(pattern):
        return path / name_file(record, file, suffix)
    return path if suffix_of(pattern) else path.with_name(path.name + suffix)


def get_values(record: Record, file: FileRecord, n: int = 1) -> dict[str, object]:
    """Return the values of a pattern's fields for an image."""
    values = _values(record.prompt, record.seed, record.steps, record.width, record.height)
    values |= {name: record.parameters.get(name, "") for name in EXTRA_NAMES}
    return values | {"model": record.model, "digest": file.digest[:_DIGITS], "n": n}


def expect_values(request: ImageRequest, n: int = 1) -> dict[str, object]:
    """Return the values that are known before the image is made; each image gets another digest."""
    values = _values(request.prompt, request.seed, request.steps, request.sent_width, request.sent_height)
    values |= {name: request.sent_parameters.get(name, "") for name in EXTRA_NAMES}
    return values | {"model": "", "digest": n, "n": n}


def suffix_of(pattern: str) -> str:
    """Return the suffix that a pattern gives its files; empty if it gives none."""
    suffix = Path(_last(pattern)).suffix
    return "" if "}" in suffix else suffix


def is_folder(pattern: str) -> bool:
    """Return if a pattern names folders, in which files have their usual names."""
    last = _last(pattern)
    return not last or not (_BRACES.search(last) or suffix_of(last))


def _last(pattern: str) -> str:
    """Return the last part of a path, which is empty behind a slash."""
    return re.split(r"[/\\]" if os.sep == "\\" else "/", pattern)[-1]


def _values(prompt: str, seed: int | None, steps: int, width: int, height: int) -> dict[str, object]:
    size = f"{width}x{height}"
    return {
        "prompt": prompt,
        "seed": _format_seed(seed),
        "steps": steps,
        "width": width,
        "height": height,
        "size": size,
    }


def _fill_path(pattern: str, values: Mapping[str, object]) -> str:
    parts = re.split(r"([/\\])", pattern)
    return "".join(_fill_part(part, values) for part in parts)


def _fill_part(part: str, values: Mapping[str, object]) -> str:
    """Fill in one name of the path; a name that Windows keeps for a device gets an underscore before it."""

    def value(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        return slug(str(values[match[1]])) or "none"

    name = _BRACES.sub(value, part)
    return f"_{name}" if name != part and _RESERVED.match(name) else name


def check_distinct(pattern: str, rows: Sequence[Mapping[str, object]], axes: Sequence[str] = ()) -> None:
    """Raise InvalidRequest if two images would get one name, and say which fields tell them apart.

    `rows` has the values of the fields for each image, and `axes` names those that a sweep varies.
    """
    taken: dict[str, object] = {}
    for row in () if is_folder(pattern) else rows:
        name = _fill_path(pattern, row)
        if taken.setdefault(name.casefold(), row["digest"]) != row["digest"]:
            raise InvalidRequest(
                f"cannot save {len(rows)} images as {pattern[:80]}: several would be {name[:80]}. "
                f"Add {_missing(pattern, rows, axes)} to it, or give a folder"
            )


def _missing(pattern: str, rows: Sequence[Mapping[str, object]], axes: Sequence[str]) -> str:
    """Return the fields that differ from image to image, and that the pattern does not have."""
    there = {match[1] for match in _BRACES.finditer(pattern)}
    there |= {"size"} if {"width", "height"} <= there else set()
    names = [name for name in axes or ("seed", "prompt", "steps", "size") if name not in there]
    varied = [f"{{{name}}}" for name in names if len({str(row[name]) for row in rows}) > 1]
    return " and ".join(few(varied or ["{n}"], 4))
