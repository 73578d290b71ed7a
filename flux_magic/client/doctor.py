"""The diagnosis for missing images: versions, and the state of the Space."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import FluxError, clean
from ..parameters import tokens
from ..parameters.settings import Settings, get_shared_folders, get_store_folder
from ..parameters.sizes import format_size
from ..parameters.table import ROWS, Parameter
from ..providers import local
from ..providers.base import ModelDescription
from ..providers.http.connection import open_session
from ..records import store
from ..results.table import Table, as_text
from .target import Target, resolve_target

DOCTOR_TIMEOUT = 60
"""Seconds allowed for a Space to describe what it accepts."""

_UNTOLD = "unknown"

_WIDEST = 60
"""Characters of a value in the table of parameters."""

PACKAGES = ("flux-magic", "ipython", "ipykernel", "aiohttp", "pillow", "gradio")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Findings by name, and the model's parameters, without any secret; `str()` gives lines for a terminal."""

    rows: dict[str, str]
    healthy: bool
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.rows.items():
            self.rows[name] = clean(value)

    def __str__(self) -> str:
        told = as_text(Table((), tuple(self.rows.items())))
        return f"{told}\n\n{as_text(tabulate(self.parameters))}" if self.parameters else told


def tabulate(parameters: Sequence[Parameter]) -> Table:
    """Return a model's parameters as a table: as they are typed, the model's own names, the values, the defaults."""
    rows = (
        (
            row.flags[0] if row.name in ROWS else f"--set {row.name}=",
            clean(f"{row.own_name}: {row.title}" if _adds(row.title, row.own_name) else row.own_name),
            clean(row.allowed)[:_WIDEST],
            "random" if row.name == "seed" else clean(_show_default(row.default))[:_WIDEST],
        )
        for row in parameters
    )
    return Table(("parameter", "here", "values", "default"), tuple(rows))


def _adds(title: str, name: str) -> bool:
    """Return True if a title says more than a name."""
    return bool(title) and title.lower().replace(" ", "_") != name.lower()


def _show_default(value: object) -> str:
    """Return a default as it is typed; empty for None."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


async def examine(settings: Settings) -> Diagnosis:
    """Check everything; an error of the Space becomes part of the report and is not raised."""
    rows = {"Python": f"{platform.python_version()} on {platform.system()}"}
    rows |= {package: _get_version(package) for package in PACKAGES}
    rows |= await asyncio.to_thread(_describe_stores, settings)
    description = None
    try:
        found, description = await _describe_target(settings)
        rows |= found
    except FluxError as error:
        what = "provider" if settings.provider else "Space"
        rows[what] = f"{settings.space or settings.model}: {type(error).__name__}: {error}"
    is_told = description is not None and description.is_told
    return Diagnosis(rows, is_told, description.parameters if description else ())


def _describe_stores(settings: Settings) -> dict[str, str]:
    """Return the folders that keep images, whether they can be written, and the same for shared folders."""
    try:
        own, others = get_store_folder(settings), get_shared_folders(settings)
    except FluxError as error:
        return {"store": error.message}
    rows = {"store": "off" if settings.store is False else _describe_folder(own) if own else store.UNKEPT}
    if others:
        found = [f"{_show_folder(folder)}: {store.describe_trouble(folder) or 'can be read'}" for folder in others]
        rows["shared store"] = (
            found[0] if len(found) == 1 else "; ".join(f"{n}: {one}" for n, one in enumerate(found, 1))
        )
    return rows


def _describe_folder(folder: Path) -> str:
    there = next((parent for parent in (folder, *folder.parents) if parent.is_dir()), folder)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0" * 4096)
            file.flush()
        free = shutil.disk_usage(there).free
    except OSError as error:
        return f"{_show_folder(folder)}: cannot be written: {error.strerror}"
    return f"{_show_folder(folder)}: can be written, {free / 2**30:.1f} GiB free"


def _show_folder(folder: Path) -> str:
    """Return a folder's path with ~ for the home folder, so that a saved notebook holds no user name."""
    folder = folder.absolute()
    with contextlib.suppress(ValueError, RuntimeError):  # elsewhere; the user has no home
        return str(Path("~") / folder.relative_to(Path.home()))
    return str(folder)


def _get_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed: {local.INSTALL}" if package == "gradio" else "not installed"


async def _describe_target(settings: Settings) -> tuple[dict[str, str], ModelDescription | None]:
    """Return what is known of the provider and its Space, and how it describes its model."""
    target = resolve_target(settings, settings.model)
    if target.unasked:
        return {"Space" if target.space else "provider": f"not asked: {target.unasked}"}, None
    space, description = await target.locate(), None
    rows = {"provider": target.provider.label}
    if target.space is not None and space is not None:
        rows = {"Space": target.identity, "address": space.url or "", "token": _describe_token(target)}
    async with open_session() as session:
        provider = await target.connect(session, space=space)
        begin = time.monotonic()
        try:
            description = await asyncio.wait_for(provider.describe(settings.model), DOCTOR_TIMEOUT)
            other = "" if description.is_told else f", but not as a {description.engine} Space"
            rows["answers"] = f"in {time.monotonic() - begin:.2f} s{other}"
            rows |= _describe_contract(description)
        except FluxError as error:
            rows["answers"] = f"no: {type(error).__name__}: {error}"
        except asyncio.TimeoutError:
            rows["answers"] = f"no: no complete answer within {DOCTOR_TIMEOUT} s"
        rows |= await provider.status()
    return rows, description


def _describe_token(target: Target) -> str:
    """Return where the token is from that goes to the Space, or why none goes."""
    try:
        if token := target.find_token():
            return token.source if token.source == "given" else f"of {token.source}"
        if other := resolve_target(replace(target.settings, space=None), target.settings.model).find_token():
            return f"none for this Space: the one of {other.source} is only for the configured model's own"
    except FluxError as error:
        return f"none: {error}"
    return f"none: {trouble}" if (trouble := tokens.describe_stored_trouble()) else "none"


def _describe_contract(description: ModelDescription) -> dict[str, str]:
    engine = {description.engine: description.version or _UNTOLD} if description.engine else {}
    images = f"up to {description.input_images}" if description.input_images else "none"
    kinds = [images, "at least one" if description.needs_image else "", "a mask" if description.takes_mask else ""]
    sizes = ", ".join(format_size(*size) for size in description.sizes)
    known = {
        "title": description.title or ("none" if description.engine else ""),
        "takes": "" if description.parameters else _UNTOLD,
        "endpoint": ", ".join(description.endpoints),
        "images in": ", ".join(filter(None, kinds)) if description.endpoints else "",
        "sizes": sizes,
        "rewrites": ", ".join(description.rewrites),
    }
    return {**engine, **{name: value for name, value in known.items() if value}}
