"""The RO-Crate metadata of a capsule: its files, authors and licence, and for each image what made it from what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..images.codecs import SUFFIXES
from ..records.embedding import compute_sha256
from ..records.inputs import is_kept_name
from ..records.store import Stored
from ..types import UNKNOWN, fit_one_line

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

METADATA: Final = "ro-crate-metadata.json"
VERSION: Final = "1.2"

_TYPES: Final = {
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".html": "text/html",
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".py": "text/x-python",
    ".whl": "application/zip",
}
_NO_LICENCE: Final = "no licence was given"


@dataclass(frozen=True, slots=True)
class Description:
    """The description of a capsule by its authors.

    Attributes:
        title: the title.
        authors: their names, each with the address of a page, such as an ORCID, or "".
        licence: an SPDX expression; "" if none was given.
        date: `YYYY-MM-DD`.
    """

    title: str
    authors: tuple[tuple[str, str], ...] = ()
    licence: str = ""
    date: str = ""


@dataclass(slots=True)
class _Images:
    """The images of a capsule: the file of each by its digest, and its job if that is there."""

    files: dict[str, str] = field(default_factory=dict)
    jobs: list[tuple[Stored, list[str]]] = field(default_factory=list)


def describe(folder: Path, names: list[str], jobs: list[Stored], told: Description, notebooks: list[str]) -> bytes:
    """Return the metadata file for these files of a folder, the same bytes for the same content."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=VERSION)
    _describe_root(crate, told)
    images = _find_images(folder, names, jobs)
    kept = {name: stored for stored, files in images.jobs for name in files}
    for name in names:
        data = (folder / name).read_bytes()
        crate.add_file(dest_path=name, properties=dict(_describe_file(name, data, is_notebook=name in notebooks)))
    for name, stored in kept.items():
        _describe_image(crate, name, stored, images)
    crate.root_dataset["mainEntity"] = crate.get(quote(notebooks[0]))
    return f"{json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()


def _describe_root(crate: ROCrate, told: Description) -> None:
    root = crate.root_dataset
    root["name"], root["datePublished"] = told.title, told.date
    root["description"] = (
        "Notebooks with the images that they made, the records of these, and what is needed to run them again. "
        "The date is that of the newest image, unless the authors gave another one."
    )
    people = []
    for number, (name, page) in enumerate(told.authors, 1):
        people.append(_add(crate, page or f"#author-{number}", "Person", name=name))
    if people:
        root["author"] = people
    page = f"https://spdx.org/licenses/{told.licence}" if told.licence and " " not in told.licence else "#licence"
    root["license"] = _add(crate, page, "CreativeWork", name=told.licence or _NO_LICENCE)


def _add(crate: ROCrate, place: str, kind: str, /, **properties: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    known = crate.get(place)
    return known or crate.add(ContextEntity(crate, place, properties={"@type": kind, **properties}))


def _describe_file(name: str, data: bytes, *, is_notebook: bool) -> Iterator[tuple[str, Any]]:
    suffix = Path(name).suffix.lower()
    yield "name", name
    yield "contentSize", str(len(data))
    yield "sha256", compute_sha256(data)
    if kind := SUFFIXES.get(suffix) or _TYPES.get(suffix):
        yield "encodingFormat", kind
    if suffix in SUFFIXES:
        yield "@type", ["File", "ImageObject"]
    if is_notebook:
        yield "@type", ["File", "SoftwareSourceCode"]
        yield "programmingLanguage", "Python"


def _find_images(folder: Path, names: list[str], jobs: list[Stored]) -> _Images:
    found = _Images()
    for name in names:
        if is_kept_name(Path(name).name):
            found.files.setdefault(Path(name).name.partition("-")[0], name)
    for stored in jobs:
        files = [path.relative_to(folder).as_posix() for path in stored.files]
        found.jobs.append((stored, files))
        found.files |= {one.digest: name for one, name in zip(stored.record.files, files, strict=True)}
    return found


def _describe_image(crate: ROCrate, name: str, stored: Stored, images: _Images) -> None:
    """Say what made an image: its prompt, model, seed, parameters and digest, and the images that went in."""
    record, entity = stored.record, crate.get(quote(name))
    place = [path.name for path in stored.files].index(Path(name).name)
    entity["name"] = fit_one_line(record.prompt, 100)
    entity["description"] = record.prompt
    entity["identifier"] = f"sha256:{record.files[place].digest}"
    values: Mapping[str, Any] = {
        "prompt": record.prompt,
        "model": record.model,
        "seed": record.seed,
        "steps": record.steps,
        "width": record.files[place].width,
        "height": record.files[place].height,
        **record.parameters,
        "digest": record.files[place].digest,
    }
    entity["additionalProperty"] = [
        _add(crate, f"#{quote(name)}-{quote(key)}", "PropertyValue", name=key, value=_show(value))
        for key, value in values.items()
    ]
    crate.get(quote(Path(name).with_name(stored.path.name).as_posix()))["about"] = entity
    went_in = [_name_ingredient(crate, one.digest, images) for one in record.images]
    if went_in:
        entity["isBasedOn"] = went_in
    model = _add(crate, f"#model-{quote(record.model, safe='')}", "SoftwareApplication", name=record.model)
    started = record.circumstances.started
    when = {} if started == UNKNOWN else {"startTime": started}
    _add(
        crate,
        f"#making-{quote(name)}",
        "CreateAction",
        name=f"made {entity['name']}",
        instrument={"@id": model.id},
        result={"@id": entity.id},
        **({"object": [{"@id": one.id} for one in went_in]} if went_in else {}),
        **when,
    )


def _name_ingredient(crate: ROCrate, digest: str, images: _Images) -> Any:
    if digest in images.files:
        return crate.get(quote(images.files[digest]))
    return _add(
        crate, f"#sha256-{digest}", "ImageObject", name="an image that is not packed", identifier=f"sha256:{digest}"
    )


def _show(value: object) -> Any:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value, sort_keys=True)
