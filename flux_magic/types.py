"""The values that flow through the package: frozen, from the standard library alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .errors import InvalidRequest, mask_secrets, replace_controls, show_value
from .parameters.calls import check_class
from .parameters.table import FIELDS, ROWS, Values, check_values, round_values


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One image that went into a request, as a record names it.

    Attributes:
        role: `image`, or `mask` (white where the image may change).
        media_type: of the bytes that are sent.
        width, height: pixels.
        digest: sha256 of the pixels, 64 hex digits (`flux_magic.images.codecs` says over what).
        sha256: of the bytes that are sent, 64 hex digits.
        of: the replay key of the record that made the image; empty if it is not known.
        note: what was changed before it was sent, in words; usually empty.
    """

    role: str
    media_type: str
    width: int
    height: int
    digest: str
    sha256: str
    of: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class InputImage:
    """One image that goes in: its record, and the bytes that are sent. `flux_magic.load_image` makes one.

    `origin` says in words what made it, if that is known: `"a red fox", seed 42`. It is shown, and not recorded.

    Example::

        >>> from PIL import Image
        >>> one = flux_magic.load_image(Image.new("RGB", (16, 8), "red"))
        >>> one.role, one.record.media_type, one.record.width, one.record.height
        ('image', 'image/png', 16, 8)
    """

    record: InputRecord
    data: bytes = field(repr=False, compare=False)
    origin: str = field(default="", repr=False, compare=False)

    @property
    def role(self) -> str:
        """`image` or `mask`."""
        return self.record.role


def _check_images(images: object) -> tuple[InputImage, ...]:
    """Return the images of a request as a tuple. Raises InvalidRequest for anything else."""
    if not isinstance(images, list | tuple) or not all(isinstance(one, InputImage) for one in images):
        raise InvalidRequest(f"images is {show_value(images)}: give a list of InputImage")
    return tuple(images)


@check_class
@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One job for a Space: `ImageRequest("a fox", steps=4)`.

    None inherits: the client fills it in from the call's options, its own, `%config`, the environment and the model's
    default, in this order. A width, a height or steps that are still None are left to the Space.

    Attributes:
        prompt: the string as it is sent; not empty.
        model: a model's name or alias; an empty one is the provider's default.
        width, height: pixels as asked for; what is sent is `sent_width` and `sent_height`. None is the model's own.
        steps: inference steps, 1 or more (the Space has bounds of its own); None is the model's own.
        seed: 0 to 2147483647; if no seed is inherited, the client chooses a random one before it sends the request.
        randomize_seed: True leaves the choice of the seed to the Space.
        typed: the prompt as typed, before {names} were put in, or None if that is as it is sent.
        chosen: whether the seed was chosen by chance, and not given. Only a given one is replayed.
        parameters: what else shapes the image, by name; what is not there is the Space's own choice. An immutable
            mapping; what is sent is `sent_parameters`. A model's own parameters go by its own names.
        images: the images that go in, in order, for a model that edits.

    Example::

        >>> flux_magic.ImageRequest("a red fox", seed=42).seed
        42

    Raises InvalidRequest if a value is of another type or out of its range.
    """

    prompt: str
    model: str = None  # type: ignore[assignment]  # see __init__
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    seed: int = None  # type: ignore[assignment]
    randomize_seed: bool = False
    typed: str | None = None
    chosen: bool = False
    parameters: Mapping[str, Any] = Values()
    images: tuple[InputImage, ...] = ()

    if TYPE_CHECKING:
        # Providers, records and results read complete requests alone, so only the constructor takes these as None.
        def __init__(
            self,
            prompt: str,
            model: str | None = None,
            width: int | None = None,
            height: int | None = None,
            steps: int | None = None,
            seed: int | None = None,
            randomize_seed: bool = False,  # noqa: FBT001, FBT002 - as the fields
            typed: str | None = None,
            chosen: bool = False,  # noqa: FBT001, FBT002
            parameters: Mapping[str, Any] = Values(),
            images: Sequence[InputImage] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        prompt: object = self.prompt
        if not isinstance(prompt, str):
            raise InvalidRequest(f"the prompt is {show_value(prompt)}: give a string")
        if not prompt.strip():
            raise InvalidRequest("the prompt is empty: say in words what the image shows")
        if half := re.search("[\ud800-\udfff]", prompt):
            raise InvalidRequest(
                f"the prompt has half a character, {half[0]!a} at {half.start()}, which no page can show: leave it out"
            )
        for name in FIELDS:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, ROWS[name].check(value))
        object.__setattr__(self, "parameters", check_values(self.parameters))
        object.__setattr__(self, "images", _check_images(self.images))

    @property
    def as_typed(self) -> str:
        """The prompt before `{name}` was replaced."""
        return self.prompt if self.typed is None else self.typed

    @property
    def sent_width(self) -> int | None:
        """The width rounded down to a multiple of 8 pixels; None if it is left to the model."""
        return ROWS["width"].round_down(self.width)  # type: ignore[no-any-return]

    @property
    def sent_height(self) -> int | None:
        """The height rounded down to a multiple of 8 pixels; None if it is left to the model."""
        return ROWS["height"].round_down(self.height)  # type: ignore[no-any-return]

    @property
    def sent_parameters(self) -> Mapping[str, Any]:
        """The `parameters` as they are sent: each rounded down to its multiple."""
        return round_values(self.parameters)

    def get_value(self, name: str) -> Any:
        """Return a field or a parameter by its name, as it is sent: `request.get_value("guidance")`; else None."""
        return getattr(self, name) if hasattr(type(self), name) else self.sent_parameters.get(name)

    def with_values(self, **values: Any) -> ImageRequest:
        """Return the request with these values of its fields and parameters: `request.with_values(steps=4)`."""
        extra = {name: values.pop(name) for name in [*values] if name not in type(self).__dataclass_fields__}
        return replace(self, **values, parameters={**self.parameters, **extra} if extra else self.parameters)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing runs yet; `reason` says what the job is waiting for, such as "starting the local Space"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The job is in the Space's queue: `position` counts from 1, and `eta` is in seconds if known."""

    position: int
    size: int | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The job is running: `step` of `total`, both None if the Space does not report them; `description` is the
    Space's own. `if_stopped` says what an interrupt does not call back; usually empty.
    """

    step: int | None = None
    total: int | None = None
    unit: str = "steps"
    description: str = ""
    if_stopped: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A message during the job, without markup: `level` is "info", "warning" or "error" for the Space's own words.

    "note" is for the provider's, which the user reads before the image is made.
    """

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Preview:
    """Unfinished images, if the provider shows any: absolute URLs, as in ImageResponse, or data URLs.

    Those of a batch come together.
    """

    images: list[str]


@dataclass(frozen=True, slots=True)
class ImageResponse:
    """The Space's answer: where the images are, and what made them.

    Attributes:
        images: absolute URLs; they die with the Space's cache, within hours.
        alt: the prompt, as alternative text.
        seed: the seed that the Space reports as used, or None if it reports none.
        options: what was asked for: model, width, height, steps.
        parameters: what was sent, with a model's own defaults, by the names of the table, else by the provider's own;
            empty if that is what was asked for.
        sent: the values that were sent besides and a record has no other field for, by the provider's own names.

    `str()` gives Markdown, and a notebook shows it as such.
    """

    images: list[str]
    alt: str
    seed: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    sent: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        alt = _MARKUP.sub(r"\\\g<0>", make_printable(self.alt))  # MathJax reads no attribute
        return "\n".join(f"![{alt}]({quote(url, safe=_URL_SAFE)})" for url in self.images)

    def _repr_markdown_(self) -> str:
        return str(self)


_URL_SAFE = "%/:=&?~#+!$,;'@[]*"


def make_printable(text: str) -> str:
    """Return `text` on one line, without control characters."""
    return replace_controls(" ".join(text.split()))


_MARKUP = re.compile(r"(?P<tex>[$\\])|[`*_{}\[\]<>()#|!~&]|:(?=//)|(?<=[wW]{3})\.|(?<=\S)@(?=\S)")


def escape_markdown(text: str) -> str:
    """Return `text` on one line, with everything escaped that Markdown, HTML or MathJax would interpret.

    MathJax reads the page after Markdown has taken the backslashes away, but not across elements.
    """

    def escape(match: re.Match[str]) -> str:
        return f"<span>&#{ord(match[0])};</span>" if match["tex"] else f"\\{match[0]}"

    return _MARKUP.sub(escape, make_printable(text))


Event = Waiting | Queued | Running | Log | Preview | ImageResponse
"""The events of `provider.stream`; an ImageResponse is the last."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as it was delivered.

    Attributes:
        media_type: `image/png`, `image/jpeg`, `image/webp`, `image/gif` or `image/avif`.
        width, height: pixels, as decoded.
        digest: sha256 of the pixels, 64 hex digits (`flux_magic.images.codecs` says over what).
        sha256: of the bytes as delivered, 64 hex digits.
    """

    media_type: str
    width: int
    height: int
    digest: str
    sha256: str


UNKNOWN = "unknown"
"""The value of a record's field that is not known."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Other facts that may explain an image, and facts that change from run to run.

    Attributes:
        version: of this package.
        gradio: the version of the Space's Gradio.
        decoder: what decoded the image, with its version.
        space_commit: the commit of the Space, as the Hub tells it.
        weights, hardware: of the model, and where it ran.
        details: what else the provider tells of where it ran, by name, such as `device`, `dtype` and versions.
        started: when the request was sent, UTC, ISO 8601.
        seconds: from then to the last byte, or None if it is not known.
        queued: of these, in the Space's queue, or None if the Space does not tell.

    Anything that is not known is "unknown".
    """

    version: str = UNKNOWN
    gradio: str = UNKNOWN
    decoder: str = UNKNOWN
    space_commit: str = UNKNOWN
    weights: str = UNKNOWN
    hardware: str = UNKNOWN
    details: Mapping[str, str] = field(default_factory=dict, hash=False)
    started: str = UNKNOWN
    seconds: float | None = None
    queued: float | None = None


RECORD_VERSION = 2
"""The newest version of a record's JSON that is read.

It is written only for an image with `parameters`, with images that went in, or with steps or a size that were left to
the model: a reader of version 1 would leave them out of its cell and its replay key. Every other record is of version
1, byte for byte.
"""

STAND_IN = "flux_magic stand-in"
"""The model that a record names where the local Space drew the image."""

ANY_SPACE = "Gradio Space"
"""The provider that a record names for a Space that is not a provider's own."""


SAME = -1
"""The value of `Record.requested_steps` that is replaced by `steps`."""


def _drop_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != ""}


@dataclass(frozen=True, slots=True)
class Record:
    """All that is needed to make an image again, and to tell whether it is the same.

    It holds no address or path of the machine, no proxy and no secret. `flux_magic/records/schemas` defines its JSON.

    Attributes:
        prompt: the text as sent.
        model: what made it: on the model's own Space its canonical name, on any other the Hub's name for it or `unknown
            (Space …)`; `flux_magic stand-in` for the local Space.
        provider: the provider's label; `Gradio Space` for a Space that is not the provider's own.
        space: the Space's identity (`hf:owner/name`, `local:<version of the drawing>`, or a URL).
        seed: the seed that was used, or None if the Space chose it and did not tell.
        steps: inference steps; None if they were left to the model, and it did not tell.
        width, height: pixels, as sent, or None likewise; what came back is in `files`.
        requested_prompt: the text as typed, before {names} were put in.
        requested_model: the model's name as asked for.
        requested_space: the Space's name as asked for, or None if it is the model's own.
        requested_seed: None if it was left to chance.
        requested_width, requested_height: pixels, as asked for; None if they were left to the model.
        files: what was delivered, in order; one or more.
        circumstances: what else is known.
        sent: the values that went along and no other field has, by the Space's own names, such as its defaults.
        key_provider, key_model: the provider's label and the model's name in the replay key; empty if they are
            `provider` and `model`.
        parameters: what else shaped the image, as sent, by the names of our table.
        requested_parameters: the same as asked for.
        requested_steps: None if they were left to the model; SAME if they are `steps`.
        images: what went in, in order.
        requested_provider: the engine as asked for, as in `inference:together`; empty for a Space.
        rewrites: the parameters that were on and let the Space rewrite the prompt, by its own names; the text that ran
            is not known.
    """

    prompt: str
    model: str
    provider: str
    space: str
    seed: int | None
    steps: int | None
    width: int | None
    height: int | None
    requested_prompt: str
    requested_model: str
    requested_space: str | None
    requested_seed: int | None
    requested_width: int | None
    requested_height: int | None
    files: tuple[FileRecord, ...]
    circumstances: Circumstances = Circumstances()
    sent: Mapping[str, Any] = field(default_factory=dict, hash=False)
    key_provider: str = ""
    key_model: str = ""
    parameters: Mapping[str, Any] = Values()
    requested_parameters: Mapping[str, Any] = Values()
    requested_steps: int | None = SAME
    images: tuple[InputRecord, ...] = ()
    rewrites: tuple[str, ...] = ()
    requested_provider: str = ""

    def __post_init__(self) -> None:
        if self.requested_steps == SAME:
            object.__setattr__(self, "requested_steps", self.steps)

    @property
    def stand_in(self) -> bool:
        """True if the local Space drew this, not FLUX."""
        return self.space.startswith("local:")

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, by the schema `flux_magic/records/schemas/record-1.json`."""
        parameters = {"parameters": dict(self.parameters)} if self.parameters else {}
        requested: dict[str, Any] = {"parameters": dict(self.requested_parameters)} if self.requested_parameters else {}
        if self.requested_provider:
            requested["provider"] = self.requested_provider
        if self.requested_steps != self.steps:
            requested["steps"] = self.requested_steps
        images = {"images": [_drop_empty(asdict(one)) for one in self.images]} if self.images else {}
        sides = (self.requested_width, self.requested_height, self.steps, self.width, self.height)
        rewrites = {"rewrites": list(self.rewrites)} if self.rewrites else {}
        is_new = bool(parameters or requested or images or rewrites) or None in sides
        circumstances = asdict(self.circumstances)
        if not circumstances["details"]:
            del circumstances["details"]
        sent = {"sent": dict(self.sent)} if self.sent else {}
        key = {"provider": self.key_provider, "model": self.key_model}
        return {
            "schema": RECORD_VERSION if is_new else 1,
            "requested": {
                "prompt": self.requested_prompt,
                "model": self.requested_model,
                "space": self.requested_space,
                "seed": self.requested_seed,
                "width": self.requested_width,
                "height": self.requested_height,
                **requested,
            },
            "run": {
                "prompt": self.prompt,
                "model": self.model,
                "provider": self.provider,
                "space": self.space,
                "seed": self.seed,
                "steps": self.steps,
                "width": self.width,
                "height": self.height,
                **parameters,
                **images,
                **rewrites,
                **sent,
                **({"key": key} if any(key.values()) else {}),
            },
            "files": [asdict(file) for file in self.files],
            "circumstances": {"flux_magic": circumstances.pop("version"), **circumstances},
        }


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a delivered file: in a notebook, or saved; perhaps in another encoding.

    Attributes:
        file: its place among the record's files, from 0.
        media_type: of the copy.
        digest: sha256 of the copy's pixels, 64 hex digits.
        sha256: of the copy's bytes without their metadata (`flux_magic.images.metadata.bare`), 64 hex digits.
    """

    file: int
    media_type: str
    digest: str
    sha256: str


def fit_one_line(text: str, most: int = 300) -> str:
    """Return `text` on one line of at most this many characters, without control characters or secrets."""
    kept = mask_secrets(make_printable(text))
    return kept if len(kept) <= most else f"{kept[: most - 3].rstrip()}..."
