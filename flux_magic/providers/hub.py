"""Why a Space does not answer: its stage as the Hub tells it, or the page in its place.

Source: https://huggingface.co/docs/hub/api (`GET /api/spaces/{id}`, `runtime.stage`).
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from ..errors import FluxError, SpaceAsleep, SpaceBroken, SpaceNotFound, SpacePaused
from .connection import Connection
from .wire import parse, plain

_WAKING = {"BUILDING", "APP_STARTING", "SLEEPING", "STOPPED", "STOPPING"}
_RUNNING = {"RUNNING", "RUNNING_BUILDING", "RUNNING_APP_STARTING"}


def address() -> str:
    """The Hub's base URL; `HF_ENDPOINT` names another one, as for Hugging Face's own tools."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


async def stage(connection: Connection, space_id: str) -> str:
    """The Space's stage, such as RUNNING; NOT_FOUND where there is none, empty where the Hub does not tell."""
    status, told = await _asked(connection, space_id)
    if status in {401, 404}:  # the Hub says 401 of what is not there or private
        return "NOT_FOUND"
    runtime = told.get("runtime")
    return str(runtime.get("stage") or "") if isinstance(runtime, dict) else ""


_commits: dict[str, str] = {}
PATIENCE = 3
"""Seconds that the Hub may take to tell a commit: no image waits longer for it."""


async def commit(connection: Connection, space_id: str) -> str:
    """The commit that the Space is at, empty where the Hub does not tell; asked once a process."""
    if space_id not in _commits:
        try:
            status, told = await asyncio.wait_for(_asked(connection, space_id), PATIENCE)
        except asyncio.TimeoutError:
            status, told = 0, {}
        sha = told.get("sha") if status == 200 else None
        _commits[space_id] = sha if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{7,64}", sha) else ""
    return _commits[space_id]


async def quota(connection: Connection) -> str:
    """The GPU time that is left for the connection's token, in words; empty where the Hub does not tell."""
    status, told = await _asked(connection, "zero-gpu/quota")
    if status != 200 or not isinstance(told.get("current"), int | float):
        return ""
    resets = f", resets {plain(told['resetsAt'])}" if isinstance(told.get("resetsAt"), str) else ""
    return f"{told['current']:g} of {told.get('base', '?')} s of GPU time left{resets}"


async def _asked(connection: Connection, path: str) -> tuple[int, dict[str, Any]]:
    """The status that the Hub's API of Spaces answers with, and the JSON object; 0 and nothing where it does not."""
    try:
        answer = await connection.get_text(f"{address()}/api/spaces/{path}")
    except FluxError:
        return 0, {}
    told = parse(answer.text)
    return answer.status, told if isinstance(told, dict) else {}


def check_stage(stage: str, space_id: str) -> None:
    """Raises what a stage means for someone who wants an image; nothing for a running or an unknown one."""
    page = f"https://huggingface.co/spaces/{space_id}"
    if stage == "NOT_FOUND":
        raise SpaceNotFound(f"there is no Space {space_id}, or it is private", "Check its name.")
    if stage == "PAUSED":
        raise SpacePaused(f"the Space {space_id} is paused by its owner", f"See {page}, or choose another Space.")
    if stage in _WAKING:
        raise SpaceAsleep(f"the Space {space_id} is not awake ({stage.lower()})", "Try again in some minutes.")
    if stage and stage not in _RUNNING:
        raise SpaceBroken(f"the Space {space_id} does not run ({stage.lower()})", f"See {page}.")


_PAGES = (
    (r"paused", SpacePaused, "the Space is paused by its owner", "Choose another Space."),
    (r"sleeping|starting|waking|preparing", SpaceAsleep, "the Space is asleep", "Try again in some minutes."),
    (r"building", SpaceAsleep, "the Space is being built", "Try again in some minutes."),
    (
        r"runtime error|build error|in error|config error",
        SpaceBroken,
        "the Space does not run",
        "Choose another Space.",
    ),
    (r"not found|404", SpaceNotFound, "there is no such Space", "Check its name or address."),
)


def check_page(text: str) -> None:
    """Raises what a page in place of the Space says, and SpaceNotFound where it says nothing known."""
    words = plain(re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", text))
    # The Hub's pages are short or speak of the Space: another site's may have any of these words.
    if len(words) < 200 or re.search(r"\bspace\b", words, re.IGNORECASE):
        for pattern, kind, message, hint in _PAGES:
            if re.search(pattern, words, re.IGNORECASE):
                raise kind(message, hint)
    raise SpaceNotFound("there is a page at this address, but no Gradio Space", "Check its name or address.")
