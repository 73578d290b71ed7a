"""The values that flow through the package: frozen, and made of the standard library alone."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from .errors import InvalidRequest, shown

MAX_SEED = 2**31 - 1
"""The largest seed that the public Space takes; the smallest is 0."""

SIZE_STEP = 8
"""Widths and heights are rounded down to a multiple of this many pixels before they are sent."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Space:
    """Where images are made. `url` is None for `local`, whose address is known once it runs."""

    name: str
    url: str | None

    @classmethod
    def parse(cls, text: str) -> Space:
        """Read a Hugging Face id (`owner/name`), an http(s) URL, or `local`.

        Raises InvalidRequest for anything else, and for a URL that holds a user name or password.
        """
        given: object = text
        if not isinstance(given, str):
            raise InvalidRequest(f"the Space is {shown(given)}: give a Hugging Face id, an http(s) URL, or local")
        name = text.strip().rstrip("/")
        if name.lower() == "local":
            return cls("local", None)
        if _HUB_ID.fullmatch(name):
            return cls(name, f"https://{_subdomain(name)}.hf.space")
        url = _checked_url(name)
        return cls(url, url)

    @property
    def identity(self) -> str:
        """What names this Space in a record: `hf:owner/name`, or scheme, host and path of its URL."""
        if self.url is not None and _HUB_ID.fullmatch(self.name):
            return f"hf:{self.name}"
        return self.url or self.name


def _subdomain(hub_id: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", hub_id.lower()).strip("-")


def _checked_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if "@" in text:
        raise InvalidRequest("a Space's URL holds no user name or password: leave out what is before the @")
    if not usable or re.search(r"""[\s"']""", text):
        raise InvalidRequest(
            f"{text!r} is no Space: give a Hugging Face id such as "
            "black-forest-labs/FLUX.1-schnell, an http(s) URL, or local"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One job for a Space.

    Attributes:
        prompt: the text as it is sent; not empty.
        model: a model's name or alias; an empty one is the provider's default.
        width, height: pixels as asked for; what is sent is `sent_width` and `sent_height`.
        steps: inference steps, 1 or more (the Space has bounds of its own).
        seed: 0 to 2147483647.
        randomize_seed: True leaves the choice of the seed to the Space.

    Raises InvalidRequest where a value is of another type or out of its range.
    """

    prompt: str
    model: str = ""
    width: int = 768
    height: int = 768
    steps: int = 2
    seed: int = 0
    randomize_seed: bool = False

    def __post_init__(self) -> None:
        prompt: object = self.prompt
        if not isinstance(prompt, str):
            raise InvalidRequest(f"the prompt is {shown(prompt)}: give a text")
        if not prompt.strip():
            raise InvalidRequest("the prompt is empty: say in words what the image shows")
        for name, least in (("width", SIZE_STEP), ("height", SIZE_STEP), ("steps", 1), ("seed", 0)):
            _check_whole(name, getattr(self, name), least)
        if self.seed > MAX_SEED:
            raise InvalidRequest(f"seed {shown(self.seed)} is too large: a seed is a whole number from 0 to {MAX_SEED}")

    @property
    def sent_width(self) -> int:
        """The width rounded down to a multiple of 8 pixels."""
        return self.width - self.width % SIZE_STEP

    @property
    def sent_height(self) -> int:
        """The height rounded down to a multiple of 8 pixels."""
        return self.height - self.height % SIZE_STEP


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        most = f" to {MAX_SEED}" if name == "seed" else " up"
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number from {least}{most}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing runs yet; `reason` says what is waited for, as a person would: "starting the local Space"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The job stands in the Space's queue: `position` counts from 1, `eta` is in seconds where known."""

    position: int
    size: int | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The job runs: `step` of `total`, both None where the Space does not tell; `description` is its own."""

    step: int | None = None
    total: int | None = None
    unit: str = "steps"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A Space's word on the way, without markup: `level` is "info", "warning" or "error"."""

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Preview:
    """An image on its way, where a Space shows some: absolute URLs, as in ImageResponse."""

    images: list[str]


@dataclass(frozen=True, slots=True)
class ImageResponse:
    """A Space's answer: where the images are, and what made them.

    Attributes:
        images: absolute URLs; they die with the Space's cache, within hours.
        alt: the prompt, as alternative text.
        seed: the seed that the Space reports as used, or None where it reports none.
        options: what was asked for: model, width, height, steps.

    `str()` gives Markdown, and a notebook shows it as such.
    """

    images: list[str]
    alt: str
    seed: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        alt = markdown_text(self.alt)
        return "\n".join(f"![{alt}]({quote(url, safe=_URL_SAFE)})" for url in self.images)

    def _repr_markdown_(self) -> str:
        return str(self)


_URL_SAFE = "%/:=&?~#+!$,;'@[]*"


def markdown_text(text: str) -> str:
    """`text` on one line, with everything escaped that Markdown, HTML or MathJax would read as markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!$~&])", r"\\\1", " ".join(text.split()))


Event = Waiting | Queued | Running | Log | Preview | ImageResponse
"""What `provider.stream` yields; an ImageResponse is the last."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as it was delivered.

    Attributes:
        media_type: `image/png`, `image/jpeg` or `image/webp`.
        width, height: pixels, as decoded.
        digest: sha256 of the pixels, 64 hex digits (`flux_magic.picture` says over what).
        sha256: of the bytes as delivered, 64 hex digits.
    """

    media_type: str
    width: int
    height: int
    digest: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that is needed to make an image again, and to tell whether it is the same.

    It holds no address or path of the machine, no proxy and no secret.

    Attributes:
        prompt: the text as sent.
        model: what made it: the model's canonical name, or `flux_magic stand-in` (the local Space).
        requested_model: the model's name as asked for.
        provider: the provider's label.
        space: the Space's identity (`hf:owner/name`, `local:<version of the drawing>`, or a URL).
        requested_space: the Space's name as asked for; None where it is the model's own.
        seed: the seed that was used.
        steps: inference steps.
        requested_width, requested_height: pixels, as asked for.
        width, height: pixels, as sent; what came back is in `files`.
        files: what was delivered, in order.
        version: of this package.
        started: when the request was sent, UTC, ISO 8601.
        seconds: from then to the last byte.
    """

    prompt: str
    model: str
    requested_model: str
    provider: str
    space: str
    requested_space: str | None
    seed: int
    steps: int
    requested_width: int
    requested_height: int
    width: int
    height: int
    files: tuple[FileRecord, ...]
    version: str
    started: str
    seconds: float

    @property
    def stand_in(self) -> bool:
        """Whether the local Space drew this, and not FLUX."""
        return self.space.startswith("local:")

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values."""
        return asdict(self)
