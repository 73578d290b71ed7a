"""Addresses as people copy them: of a Space's page on the Hub, and of an app with one of its routes behind it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import InvalidRequest, show_value

HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""The id of a Space on the Hub, `owner/name`."""

_HUB: Final = "https://huggingface.co"
_HUB_HOSTS: Final = ("huggingface.co", "hf.co")
_HUB_PLACES: Final = ("datasets", "models", "docs", "blog", "papers", "collections", "login", "join", "settings", "new")
_ENDS_OF_SENTENCES: Final = ".,;:!?)"
# Expressions are strings, which `re` compiles once, at their first use: loading the extension needs none of them.
_AROUND: Final = r"""(?s)<(.*)>|"(.*)"|'(.*)'|`(.*)`|\((.*)\)|“(.*)”"""

_ROUTE: Final = (
    r"/gradio_api(/.*)?$"
    r"|/call/(v2/)?[^/]+(/[^/]*)?/?$"
    r"|/queue/(join|data|status)/?$"
    r"|/(run|api)/(predict|infer)/?$"
    r"|/config/?$"
    r"|/file=.*$"
)
"""Gradio's own routes, which follow an app's base URL."""

_NO_SCHEME: Final = (
    ("https", r"(?i:((www\.)?(huggingface\.co|hf\.co)|[\w-]+\.(hf\.space|gradio\.live))(?=[/:?#]|$))"),
    ("http", r"(?i:(localhost|127(\.\d+){3}|0\.0\.0\.0|\[::1?\]):\d)"),
)
"""Hosts that are known without a scheme, and the scheme that they have."""


def get_hub() -> str:
    """Return the Hub's base URL; `HF_ENDPOINT` names another one, as for Hugging Face's own tools."""
    return (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def is_on_hub(url: str) -> bool:
    """Return True if a URL is of the Hub or of a Space that the Hub runs."""
    parts, here = _split_url(url), _split_url(get_hub())
    if parts is None:
        return False
    host = (parts.hostname or "").removesuffix(".")
    hosted = f".{host}".endswith((".hf.space", *(f".{one}" for one in _HUB_HOSTS)))
    return hosted or (here is not None and parts.netloc == here.netloc)


def unwrap_address(text: str) -> str:
    """Return an address without the spaces, quotes or brackets around it, and with its scheme if that is known."""
    text = text.strip()
    if wrapped := re.fullmatch(_AROUND, text):
        text = next(inner for inner in wrapped.groups() if inner is not None).strip()
    scheme = next((scheme for scheme, known in _NO_SCHEME if re.match(known, text)), "")
    return f"{scheme}://{text}" if scheme else text


def parse_page_id(text: str) -> str:
    """Return the Space's id that a page of the Hub is about; "" if `text` is no page of the Hub.

    Raises InvalidRequest for a page that is not a Space's.
    """
    if found := re.fullmatch(rf"(?:hf:|(?:hf:/)?/?spaces/)({HUB_ID.pattern})(/.*)?", text, re.ASCII):
        return found[1]
    path = _get_hub_path(text)
    if path is None:
        return ""
    folders = [part for part in unquote(path).removeprefix("/api").split("/") if part]
    if folders[:1] == ["spaces"] and len(folders) > 2:
        name = "/".join(folders[1:3]).rstrip(_ENDS_OF_SENTENCES)
        if HUB_ID.fullmatch(name):
            return name
    raise InvalidRequest(
        f"{_remove_query(text)!r} is {_describe_page(folders)}, not a Space: give a Space's page or id, "
        f"such as {_HUB}/spaces/black-forest-labs/FLUX.1-schnell"
    )


def _get_hub_path(text: str) -> str | None:
    """Return the path of a page of the Hub; of another Hub, `HF_ENDPOINT`, only that of a Space's page."""
    parts = _split_url(text)
    if parts is None or "@" in parts.netloc:
        return None
    if (parts.hostname or "").removeprefix("www.") in _HUB_HOSTS:
        return parts.path
    base = _split_url(get_hub())
    if base is None or parts.netloc != base.netloc:
        return None
    path = parts.path.removeprefix(base.path)
    return path if re.match(r"(/api)?/spaces/", path) else None


def _describe_page(folders: list[str]) -> str:
    if folders[:1] == ["datasets"] and len(folders) > 2:
        return "a data set's page"
    if len(folders) < 2 or folders[0] in (*_HUB_PLACES, "spaces"):
        return "a page of the Hub"
    return "a model's page"


def parse_app_url(text: str) -> str:
    """Return the base URL of an app: without a route of Gradio's, a query and a fragment.

    Raises InvalidRequest if it is no http(s) URL, or holds a user name or password.
    """
    parts = _split_url(text)
    if "@" in (text if parts is None else parts.netloc + parts.path):
        raise InvalidRequest("a Space's URL takes no user name or password: leave out what is before the @")
    if parts is None or re.search(r"""[\s"'<>]""", parts.netloc + parts.path):
        raise InvalidRequest(
            f"{_remove_query(text)!r} is no Space: give a Hugging Face id such as "
            "black-forest-labs/FLUX.1-schnell, an http(s) URL, or local"
        )
    return f"{parts.scheme}://{parts.netloc}{re.sub(_ROUTE, '', parts.path)}".rstrip("/")


def _split_url(text: str) -> SplitResult | None:
    """Return the parts of an http(s) URL, without the full stop or bracket that follows it in a sentence."""
    try:
        parts = urlsplit(_remove_query(text))
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return None
    return parts if usable else None


def _remove_query(text: str) -> str:
    return re.split(r"[?#]", text)[0].rstrip(_ENDS_OF_SENTENCES)


@dataclass(frozen=True, slots=True)
class Space:
    """A place where images are made. `url` is None for `local`, whose address is known once it runs."""

    name: str
    url: str | None

    @classmethod
    def parse(cls, text: str) -> Space:
        """Read a Hugging Face id (`owner/name`), its page on the Hub, an app's http(s) URL, or `local`.

        Raises InvalidRequest for anything else, and for a URL that holds a user name or password.
        """
        given: object = text
        if not isinstance(given, str):
            raise InvalidRequest(f"the Space is {show_value(given)}: give a Hugging Face id, an http(s) URL, or local")
        name = unwrap_address(text)
        if name.rstrip("/").lower() == "local":
            return cls("local", None)
        if HUB_ID.fullmatch(name.rstrip("/")) or (name := parse_page_id(name)):
            hub_id = name.rstrip("/")
            return cls(hub_id, f"https://{_make_subdomain(hub_id)}.hf.space")
        url = parse_app_url(unwrap_address(text))
        return cls(url, url)

    @property
    def identity(self) -> str:
        """The Space's name in a record: `hf:owner/name`, or scheme, host and path of its URL."""
        return f"hf:{self.hub_id}" if self.hub_id else self.url or self.name

    @property
    def hub_id(self) -> str:
        """Its id on the Hub, `owner/name`; empty for `local`, and for one that is known by its URL alone."""
        return self.name if HUB_ID.fullmatch(self.name) else ""

    @property
    def host(self) -> str:
        """The host of its URL, empty for `local`."""
        return urlsplit(self.url or "").hostname or ""


def _make_subdomain(hub_id: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", hub_id.lower()).strip("-")
