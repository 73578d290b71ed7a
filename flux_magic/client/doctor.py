"""What there is to know when images do not come: versions, and how the Space is."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import FluxError, cleaned
from ..parameters import tokens
from ..parameters.settings import Settings, shared_folders, store_folder
from ..providers import get_provider, local
from ..providers.base import AsyncGeneratorProvider
from ..providers.gradio import hub
from ..providers.gradio.schema import Contract, Parameter
from ..providers.http.connection import open_session
from ..records import store
from ..results.table import Table, as_text
from .target import connection_for, hub_connection, space_of, token_for, why_unasked

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
    try:
        rows |= await _space(settings)
    except FluxError as error:
        rows["Space"] = f"{settings.space or settings.model}: {type(error).__name__}: {error}"
    return Diagnosis(rows, healthy=rows.get("Gradio", _UNTOLD) != _UNTOLD)


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


async def _space(settings: Settings) -> dict[str, str]:
    provider = get_provider(settings.model)
    if why := why_unasked(provider, settings):
        return {"Space": f"not asked: {why}"}
    space = space_of(provider, settings)
    url = await local.shared.address() if space.url is None else space.url
    rows = {"Space": space.identity, "address": url}
    rows["token"] = _describe_token(provider, url, settings)
    async with open_session() as session:
        connection = connection_for(provider, url, settings, session)
        begin = time.monotonic()
        try:
            contract = await asyncio.wait_for(provider(connection, url).contract(), DOCTOR_TIMEOUT)
            other = "" if contract.version else ", but not as a Space of Gradio's"
            rows["answers"] = f"in {time.monotonic() - begin:.2f} s{other}"
            rows |= _facts(contract)
        except FluxError as error:
            rows["answers"] = f"no: {type(error).__name__}: {error}"
        except asyncio.TimeoutError:
            rows["answers"] = f"no: nothing whole within {DOCTOR_TIMEOUT} s"
        if space.hub_id:
            rows["stage"] = await hub.stage(connection, space.hub_id) or "not known: the Hub does not answer"
        to_the_hub = hub_connection(provider, settings, session)
        if to_the_hub.has_token and (left := await hub.quota(to_the_hub)):
            rows["quota"] = left
    return rows


def _describe_token(provider: type[AsyncGeneratorProvider], url: str, settings: Settings) -> str:
    """Return where the token is from that goes to the Space at `url`, or why none goes."""
    try:
        if token := token_for(provider, url, settings):
            return token.source if token.source == "given" else f"of {token.source}"
        if other := token_for(provider, None, settings):
            return f"none for this Space: that of {other.source} is for the model's own"
    except FluxError as error:
        return f"none: {error}"
    return f"none: {trouble}" if (trouble := tokens.stored_trouble()) else "none"


def _facts(contract: Contract) -> dict[str, str]:
    return {
        "Gradio": contract.version or _UNTOLD,
        "title": contract.title or "none",
        "takes": ", ".join(_parameter(parameter) for parameter in contract.parameters) or "not told",
    }


def _parameter(parameter: Parameter) -> str:
    bounds = "" if parameter.least is None else f" ({parameter.least:.10g} to {parameter.most:.10g})"
    return f"{parameter.name}{bounds}"
