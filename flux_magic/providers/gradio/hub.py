"""The Hub's information about a Space: its stage, commit and models; or the page shown in the Space's place.

Sources: https://huggingface.co/docs/hub/api (`GET /api/spaces/{id}`, with `runtime.fetch_stage`, `sha` and `models`);
Gradio's own client, which finds a Space by its host (`GET /api/spaces/by-subdomain/{subdomain}`).
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any, Final

from ...errors import FluxError, SpaceAsleep, SpaceBroken, SpaceNotFound, SpacePaused
from ...parameters.addresses import Space, get_hub
from ..http.connection import Connection
from ..http.response import PAGE_READ
from .decoding import parse, strip_markup

_WAKING = {"BUILDING", "APP_STARTING", "SLEEPING", "STOPPED", "STOPPING"}
_RUNNING = {"RUNNING", "RUNNING_BUILDING", "RUNNING_APP_STARTING"}


async def fetch_stage(connection: Connection, space_id: str) -> str:
    """Return the Space's stage, such as RUNNING; NOT_FOUND if it does not exist, empty if the Hub does not answer."""
    status, told = await _fetch(connection, space_id)
    if status in {401, 404}:  # the Hub answers 401 for a Space that does not exist or is private
        return "NOT_FOUND"
    runtime = told.get("runtime")
    return strip_markup(runtime.get("stage")) if isinstance(runtime, dict) else ""


HUB_TIMEOUT = 3
"""Seconds that the Hub may take to answer: no image waits longer for it."""

_KEPT: Final = 600
"""Seconds that an answer counts: a Space may get another commit on any day."""

_MOST_SECONDS: Final = 10**9

_FAILED: Final = 60
"""Seconds that a missing answer counts: not every image waits for a Hub that is down."""


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """The Hub's answer about a Space.

    Attributes:
        commit: the one that the Space is at; empty if the Hub does not say.
        model: the model that it runs, by its id on the Hub; empty if the Hub names none, or several alike.
    """

    commit: str = ""
    model: str = ""


_answers: dict[str, tuple[float, SpaceInfo]] = {}
"""By the URL that was asked for: until when an answer counts, and what it is."""


async def look_up(connection: Connection, space: Space) -> SpaceInfo:
    """Return what the Hub says of a Space, at most ten minutes ago; nothing if it does not answer in time."""
    path = _get_path(space)
    if not path:
        return SpaceInfo()
    key = f"{get_hub()}/{path}"
    until, known = _answers.get(key, (0.0, SpaceInfo()))
    if time.monotonic() < until:
        return known
    try:
        status, answer = await asyncio.wait_for(_fetch(connection, path), HUB_TIMEOUT)
    except asyncio.TimeoutError:
        status, answer = 0, {}
    known = _read_info(answer, space.hub_id) if status == 200 else SpaceInfo()
    _answers[key] = time.monotonic() + (_KEPT if known.commit else _FAILED), known
    return known


def _get_path(space: Space) -> str:
    """Return the path of a Space in the Hub's API; empty for one that is not on the Hub."""
    subdomain = space.host.removesuffix(".hf.space")
    by_host = f"by-subdomain/{subdomain}" if re.fullmatch(r"[a-z0-9-]+", subdomain) and subdomain != space.host else ""
    return space.hub_id or by_host


def _read_info(answer: dict[str, Any], space_id: str) -> SpaceInfo:
    sha, models, named = answer.get("sha"), answer.get("models"), answer.get("id")
    commit = sha if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{7,64}", sha) else ""
    known = [one for one in models if _is_id(one)] if isinstance(models, list) else []
    return SpaceInfo(commit, _choose_main(list(dict.fromkeys(known)), space_id or str(named or "")))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", value, re.ASCII))


def _choose_main(models: list[str], space_id: str) -> str:
    """Return the model that a Space is about: its only one, else the only one with the name of the Space."""
    if len(models) == 1:
        return models[0]
    namesakes = [one for one in models if _get_name(one) == _get_name(space_id)]
    own = [one for one in namesakes if one.lower() == space_id.lower()]
    return (own or namesakes)[0] if len(own or namesakes) == 1 else ""


def _get_name(hub_id: str) -> str:
    return hub_id.rpartition("/")[2].lower()


async def fetch_quota(connection: Connection) -> str:
    """Return the GPU time left for the connection's token, in words; empty if the Hub does not report it."""
    status, told = await _fetch(connection, "zero-gpu/quota")
    left, base = _format_seconds(told.get("current")), _format_seconds(told.get("base"))
    if status != 200 or not left:
        return ""
    resets = f", resets {strip_markup(told['resetsAt'])}" if isinstance(told.get("resetsAt"), str) else ""
    return f"{left} of {base or '?'} s of GPU time left{resets}"


def _format_seconds(told: object) -> str:
    """Return a number of seconds; "" for anything else, and for one that is out of all bounds."""
    known = isinstance(told, int | float) and not isinstance(told, bool) and abs(told) <= _MOST_SECONDS
    return f"{told:g}" if known else ""


async def _fetch(connection: Connection, path: str) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and JSON object of the Hub's API of Spaces; 0 and nothing if it does not answer."""
    try:
        # A Space's connection may not go where the Hub may be, nor does the Space's token go there.
        to_hub = connection if connection.is_to(get_hub()) else connection.connect_to(get_hub())
        answer = await to_hub.get_text(f"{get_hub()}/api/spaces/{path}")
    except FluxError:
        return 0, {}
    told = parse(answer.text)
    return answer.status, told if isinstance(told, dict) else {}


def check_stage(stage: str, space_id: str) -> None:
    """Raise the error that a stage means for a request; none for a running or an unknown stage."""
    page = f"https://huggingface.co/spaces/{space_id}"
    if stage == "NOT_FOUND":
        raise SpaceNotFound(f"there is no Space {space_id}, or it is private", "Check its name.")
    if stage == "PAUSED":
        raise SpacePaused(f"the Space {space_id} is paused by its owner", f"See {page}, or choose another Space.")
    if stage in _WAKING:
        raise SpaceAsleep(f"the Space {space_id} is not awake ({stage.lower()})", "Try again in a few minutes.")
    if stage and stage not in _RUNNING:
        raise SpaceBroken(f"the Space {space_id} is not running ({stage.lower()})", f"See {page}.")


_PAGES = (
    (r"paused", SpacePaused, "the Space is paused by its owner", "Choose another Space."),
    (r"sleeping|starting|waking|preparing", SpaceAsleep, "the Space is asleep", "Try again in a few minutes."),
    (r"building", SpaceAsleep, "the Space is being built", "Try again in a few minutes."),
    (
        r"runtime error|build error|in error|config error",
        SpaceBroken,
        "the Space is not running",
        "Choose another Space.",
    ),
    (
        r"not found|404",
        SpaceNotFound,
        "there is no such Space",
        "Check its name or address; a private Space needs a token.",
    ),
)


def read_page(text: str) -> str:
    """Return the words of the first 64 Ki characters of an HTML page, without its scripts and styles.

    Takes time linear in the length, whatever the page holds; `html.parser` does not.
    """
    before, *parts = text[:PAGE_READ].split("<")
    words, hidden = [before], ""
    for part in parts:
        tag, _, after = part.partition(">")
        name = tag.split(maxsplit=1)[0].lower() if tag.strip() else ""
        if name == f"/{hidden}":
            hidden = ""
        elif not hidden and name in {"script", "style"}:
            hidden = name
        if not hidden:
            words.append(after)
    return strip_markup(" ".join(words))


def check_page(text: str) -> None:
    """Raise what a page in place of the Space says, and SpaceNotFound if it says nothing known."""
    words = read_page(text)
    # The Hub's pages are short or speak of the Space: another site's may have any of these words.
    if len(words) < 200 or re.search(r"\bspace\b", words, re.IGNORECASE):
        for pattern, kind, message, hint in _PAGES:
            if re.search(pattern, words, re.IGNORECASE):
                raise kind(message, hint)
    raise SpaceNotFound("there is a page at this address, but no Gradio Space", "Check its name or address.")
