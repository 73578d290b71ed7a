"""The parameters of a panel: traits to observe and link, checked when they are set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from traitlets import HasTraits, TraitError, Unicode, default, observe, validate
from traitlets.utils.bunch import Bunch

from ...client.target import resolve_target
from ...errors import FluxError, InvalidRequest, UnknownAttribute
from ...images.inputs import ROLES
from ...parameters.calls import check_class
from ...parameters.dialects import explain
from ...parameters.grammar import Several, parse_value
from ...parameters.settings import DEFAULT_MODEL, MOST_IMAGES, Settings, resolve
from ...parameters.sizes import format_size, split_sides
from ...parameters.table import EXTRA, FIELDS, ROWS, Parameter
from ...providers import get_provider
from ...records.command import get_options
from ...sweeps.requests import Sweep, build_requests, build_sweep
from ...sweeps.template import Template
from ...types import ImageRequest, Record
from ..traits import Checked, Size, check_sides

DEFAULTS: Final = get_provider().defaults
"""Values of the controls before anything is set."""

UNTOLD: Final = {name: row.slider for name, row in ROWS.items() if row.slider}
"""The ranges of the sliders until a Space gives its own; nothing is checked against them."""

COMPARED: Final = {"seed": "Seeds", "steps": "Steps"}
"""The parameters that a comparison varies, in the order of its axes, and the names of their fields."""


class InvalidTrait(InvalidRequest, TraitError):
    """A value that a panel's trait cannot have; the trait stays as it is."""


@check_class
class Parameters(HasTraits):
    """The parameters of one press.

    Attributes:
        prompt: what the image shows; sent as it is.
        model: its name or alias.
        space: a Hugging Face id, a URL, or `local`; empty means the configured one, else the model's own.
        width, height: pixels, within the Space's bounds if they are known, else 8 or more.
        size: width and height at once, as `"1024x768"` or `(1024, 768)`; it follows them, and they follow it.
        steps: inference steps, likewise; 1 or more.
        seed: 0 to 2147483647; None chooses a random one for each press.
        others: each other parameter of `flux_magic/parameters/table.py`; None is the Space's own default.
        count: images with successive seeds, 1 to 16.
        compare_seeds, compare_steps: what a comparison varies, as `--seed` and `--steps` take several values: `1..4`,
            `1,2,4,8`. They are read at the press, so any string can be set.

    Each is a trait. A value that is not allowed raises InvalidTrait, which is a TraitError, and the trait stays as it
    is.
    """

    prompt = Unicode()
    model = Unicode(DEFAULT_MODEL)
    space = Unicode()
    width: int
    height: int
    seed: int | None
    # A row's trait has its name: steps, seed, width, height, …
    locals().update(
        {name: Checked(row, DEFAULTS.get(name), allow_none=name not in DEFAULTS) for name, row in ROWS.items()}
    )
    size = Size()
    count = Checked(Parameter(name="count", help="", least=1, most=MOST_IMAGES), 1)
    compare_seeds = Unicode()
    compare_steps = Unicode()

    def __init__(self, **options: Any) -> None:
        self._told: dict[str, tuple[float, float]] = {}
        self._on_bounds: list[Callable[[], None]] = []
        if options.get("size"):  # it replaces the sides
            options = {name: value for name, value in options.items() if name not in {"width", "height"}}
        with _translate_errors():
            super().__init__(**options)

    def __setattr__(self, name: str, value: object) -> None:
        # Setting an unknown name would change nothing. A subclass may have attributes of its own.
        if not name.startswith("_") and type(self).__module__.startswith(__package__) and not hasattr(type(self), name):
            known = [trait for trait in Parameters.class_own_traits() if not trait.startswith("_")]
            meant = explain(name, known) or f"there are {', '.join(known)}"
            raise UnknownAttribute(f"a {type(self).__name__} has no {name}: {meant}")
        with _translate_errors():
            super().__setattr__(name, value)

    def set_typed(self, name: str, text: str | None) -> None:
        """Set a parameter to what was typed for it, such as a number; an empty string leaves it to the Space."""
        number = bool(text) and ROWS[name].kind is not str
        setattr(self, name, parse_value(name, str(text), ROWS[name].label) if number else text or None)

    def set_trait(self, name: str, value: object) -> None:
        """Set a trait by its name; raise InvalidTrait for a value that it cannot have."""
        with _translate_errors():
            super().set_trait(name, value)

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Do as traitlets does: check several traits together, as they are when the block ends."""
        with _translate_errors(), super().hold_trait_notifications():
            yield

    @default("size")
    def _format_size(self) -> str:
        return format_size(self.width, self.height)

    @validate("size")
    def _check_size(self, proposal: Bunch) -> str:
        if not proposal["value"]:
            return self._format_size()
        check_sides(self, proposal["value"])
        return str(proposal["value"])

    @observe("size")
    def _set_sides(self, change: Bunch) -> None:
        if change["new"] != self._format_size():
            with self.hold_trait_notifications():
                self.width, self.height = split_sides(change["new"])

    @observe("width", "height")
    def _set_size(self, _change: Bunch) -> None:
        self.size = self._format_size()

    @observe("space", "model")
    def _forget(self, _change: Bunch) -> None:
        self._told = {}  # the bounds were another Space's

    @validate("model")
    def _check_model(self, proposal: Bunch) -> str:
        model = str(proposal["value"] or DEFAULT_MODEL)
        try:
            get_provider(model)
        except InvalidRequest as error:
            raise InvalidTrait(error.message, error.hint) from None
        return model

    @validate(*UNTOLD)
    def _check_bounds(self, proposal: Bunch) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name in self._told and value is not None:
            least, most = self._told[name]
            if not least <= value <= most:
                raise InvalidTrait(f"{name} is {value}: this Space takes {least} to {most}")
        return value

    def get_range(self, name: str) -> tuple[float, float]:
        """Return the range of a slider for this trait: the Space's bounds, or a usual range until they are known."""
        if name in self._told:
            return self._told[name]
        (least, most), value = UNTOLD[name], getattr(self, name)
        return (least, most) if value is None else (min(least, value), max(most, value))

    def on_bounds(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the bounds change."""
        self._on_bounds.append(changed)

    def learn(self, told: Mapping[str, tuple[float, float]]) -> list[str]:
        """Replace the bounds by those of a Space, and move values that are out of them into them.

        Returns what was moved, in words.
        """
        stepped = {name: _round_bounds(name, *bounds) for name, bounds in told.items() if name in UNTOLD}
        self._told = {name: (least, most) for name, (least, most) in stepped.items() if least <= most}
        try:
            return [note for name in self._told if (note := self._move(name))]
        finally:
            for changed in self._on_bounds:
                changed()

    def _move(self, name: str) -> str:
        least, most = self._told[name]
        value = getattr(self, name)
        if value is None or least <= value <= most:
            return ""
        setattr(self, name, min(max(value, least), most))
        return f"{name} is now {getattr(self, name)}: this Space takes {least} to {most}"

    def build_requests(self) -> tuple[list[ImageRequest], Settings]:
        """Return the requests of one press, and their settings. Raises InvalidRequest."""
        settings = self._get_settings()
        return build_requests(self.prompt, settings, self.count), _made_afresh(settings)

    def build_comparison(self) -> tuple[Sweep, Settings]:
        """Return every combination of the seeds and steps to compare, and their settings.

        All images share what does not vary, also a random seed. Raises InvalidRequest.
        """
        values = {name: self._read_values(name) for name in COMPARED}
        varied = {name: several for name, several in values.items() if len(several) > 1}
        if not varied:
            raise InvalidRequest("nothing to compare: give several seeds, for example 1..4, or several steps, 1,2,4,8")
        number = math.prod(len(several) for several in varied.values())
        if number > MOST_IMAGES:
            raise InvalidRequest(f"{number} images are more than {MOST_IMAGES} in one go: give fewer seeds or steps")
        once: dict[str, Any] = {name: several[0] for name, several in values.items() if len(several) == 1}
        settings = replace(self._get_settings(), **once)
        return build_sweep(Template(self.prompt, (self.prompt,)), settings, varied), _made_afresh(settings)

    def _read_values(self, name: str) -> Sequence[int]:
        """Return the values in the field of this parameter; empty if nothing is there."""
        text: str = getattr(self, get_trait(name))
        called = COMPARED[name]
        if not text.strip():
            return ()
        read: Any = parse_value(name, text, called)
        values: Sequence[int] = read if isinstance(read, Several) else (read,)
        least, most = self._told.get(name, (min(values), max(values)))
        if refused := [value for value in values if not least <= value <= most]:
            raise InvalidRequest(f"{called} {refused[0]}: this Space takes {least} to {most}")
        return values

    def _get_settings(self) -> Settings:
        """Return the settings that all images of one press share."""
        given = {name: getattr(self, name) for name in ("model", "space", *FIELDS) if name != "seed"}
        extra = {row.name: getattr(self, row.name) for row in EXTRA}
        # Random means random, even if %config has a seed; and the kernel's loop does not run on a panel's thread.
        resolved = resolve(**given)
        parameters = {**resolved.parameters, **extra}  # None is the Space's own default, whatever %config has
        return replace(resolved, seed=self.seed, runner="thread", parameters=parameters)

    def take(self, **options: Any) -> None:
        """Set several parameters at once; if the Space changes, the old bounds do not hold them up."""
        for name in ("model", "space"):
            if name in options:
                setattr(self, name, options.pop(name))
        with self.hold_trait_notifications():
            for name, value in options.items():
                setattr(self, name, value)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise InvalidTrait in place of a TraitError: a notebook shows its one line, and no traceback."""
    try:
        yield
    except FluxError:
        raise
    except TraitError as error:
        raise InvalidTrait(str(error)) from None


def _made_afresh(settings: Settings) -> Settings:
    """Return settings that replay nothing, since a press asks for a new image, unless nothing may be asked.

    Raises InvalidRequest for what is no Space.
    """
    return replace(settings, replay="only" if resolve_target(settings, settings.model).unasked else "off")


def get_trait(name: str) -> str:
    """Return the trait that says which values of a parameter are compared."""
    return f"compare_{COMPARED[name].lower()}"


def get_parameters(record: Record) -> dict[str, Any]:
    """Return the parameters that make the image of `record` again."""
    model = record.requested_model or DEFAULT_MODEL
    # Give the model's own Space by its name, since an empty one means the configured one.
    space = record.requested_space or get_provider(model).own_space()
    unset = {row.name: None for row in EXTRA}
    known = {name: value for name, value in get_options(record).items() if name not in record.requested_parameters}
    known = {name: value for name, value in known.items() if name not in ROLES}
    others = {name: value for name, value in record.requested_parameters.items() if name in unset}
    return unset | known | others | {"model": model, "space": space, "seed": record.seed}


def get_configured() -> dict[str, Any]:
    """Return the parameters that `%config`, the environment and the defaults give."""
    settings = resolve()
    return {
        "model": settings.model,
        "space": settings.space or "",
        **{name: DEFAULTS.get(name) if (one := getattr(settings, name)) is None else one for name in FIELDS},
        **{row.name: settings.parameters.get(row.name) for row in EXTRA},
    }


def _round_bounds(name: str, least: float, most: float) -> tuple[float, float]:
    """Return bounds that a slider can have, at multiples if the parameter has them."""
    row = ROWS[name]
    least, most = min(least, row.slider_most + 1), min(most, row.slider_most)
    if row.multiple_of > 1:
        least, most = -(-least // row.multiple_of) * row.multiple_of, most // row.multiple_of * row.multiple_of
    lowest = least if row.least is None else row.least
    return max(least, lowest), max(most, lowest)
