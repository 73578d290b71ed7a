"""What there is to know when images do not come: versions, and how the Space is."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import FluxError, cleaned
from ..parameters import tokens
from ..parameters.settings import Settings, shared_folders, store_folder
from ..providers import local
from ..providers.base import Input, ModelDescription
from ..providers.http.connection import open_session
from ..records import store
from ..results.table import Table, as_text
from .target import Target, resolve_target

DOCTOR_TIMEOUT = 60
"""Seconds for a Space to tell what it takes."""

_UNTOLD = "not told"

PACKAGES = ("flux-magic", "ipython", "ipykernel", "aiohttp", "pillow", "gradio")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, by name, with no secret in it; `str()` gives lines of text."""

    rows: dict[str, str]
    healthy: bool

    def __post_init__(self) -> None:
        for name, value in self.rows.items():
            self.rows[name] = cleaned(value)

    def __str__(self) -> str:
        return as_text(Table((), tuple(self.rows.items())))


async def examine(settings: Settings) -> Diagnosis:
    """Look at everything; an error of the Space is a part of the report and is not raised."""
    rows = {"Python": f"{platform.python_version()} on {platform.system()}"}
    rows |= {package: _version(package) for package in PACKAGES}
    rows |= await asyncio.to_thread(_stores, settings)
    is_told = False
    try:
        found, is_told = await _describe_target(settings)
        rows |= found
    except FluxError as error:
        rows["Space"] = f"{settings.space or settings.model}: {type(error).__name__}: {error}"
    return Diagnosis(rows, healthy=is_told)


def _stores(settings: Settings) -> dict[str, str]:
    """Return where images are kept, and whether they can be; and the same of those of others."""
    try:
        own, others = store_folder(settings), shared_folders(settings)
    except FluxError as error:
        return {"store": error.message}
    rows = {"store": "off" if settings.store is False else _written(own) if own else store.UNKEPT}
    if others:
        found = [f"{_shown(folder)}: {store.trouble(folder) or 'can be read'}" for folder in others]
        rows["shared store"] = (
            found[0] if len(found) == 1 else "; ".join(f"{n}: {one}" for n, one in enumerate(found, 1))
        )
    return rows


def _written(folder: Path) -> str:
    there = next((parent for parent in (folder, *folder.parents) if parent.is_dir()), folder)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0" * 4096)
            file.flush()
        free = shutil.disk_usage(there).free
    except OSError as error:
        return f"{_shown(folder)}: cannot be written: {error.strerror}"
    return f"{_shown(folder)}: can be written, {free / 2**30:.1f} GiB free"


def _shown(folder: Path) -> str:
    """Return a folder's path, with ~ for the home folder: a saved notebook then holds no user's name."""
    folder = folder.absolute()
    with contextlib.suppress(ValueError, RuntimeError):  # elsewhere; the user has no home
        return str(Path("~") / folder.relative_to(Path.home()))
    return str(folder)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed: {local.INSTALL}" if package == "gradio" else "not installed"


async def _describe_target(settings: Settings) -> tuple[dict[str, str], bool]:
    """Return what is known of the provider and its Space, and if it described its model."""
    target = resolve_target(settings, settings.model)
    if target.unasked:
        return {"Space": f"not asked: {target.unasked}"}, False
    space, description = await target.locate(), None
    rows = {"provider": target.provider.label}
    if target.space is not None and space is not None:
        rows = {"Space": target.identity, "address": space.url or "", "token": _describe_token(target)}
    async with open_session() as session:
        provider = await target.connect(session, space=space)
        begin = time.monotonic()
        try:
            description = await asyncio.wait_for(provider.describe(settings.model), DOCTOR_TIMEOUT)
            other = "" if description.is_told else f", but not as a Space of {description.engine}'s"
            rows["answers"] = f"in {time.monotonic() - begin:.2f} s{other}"
            rows |= _facts(description)
        except FluxError as error:
            rows["answers"] = f"no: {type(error).__name__}: {error}"
        except asyncio.TimeoutError:
            rows["answers"] = f"no: nothing whole within {DOCTOR_TIMEOUT} s"
        rows |= await provider.status()
    return rows, description is not None and description.is_told


def _describe_token(target: Target) -> str:
    """Return where the token is from that goes to the Space, or why none goes."""
    try:
        if token := target.find_token():
            return token.source if token.source == "given" else f"of {token.source}"
        if other := resolve_target(replace(target.settings, space=None), target.settings.model).find_token():
            return f"none for this Space: that of {other.source} is for the model's own"
    except FluxError as error:
        return f"none: {error}"
    return f"none: {trouble}" if (trouble := tokens.stored_trouble()) else "none"


def _facts(description: ModelDescription) -> dict[str, str]:
    engine = {description.engine: description.version or _UNTOLD} if description.engine else {}
    return {
        **engine,
        "title": description.title or "none",
        "takes": ", ".join(_describe_input(one) for one in description.inputs) or _UNTOLD,
    }


def _describe_input(one: Input) -> str:
    return one.name if one.least is None else f"{one.name} ({one.least:.10g} to {one.most:.10g})"
