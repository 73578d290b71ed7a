"""What a panel asks for: traits to observe and link, checked as they are set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from traitlets import HasTraits, TraitError, Unicode, default, observe, validate
from traitlets.utils.bunch import Bunch

from ...client.target import why_unasked
from ...errors import FluxError, InvalidRequest, UnknownAttribute
from ...parameters.addresses import Space
from ...parameters.calls import checked_class
from ...parameters.dialects import explain
from ...parameters.grammar import Several, value_of
from ...parameters.settings import DEFAULT_MODEL, MOST_IMAGES, Settings, resolve
from ...parameters.sizes import sides, size_text
from ...parameters.table import EXTRA, FIELDS, ROWS, Parameter
from ...providers import get_provider
from ...records.command import options_of
from ...sweeps.requests import Sweep, plan, sweep
from ...sweeps.template import Template
from ...types import ImageRequest, Record
from ..traits import Checked, Size, check_sides

UNTOLD: Final = {name: row.slider for name, row in ROWS.items() if row.slider}
"""The ranges that sliders have while a Space has not told its own; no check."""

COMPARED: Final = {"seed": "Seeds", "steps": "Steps"}
"""What a comparison varies, in the order of its axes, and what a person calls the texts that say how."""


class InvalidTrait(InvalidRequest, TraitError):
    """A value that a panel's trait cannot have; the trait stays as it is."""


@checked_class
class Parameters(HasTraits):
    """The parameters of one press.

    Attributes:
        prompt: what the image shows; sent as it is.
        model: its name or alias.
        space: a Hugging Face id, a URL, or `local`; empty means what is configured, else the model's own.
        width, height: pixels, within the Space's bounds where it has told them, else 8 or more.
        size: width and height at once, as `"1024x768"` or `(1024, 768)`; it follows them, and they follow it.
        steps: inference steps, likewise; 1 or more.
        seed: 0 to 2147483647; None chooses a random one for each press.
        others: each other parameter of `flux_magic/parameters/table.py`; None is the Space's own default.
        count: images with successive seeds, 1 to 16.
        compare_seeds, compare_steps: what a comparison varies, as `--seed` and `--steps` take several values: `1..4`,
            `1,2,4,8`. Read at the press: any text can be set.

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
    locals().update({name: Checked(row, row.default, allow_none=row.default is None) for name, row in ROWS.items()})
    size = Size()
    count = Checked(Parameter(name="count", help="", least=1, most=MOST_IMAGES), 1)
    compare_seeds = Unicode()
    compare_steps = Unicode()

    def __init__(self, **options: Any) -> None:
        self._told: dict[str, tuple[float, float]] = {}
        self._on_bounds: list[Callable[[], None]] = []
        if options.get("size"):  # in place of where the sides would start
            options = {name: value for name, value in options.items() if name not in {"width", "height"}}
        with _refused():
            super().__init__(**options)

    def __setattr__(self, name: str, value: object) -> None:
        # What is no parameter would be set and change nothing. A subclass may have attributes of its own.
        if not name.startswith("_") and type(self).__module__.startswith(__package__) and not hasattr(type(self), name):
            known = [trait for trait in Parameters.class_own_traits() if not trait.startswith("_")]
            meant = explain(name, known) or f"there are {', '.join(known)}"
            raise UnknownAttribute(f"a {type(self).__name__} has no {name}: {meant}")
        with _refused():
            super().__setattr__(name, value)

    def set_typed(self, name: str, text: str | None) -> None:
        """Set a parameter to what was typed for it, such as a number; an empty string leaves it to the Space."""
        number = bool(text) and ROWS[name].kind is not str
        setattr(self, name, value_of(name, str(text), ROWS[name].label) if number else text or None)

    def set_trait(self, name: str, value: object) -> None:
        """Set a trait by its name; raise InvalidTrait for a value that it cannot have."""
        with _refused():
            super().set_trait(name, value)

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Do as traitlets does: check several traits together, as they are when the block ends."""
        with _refused(), super().hold_trait_notifications():
            yield

    @default("size")
    def _size_of_sides(self) -> str:
        return size_text(self.width, self.height)

    @validate("size")
    def _check_size(self, proposal: Bunch) -> str:
        if not proposal["value"]:
            return self._size_of_sides()
        check_sides(self, proposal["value"])
        return str(proposal["value"])

    @observe("size")
    def _set_sides(self, change: Bunch) -> None:
        if change["new"] != self._size_of_sides():
            with self.hold_trait_notifications():
                self.width, self.height = sides(change["new"])

    @observe("width", "height")
    def _set_size(self, _change: Bunch) -> None:
        self.size = self._size_of_sides()

    @observe("space", "model")
    def _forget(self, _change: Bunch) -> None:
        self._told = {}  # they were another Space's

    @validate("model")
    def _known_model(self, proposal: Bunch) -> str:
        model = str(proposal["value"] or DEFAULT_MODEL)
        try:
            get_provider(model)
        except InvalidRequest as error:
            raise InvalidTrait(error.message, error.hint) from None
        return model

    @validate(*UNTOLD)
    def _within_bounds(self, proposal: Bunch) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name in self._told and value is not None:
            least, most = self._told[name]
            if not least <= value <= most:
                raise InvalidTrait(f"{name} is {value}: this Space takes {least} to {most}")
        return value

    def range_of(self, name: str) -> tuple[float, float]:
        """What a slider for this trait has to offer: the Space's bounds, or while they are not known a usual range."""
        if name in self._told:
            return self._told[name]
        (least, most), value = UNTOLD[name], getattr(self, name)
        return (least, most) if value is None else (min(least, value), max(most, value))

    def on_bounds(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the bounds are others."""
        self._on_bounds.append(changed)

    def learn(self, told: Mapping[str, tuple[int, int]]) -> list[str]:
        """Take a Space's bounds in place of the last one's; what is out of them is moved into them.

        Returns what was moved, in words.
        """
        stepped = {name: _stepped(name, *bounds) for name, bounds in told.items() if name in UNTOLD}
        self._told = {name: (least, most) for name, (least, most) in stepped.items() if least <= most}
        try:
            return [note for name in self._told if (note := self._moved(name))]
        finally:
            for changed in self._on_bounds:
                changed()

    def _moved(self, name: str) -> str:
        least, most = self._told[name]
        value = getattr(self, name)
        if value is None or least <= value <= most:
            return ""
        setattr(self, name, min(max(value, least), most))
        return f"{name} is now {getattr(self, name)}: this Space takes {least} to {most}"

    def planned(self) -> tuple[list[ImageRequest], Settings]:
        """The requests of one press, and the settings that go with them; raises InvalidRequest."""
        settings = self._settings()
        requests = plan(self.prompt, settings, self.count)
        if settings.space:
            Space.parse(settings.space)
        return requests, settings

    def compared(self) -> tuple[Sweep, Settings]:
        """Every combination of the seeds and steps to compare, and the settings that go with them.

        Of what is not varied all have the same, a random seed too. Raises InvalidRequest.
        """
        values = {name: self._values(name) for name in COMPARED}
        varied = {name: several for name, several in values.items() if len(several) > 1}
        if not varied:
            raise InvalidRequest("nothing to compare: give several seeds, for example 1..4, or several steps, 1,2,4,8")
        number = math.prod(len(several) for several in varied.values())
        if number > MOST_IMAGES:
            raise InvalidRequest(f"{number} images are more than {MOST_IMAGES} in one go: give fewer seeds or steps")
        once: dict[str, Any] = {name: several[0] for name, several in values.items() if len(several) == 1}
        settings = replace(self._settings(), **once)
        asked = sweep(Template(self.prompt, (self.prompt,)), settings, varied)
        if settings.space:
            Space.parse(settings.space)
        return asked, settings

    def _values(self, name: str) -> Sequence[int]:
        """What a text says of this parameter; nothing where there is none."""
        text: str = getattr(self, trait_of(name))
        called = COMPARED[name]
        if not text.strip():
            return ()
        read: Any = value_of(name, text, called)
        values: Sequence[int] = read if isinstance(read, Several) else (read,)
        least, most = self._told.get(name, (min(values), max(values)))
        if refused := [value for value in values if not least <= value <= most]:
            raise InvalidRequest(f"{called} {refused[0]}: this Space takes {least} to {most}")
        return values

    def _settings(self) -> Settings:
        """What all the images of one press have in common."""
        given = {name: getattr(self, name) for name in ("model", "space", *FIELDS) if name != "seed"}
        extra = {row.name: getattr(self, row.name) for row in EXTRA}
        # Random means random, also where %config has a seed; and a panel's thread is not where the kernel's loop runs.
        resolved = resolve(**given)
        # Who presses a button wants to see it made.
        replay = "only" if why_unasked(get_provider(resolved.model), resolved) else "off"
        parameters = {**resolved.parameters, **extra}  # None is the Space's own default, whatever %config has
        return replace(resolved, seed=self.seed, runner="thread", replay=replay, parameters=parameters)

    def take(self, **options: Any) -> None:
        """Set several at once; where the Space is another, the last one's bounds do not hold them up."""
        for name in ("model", "space"):
            if name in options:
                setattr(self, name, options.pop(name))
        with self.hold_trait_notifications():
            for name, value in options.items():
                setattr(self, name, value)


@contextmanager
def _refused() -> Iterator[None]:
    """Raise InvalidTrait in place of a TraitError: a notebook shows its one line, and no traceback."""
    try:
        yield
    except FluxError:
        raise
    except TraitError as error:
        raise InvalidTrait(str(error)) from None


def trait_of(name: str) -> str:
    """The trait that says which values of a parameter are compared."""
    return f"compare_{COMPARED[name].lower()}"


def parameters_of(record: Record) -> dict[str, Any]:
    """The parameters that make the image of `record` again."""
    model = record.requested_model or DEFAULT_MODEL
    # The model's own Space by its name, since an empty one means what is configured.
    space = record.requested_space or get_provider(model).own_space()
    unset = {row.name: None for row in EXTRA}
    known = {name: value for name, value in options_of(record).items() if name not in record.requested_parameters}
    others = {name: value for name, value in record.requested_parameters.items() if name in unset}
    return unset | known | others | {"model": model, "space": space, "seed": record.seed}


def configured() -> dict[str, Any]:
    """The parameters that `%config`, the environment and the defaults give."""
    settings = resolve()
    return {
        "model": settings.model,
        "space": settings.space or "",
        **{name: getattr(settings, name) for name in FIELDS},
        **{row.name: settings.parameters.get(row.name) for row in EXTRA},
    }


def _stepped(name: str, least: float, most: float) -> tuple[float, float]:
    """Return bounds that the parameter can have, which may be a multiple, and a slider."""
    row = ROWS[name]
    least, most = min(least, row.slider_most + 1), min(most, row.slider_most)
    if row.multiple_of > 1:
        least, most = -(-least // row.multiple_of) * row.multiple_of, most // row.multiple_of * row.multiple_of
    lowest = least if row.least is None else row.least
    return max(least, lowest), max(most, lowest)
