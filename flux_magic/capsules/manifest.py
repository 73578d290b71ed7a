"""The two lists in a capsule: `SHA256SUMS` with the checksums of its files, `capsule.json` with those of cells."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import CapsuleError
from ..images.bounded_json import parse_json
from ..records.files import read_file
from ..records.record import get_version
from .archive import list_files
from .cells import read_cells

SUMS: Final = "SHA256SUMS"
MANIFEST: Final = "capsule.json"
REQUIREMENTS: Final = "requirements.txt"

_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_PYTHON: Final = re.compile(r"\d\.\d{1,3}(\.[\w.+-]{1,30})?")
_MOST: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `capsule.json`.

    Attributes:
        title: the title.
        python: the version of Python that the notebooks ran with.
        source: where the versions in the requirements are from, in words.
        notebooks: the name of each, with the sums of its cells in order.
        version: of flux_magic, which packed it.
    """

    title: str
    python: str
    source: str
    notebooks: dict[str, list[dict[str, str]]]
    version: str = ""

    def as_bytes(self) -> bytes:
        """Return the JSON file."""
        value = {
            "schema": 1,
            "flux_magic": get_version(),
            "title": self.title,
            "python": self.python,
            "requirements": {"file": REQUIREMENTS, "source": self.source},
            "notebooks": [{"file": name, "cells": cells} for name, cells in self.notebooks.items()],
        }
        return f"{json.dumps(value, indent=1, ensure_ascii=False)}\n".encode()


def sum_cells(data: bytes) -> list[dict[str, str]]:
    """Return the sums of a notebook's cells; raises CapsuleError for what is no notebook."""
    return [cell.compute_sums() for cell in read_cells(data)]


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an unpacked capsule; raises CapsuleError if it is not whole."""
    value = _read_json(folder / MANIFEST)
    if value.get("schema") != 1:
        raise CapsuleError(f"its {MANIFEST} is of another version than 1, or of no capsule")
    try:
        notebooks = {_check_name(folder, one["file"]): [*map(_check_sums, one["cells"])] for one in value["notebooks"]}
        needed = value["requirements"]
        strings = [
            _check_string(one) for one in (value["title"], value["python"], needed["source"], value["flux_magic"])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise CapsuleError(f"its {MANIFEST} is not whole") from error
    if not notebooks:
        raise CapsuleError(f"its {MANIFEST} names no notebook")
    title, python, source, version = strings
    if not _PYTHON.fullmatch(python):
        raise CapsuleError(f"its {MANIFEST} names no version of Python")
    return Manifest(title, python, source, notebooks, version)


def _read(path: Path, parse: Callable[[bytes], Any], what: str) -> Any:
    """Return a file of a capsule as `parse` makes it. Raises CapsuleError if it is not there, or is not `what`."""
    try:
        return parse(read_file(path, _MOST))
    except FileNotFoundError:
        raise CapsuleError(f"it has no {path.name}: it is no capsule of flux_magic") from None
    except OSError as error:
        raise CapsuleError(f"its {path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CapsuleError(f"its {path.name} is not {what}") from error


def _read_json(path: Path) -> dict[str, Any]:
    value = _read(path, parse_json, "JSON")
    return value if isinstance(value, dict) else {}


def _check_name(folder: Path, name: Any) -> str:
    """Return the name of a notebook in the capsule; raises TypeError for one that leads elsewhere."""
    path = folder / _check_string(name)
    if not path.resolve().is_relative_to(folder.resolve()) or path.suffix != ".ipynb":
        raise TypeError(name)
    return path.relative_to(folder).as_posix()


def _check_sums(sums: Any) -> dict[str, str]:
    return {name: _check_string(sums[name]) for name in ("source", "outputs")}


def _check_string(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise TypeError(value)
    return value


def write_sums(folder: Path) -> None:
    """Write the checksum of each file below a folder, in a form that `sha256sum --check` reads."""
    lines = [f"{compute_sum(folder / name)}  {name}\n" for name in list_files(folder) if name != SUMS]
    (folder / SUMS).write_bytes("".join(lines).encode())


def compare_sums(folder: Path) -> dict[str, str]:
    """Return each file that is not as it was packed, with what became of it: `altered`, `missing` or `not packed`.

    Raises CapsuleError if there are no sums, or if they cannot be read.
    """
    lines = _read(folder / SUMS, lambda data: data.decode().splitlines(), "a list of sums")
    known: dict[str, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or match[2] in known:
            raise CapsuleError(f"its {SUMS} is not a list of sums")
        known[match[2]] = match[1]
    there = [name for name in list_files(folder) if name != SUMS]
    found = {name: "not packed" for name in there if name not in known}
    found |= {name: "missing" for name in known if name not in set(there)}
    found |= {name: "altered" for name in there if name in known and compute_sum(folder / name) != known[name]}
    return dict(sorted(found.items()))


def compute_sum(path: Path) -> str:
    """Return the sha256 of a file, as hex digits."""
    known = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            known.update(chunk)
    return known.hexdigest()
