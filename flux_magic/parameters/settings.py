"""The settings of a call: option over `%config` over environment over default.

Resolved at the time of each call, so that a change takes effect with the next image.
"""

from __future__ import annotations

import numbers
import operator
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, SupportsIndex
from urllib.parse import urlsplit

from ..errors import InvalidArgument, InvalidRequest, show_value
from . import tokens
from .addresses import Space, is_on_hub
from .paths import check_writable, expand
from .sizes import read_size
from .table import EXTRA_NAMES, FIELDS, ROWS, Values, check_mapping, check_values, pick_extra

DEFAULT_MODEL: Final = "flux"
ENVIRONMENT: Final = {
    "space": "FLUX_MAGIC_SPACE",
    "store": "FLUX_MAGIC_STORE",
    "shared_store": "FLUX_MAGIC_SHARED_STORE",
    "replay": "FLUX_MAGIC_REPLAY",
    "sign_as": "FLUX_MAGIC_SIGN_AS",
}
INLINE: Final = ("png", "jpeg", "link")
RUNNERS: Final = ("thread", "nest")
REPLAY: Final = ("auto", "only", "off")
DTYPES: Final = ("auto", "float32", "bfloat16", "float16")
OFFLOAD: Final = ("none", "model", "group")
_OFF: Final = ("off", "false", "no", "0")
_MAY_BE_EMPTY: Final = {"caption", "alt", *(name for name, row in ROWS.items() if row.may_be_empty)}
"""Settings of which `""` is a value: it is over one that is configured."""

MOST_IMAGES: Final = 16
"""More images than this at once need `--yes` in the magics."""

MOST_SWEPT: Final = 10_000
"""More images than this are never made at once."""

MOST_AT_ONCE: Final = 16
"""More images than this are not asked for at once."""

MAX_SECONDS: Final = 10.0**9
"""A timeout above this is treated as no limit."""

SECONDS: Final = f"seconds above 0 and below {MAX_SECONDS:.0f}"
"""The allowed timeouts, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One call's settings.

    Attributes:
        space: a Hugging Face id, a URL or `local`; None is the model's own Space.
        model: a model's name or alias; with a `provider` also the id or folder that this one takes.
        provider: the engine that makes the images: `space`, or another's name, with a colon and what the engine chooses
            by, as in `inference:together`; in Python also a provider itself. None is `space`.
        cluster: the Dask cluster whose workers make the images: a scheduler's address, `tcp://…` or `tls://…`, or
            `local`; in Python also a `Client` of `dask.distributed`. None makes them in this process.
        steps: inference steps; None is the model's own number.
        width, height: pixels; None is the model's own size.
        seed: 0 to 2147483647; None chooses a random one for each call.
        inline: how an image is embedded in the notebook: `png`, `jpeg`, `link` (the Space's URL alone), or None for
            what keeps it best (PNG and JPEG as delivered, lossy WebP as JPEG, the rest as PNG).
        proxy: an http(s) proxy's URL; None takes the environment's, except for this machine.
        token: a Hugging Face token for the Space that is asked, and no other host; None takes `HF_TOKEN` of the
            environment, or the token of `hf auth login`, for the model's own Space and Inference Providers. A
            configured one is for the configured Space and Inference Providers alone.
        timeout: seconds for a whole image; None sets no limit beyond 10 minutes without progress.
        concurrency: how many images of a sweep are made at once, 1 to 16.
        runner: `thread` (a background loop) or `nest` (the kernel's own loop, by nest-asyncio).
        store: the folder that keeps what was made; None is one in the user's data folder, False keeps nothing.
        shared_store: a folder that others keep, which is read before the store and never written to; several as in
            `PATH` (with `os.pathsep` between them) are read in their order, and `off` reads none.
        replay: `auto` takes an image of a given seed from the store, if it is there; `only` asks no Space at all; `off`
            always asks. Where `FLUX_MAGIC_REPLAY` is `only`, this is too; `HF_HUB_OFFLINE=1` has the same effect on
            Spaces of the Hub.
        metadata: whether an image that is embedded or saved carries what made it.
        strip_credentials: whether content credentials (C2PA) are taken out of it; else it stays as delivered.
        sign: whether what is embedded, saved or exported gets content credentials (C2PA) by the user's own key.
        sign_as: the name that these give as the creator's; None gives none.
        caption: words that a notebook shows under an image; None for none.
        alt: alternative text, for those who do not see an image; None is its prompt, of a sheet its axes in words.
        only_image: whether a notebook shows images without the parameters that made them.
        device: where the provider `diffusers` runs: `auto` (CUDA, else MPS, else CPU), or `cuda:1`, `mps`, `cpu`.
        dtype: its numbers: `auto` (bfloat16 on a GPU, float32 on a CPU), `float32`, `bfloat16` or `float16`.
        offload: what it keeps off the GPU: `none`, `model` (parts that do not run) or `group` (also their layers).
        batch: how many images of one shape it makes at once, 1 to 16, or `auto` (by the free memory of a GPU).
        parameters: what else shapes the image, by name; without an entry, the Space's own default counts.
        configured: names of what only `%config` sets and a model may lack.

    Example::

        >>> flux_magic.Settings(space="local", steps=4).steps
        4

    Raises InvalidRequest if a choice is not one of those there are.
    """

    space: str | None = None
    model: str = DEFAULT_MODEL
    provider: Any = None
    cluster: Any = None
    steps: int | None = ROWS["steps"].default
    width: int | None = ROWS["width"].default
    height: int | None = ROWS["height"].default
    seed: int | None = ROWS["seed"].default
    inline: str | None = None
    proxy: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    timeout: float | None = None
    concurrency: int = 4
    runner: str = "thread"
    store: str | os.PathLike[str] | bool | None = None
    shared_store: str | os.PathLike[str] | None = None
    replay: str = "auto"
    metadata: bool = True
    strip_credentials: bool = False
    sign: bool = False
    sign_as: str | None = None
    caption: str | None = None
    alt: str | None = None
    only_image: bool = False
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "none"
    batch: int | str = "auto"
    parameters: Mapping[str, Any] = Values()
    configured: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def get_value(self, name: str) -> Any:
        """Return what shapes the image, by its name in the table; None if it is not set."""
        return getattr(self, name) if name in FIELDS else self.parameters.get(name)

    def __post_init__(self) -> None:
        if is_offline():
            object.__setattr__(self, "replay", "only")
        _check_provider(self.provider)
        _check_cluster(self.cluster)
        _check_choice("inline", self.inline, (None, *INLINE))
        _check_choice("runner", self.runner, RUNNERS)
        _check_choice("replay", self.replay, REPLAY)
        _check_choice("dtype", self.dtype, DTYPES)
        _check_choice("offload", self.offload, OFFLOAD)
        if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d{1,3})?", str(self.device)):
            raise InvalidRequest(f"device is {show_value(self.device)}: choose one of auto, cuda, cuda:1, mps, cpu")
        if self.batch != "auto":
            check_concurrency(self.batch, "batch")
        check_concurrency(self.concurrency)
        _check_switch("only_image", self.only_image)
        _check_switch("sign", self.sign)
        store: object = self.store
        if not isinstance(store, str | os.PathLike | bool | None):
            raise InvalidRequest(f"store is {show_value(store)}: give a folder, or False to keep nothing")
        shared: object = self.shared_store
        if not isinstance(shared, str | os.PathLike | None):
            raise InvalidRequest(f"shared_store is {show_value(shared)}: give a folder")
        for name in ("proxy", "token", "caption", "alt", "sign_as"):
            if not isinstance(getattr(self, name), str | None):
                raise InvalidArgument(f"{name} is not a string: give it in quotes")
        if self.token is not None:
            token = tokens.check_token(self.token, "the token", "give it as it was made")
            object.__setattr__(self, "token", token or None)
        object.__setattr__(self, "parameters", check_values(self.parameters))
        timeout: object = self.timeout
        if timeout is not None and not is_time(timeout):
            raise InvalidRequest(f"timeout is {show_value(timeout)}: give {SECONDS}")


NAMES: Final = frozenset(one.name for one in fields(Settings)) - {"configured"} | EXTRA_NAMES
"""The options that are settings."""


def get_store_folder(settings: Settings) -> Path | None:
    """Return the folder that keeps the images, which may not exist yet; None if nothing is kept.

    Nothing is kept if the store is turned off, or if none is named and the user has no home folder, as in a container.
    Raises InvalidRequest if the path names the home of an unknown user.
    """
    if settings.store is False:
        return None
    if settings.store is not None and settings.store is not True:
        return _expand_folder("store", settings.store)
    import platformdirs

    try:
        found = platformdirs.user_data_path("flux_magic", appauthor=False)
    except RuntimeError:  # what platformdirs 4.4 and later say of a user without a home
        return None
    return found / "store" if found.is_absolute() else None


def get_shared_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the folders that are read before the store; raises InvalidRequest as `get_store_folder` does."""
    named = os.fspath(settings.shared_store or "")
    if named.lower() in _OFF:
        return ()
    return tuple(_expand_folder("shared_store", one) for one in named.split(os.pathsep) if one)


def check_folders(settings: Settings) -> None:
    """Raise InvalidRequest if the store, or one that is read before it, can be no folder."""
    get_store_folder(settings)
    get_shared_folders(settings)


def _expand_folder(name: str, folder: str | os.PathLike[str]) -> Path:
    try:
        return Path(expand(folder))
    except RuntimeError as exc:
        raise InvalidRequest(f"{name} is {show_value(folder)}: {exc}") from exc


def check_folder(name: str, folder: str | os.PathLike[str]) -> None:
    """Raise InvalidRequest if images cannot be kept in a folder; it is not made."""
    path = _expand_folder(name, folder)
    try:
        check_writable(path, folder=True)
    except (OSError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise InvalidRequest(f"{name} is {show_value(folder)}: {reason}; give a folder that can be written") from exc


def check_setting(name: str, value: Any) -> None:
    """Raise InvalidRequest if a setting cannot have this value; an unset one always passes."""
    if _is_unset(value):
        return
    if name == "space":
        check_space(value)
    elif name == "proxy":
        _check_proxy(value)
    elif name == "store" and not isinstance(value, bool):
        check_folder(name, value)
    elif name == "shared_store":
        get_shared_folders(Settings(shared_store=value))
    else:
        Settings(**pick_extra({name: value}))


def _check_proxy(value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidRequest("the proxy is not an http URL: give one such as http://proxy.example:3128")


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} is {show_value(value)}: give True or False")


def _check_provider(value: object) -> None:
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*(:[^\s:][^\s]*)?", value):
        raise InvalidRequest(f"provider is {show_value(value)}: give a name such as space or inference:together")


def _check_cluster(value: object) -> None:
    is_address = isinstance(value, str) and re.fullmatch(
        r"local|(tcp|tls|ucx|wss?)://\S+:\d{1,5}/?|inproc://\S+", value
    )
    is_ours = not isinstance(value, str) and (hasattr(value, "scheduler_address") or hasattr(value, "scheduler"))
    if not (value is None or is_address or is_ours):
        kind = "local, or an address such as tcp://scheduler:8786 or tls://scheduler:8786"
        raise InvalidRequest(
            f"cluster is {show_value(value)}: give {kind}; in Python also a Client of dask.distributed"
        )


def is_offline() -> bool:
    """Return True if no Space may be contacted at all; nothing overrides this."""
    return os.environ.get(ENVIRONMENT["replay"]) == "only"


def explain_unasked(url: str | None) -> str:
    """Return the variable that keeps what is at `url` from being asked, as in `HF_HUB_OFFLINE=1`; "" if none does."""
    if is_offline():
        return f"{ENVIRONMENT['replay']}=only"
    offline = find_hub_offline()
    return offline if offline and url and is_on_hub(url) else ""


def find_hub_offline() -> str:
    """Return the setting that keeps the Hub from being asked, as in `HF_HUB_OFFLINE=1`; "" if it may be."""
    value = os.environ.get("HF_HUB_OFFLINE", "")
    return f"HF_HUB_OFFLINE={value}" if value.upper() in tokens.TRUE else ""


def check_concurrency(value: object, name: str = "concurrency") -> None:
    """Raise InvalidRequest if the value is not a valid number of parallel images."""
    number = operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else 0
    if not 1 <= number <= MOST_AT_ONCE:
        raise InvalidRequest(f"{name} is {show_value(value)}: give a whole number from 1 to {MOST_AT_ONCE}")


def is_time(value: object) -> bool:
    """Return True for a number of any kind, NumPy's too, that is above 0 and below MAX_SECONDS."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return 0 < float(value) < MAX_SECONDS
    except OverflowError:
        return False


def _check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        named = ", ".join(choice for choice in choices if choice)
        raise InvalidRequest(f"{name} is {value!r}: choose one of {named}")


def resolve(**options: Any) -> Settings:
    """Return the settings of a call with these options; None or an empty string counts as not given.

    An empty negative prompt is one, and an empty caption or alternative text is none, whatever is configured.
    """
    options = split_size(options)
    layers = (_read_environment(), drop_overridden(_configured(), options), options)
    given: dict[str, Any] = {
        name: value
        for layer in layers
        for name, value in layer.items()
        if not _is_unset(value) or (value == "" and name in _MAY_BE_EMPTY)
    }
    given |= merge_parameters(*layers)
    unknown = given.keys() - NAMES
    if unknown:
        from .dialects import explain  # loaded for a mistake alone

        first = min(unknown)
        why = explain(first, [*NAMES, "size"])
        raise InvalidArgument(f"unknown option: {', '.join(sorted(unknown))}{why and f': {why}'}")
    if not options.get("token") and not _is_at_home(given, options.get("space")):
        given.pop("token", None)
    _check_environment({name: value for name, value in layers[0].items() if given[name] == value}, layers[1:])
    own = {name for name in ROWS if not _is_unset(layers[1].get(name)) and given[name] is layers[1][name]}
    return Settings(**pick_extra(given), configured=frozenset(name for name in own if options.get(name) is None))


def merge_parameters(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `parameters` of all layers as one mapping, the later ones over the earlier; empty if there are none.

    Values are not checked: a sweep has lists of them. Raises InvalidRequest if one of the `parameters` is no mapping.
    """
    given = [layer["parameters"] for layer in layers if layer.get("parameters") is not None]
    for one in given:
        check_mapping(one)
    merged = {name: value for one in given for name, value in one.items() if value is not None}
    return {"parameters": merged} if given else {}


def drop_overridden(layer: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer of options without the parameters that a later one sets, each by option or in `parameters`."""
    own, named = layer.get("parameters"), later.get("parameters")
    rest = {name: value for name, value in layer.items() if not isinstance(named, Mapping) or name not in named}
    if isinstance(own, Mapping):
        rest["parameters"] = {name: value for name, value in own.items() if later.get(name) is None}
    return rest


def split_size(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the width and height of a `size` in its place.

    Raises InvalidRequest if it is no size, or if a width or height is there as well.
    """
    check_one_size(options)
    rest = {name: value for name, value in options.items() if name != "size"}
    if _is_unset(options.get("size")):
        return rest
    rest["width"], rest["height"] = read_size(options["size"])
    return rest


def check_one_size(options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest if both a size and a width or height are given."""
    if options.get("size") is None:
        return
    for name in ("width", "height"):
        if options.get(name) is not None:
            raise InvalidRequest(f"size and {name} set the same thing twice: give size alone, or width and height")


def _check_environment(given: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidRequest, which names the variable, for a value of the environment that counts and is not allowed."""
    for name, value in given.items():
        if any(not _is_unset(layer.get(name)) for layer in others):
            continue
        try:
            check_space(value) if name == "space" else Settings(**{name: value})
        except InvalidRequest as error:
            raise InvalidRequest(f"{ENVIRONMENT[name]} of the environment: {error.message}") from None


def check_space(value: object) -> None:
    """Raise InvalidRequest for anything that is not a Space, with a suggestion for a mistyped `local`."""
    try:
        Space.parse(value)  # type: ignore[arg-type]  # it says what is allowed
    except InvalidRequest as error:
        import difflib  # loaded for a mistake alone

        if difflib.get_close_matches(str(value).lower(), ["local", "localhost"], n=1, cutoff=0.75):
            raise InvalidRequest(f"{error.message}; did you mean local?") from None
        raise


def _is_unset(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value)


def _is_at_home(given: Mapping[str, Any], asked: object) -> bool:
    """Return True if a call names the configured Space; a configured token is sent to no other.

    A cell from somebody else's image may name any Space.
    """
    if asked is None or asked == "" or "token" not in given:
        return True
    home = {**_read_environment(), **{name: value for name, value in _configured().items() if value}}.get("space")
    try:
        return home is not None and Space.parse(str(asked)).url == Space.parse(home).url
    except InvalidRequest:
        return False


def _read_environment() -> dict[str, Any]:
    given: dict[str, Any] = {name: os.environ[key] for name, key in ENVIRONMENT.items() if os.environ.get(key)}
    if given.get("store", "").lower() in _OFF:
        given["store"] = False
    return given


_configured: Callable[[], Mapping[str, Any]] = dict


def configure_by(source: Callable[[], Mapping[str, Any]]) -> None:
    """Let `source` give the `%config` layer from now on (`dict` gives none)."""
    global _configured  # noqa: PLW0603 - the one place where the extension plugs in
    _configured = source
