"""Models by their names: an id of the Hub, a folder, its digest, or our tiny model; none of it loads torch."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...errors import InvalidRequest, ModelUnavailable, show_value
from ...parameters.paths import expand
from ...parameters.settings import DEFAULT_MODEL

DEFAULT: Final = "black-forest-labs/FLUX.1-schnell"
"""The model for an empty name."""

TINY: Final = "tiny"
"""The name of the model that the package `flux_magic_tiny` has."""

TINY_NAME: Final = "flux_magic tiny 1"
"""The name of that model in records, with the version of its weights and defaults; it opens the model as well."""

INDEX: Final = "model_index.json"
"""The file that every saved pipeline has."""

_REPO: Final = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_DIGEST: Final = re.compile(r"(?P<name>[^/\\@]*)@sha256:(?P<digest>[0-9a-f]{12,64})")
_SHAPING: Final = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""The endings of the files that a pipeline is loaded from."""

_SHOWN: Final = 16
"""Digits of a folder's digest in a cell."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it was asked for.

    Attributes:
        repo: its id on the Hub; empty for a folder.
        revision: the branch, tag or commit that was asked for; empty for the default one, and for a folder.
        folder: its folder, if it is one.
        is_tiny: True for the model of the package `flux_magic_tiny`, which has neither.
    """

    repo: str = ""
    revision: str = ""
    folder: Path | None = None
    is_tiny: bool = False

    def __post_init__(self) -> None:
        if self.folder is not None and self.folder.name == TINY_NAME:
            raise InvalidRequest(f"a folder cannot be named {TINY_NAME}, as records name another model so: rename it")

    @property
    def name(self) -> str:
        """The name for a person: the id, the folder's own name, or the tiny model's in records."""
        return TINY_NAME if self.is_tiny else self.repo or (self.folder.name if self.folder else "")

    @property
    def asked(self) -> str:
        """The id with its revision as a cell has it; empty for a folder and the tiny model."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def read_model(model: str) -> Model:
    """Return the model of a name: a folder with a `model_index.json`, a digest of one, `tiny`, or an id of the Hub.

    Raises InvalidRequest for any other name, and for `tiny` if the working directory has a pipeline of that name.
    """
    if model in {"", DEFAULT_MODEL}:
        return Model(DEFAULT)
    folder = _open_folder(model)
    is_saved = folder is not None and (folder / INDEX).is_file()
    if model == TINY and is_saved:
        raise InvalidRequest(
            f"{TINY} is a model of flux_magic and a pipeline in this folder: give ./{TINY} for the pipeline, or "
            f'"{TINY_NAME}" for the model'
        )
    if model in {TINY, TINY_NAME}:
        return Model(is_tiny=True)
    if match := _DIGEST.fullmatch(model):
        return Model(folder=_find_folder(match["name"], match["digest"]))
    if is_saved:
        return Model(folder=folder)
    if folder is not None:
        raise InvalidRequest(
            f"{folder.name} is no saved pipeline: it has no {INDEX}; give a folder of save_pretrained, or a Hub id"
        )
    if (match := _REPO.fullmatch(model)) and ".." not in model:
        return Model(match["repo"], match["revision"] or "")
    raise InvalidRequest(
        f"model is {show_value(model)}: give a Hub id such as {DEFAULT}, id@revision, or the folder of a pipeline"
    )


def _open_folder(model: str) -> Path | None:
    with suppress(OSError, ValueError, RuntimeError):
        folder = Path(expand(model))
        return folder.resolve() if folder.is_dir() else None
    return None


def name_model(model: str) -> tuple[str, str]:
    """Return how a cell names a model, and how a replay key does; a folder is known by the digest of its files."""
    found = read_model(model)
    if found.is_tiny:
        return TINY, TINY_NAME
    if found.folder is None:
        return found.asked, found.asked
    digest = compute_folder_digest(found.folder)
    return f"{found.name}@sha256:{digest[:_SHOWN]}", f"sha256:{digest}"


def list_files(folder: Path) -> Iterator[Path]:
    """Yield the files that a pipeline is loaded from, in the order of their names."""
    index = read_index(folder)
    parts = [folder / name for name in sorted(index) if isinstance(index[name], list)]
    yield folder / INDEX
    for part in parts:
        yield from sorted(one for one in part.rglob("*") if one.suffix in _SHAPING and one.is_file())


def read_index(folder: Path) -> Mapping[str, Any]:
    """Return the `model_index.json` of a folder. Raises ModelUnavailable if it cannot be read."""
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelUnavailable(f"{folder.name}/{INDEX} cannot be read: {exc}") from exc
    if not isinstance(index, dict):
        raise ModelUnavailable(f"{folder.name}/{INDEX} is not what save_pretrained writes")
    return index


def compute_folder_digest(folder: Path, *, is_cached: bool = True) -> str:
    """Return the sha256 over the files that a pipeline is loaded from, 64 hex digits.

    It is taken over a line for each: the name within the folder, and the sha256 of the content. A file is read once
    for its size and time; these digests are kept in the user's cache. Without that, all files are read.
    """
    known, new = _read_cache().get(str(folder), {}) if is_cached else {}, {}
    lines = []
    for file in list_files(folder):
        name, stat = file.relative_to(folder).as_posix(), file.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        old = known.get("files", {}).get(name, {})
        digest = old["sha256"] if old.get("stamp") == stamp else _hash_file(file)
        new[name] = {"stamp": stamp, "sha256": digest}
        lines.append(f"{name}\0{digest}\n")
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    if is_cached and new != known.get("files"):
        _write_cache(str(folder), {"digest": digest, "files": new})
    return digest


def _hash_file(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _find_folder(name: str, digest: str) -> Path:
    """Return the folder of this digest that was used before and still has it. Raises InvalidRequest."""
    for path, entry in _read_cache().items():
        folder = Path(path)
        if entry.get("digest", "").startswith(digest) and (folder / INDEX).is_file():
            with suppress(ModelUnavailable, OSError):
                if compute_folder_digest(folder).startswith(digest):
                    return folder
    raise InvalidRequest(
        f"the model {name} with the digest {digest[:_SHOWN]} is in no folder that was used here: give its folder, "
        "--model FOLDER"
    )


def _get_cache() -> Path | None:
    import platformdirs

    with suppress(RuntimeError):  # a user without a home
        return Path(platformdirs.user_cache_path("flux_magic", appauthor=False)) / "model_digests.json"
    return None


def _read_cache() -> dict[str, dict[str, Any]]:
    file = _get_cache()
    with suppress(OSError, ValueError):
        known = json.loads(file.read_text("utf-8")) if file else {}
        if isinstance(known, dict):
            return {path: entry for path, entry in known.items() if isinstance(entry, dict)}
    return {}


def _write_cache(folder: str, entry: dict[str, Any]) -> None:
    """Keep the digests of a folder; without a cache they are computed again."""
    file = _get_cache()
    with suppress(OSError):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
            part.write_text(json.dumps({**_read_cache(), folder: entry}), "utf-8")
            part.replace(file)
