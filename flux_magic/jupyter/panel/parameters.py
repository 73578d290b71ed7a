"""What a panel asks for: traits to observe and link, checked as they are set."""

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
from ...parameters.calls import checked_class
from ...parameters.dialects import explain
from ...parameters.grammar import Several, value_of
from ...parameters.settings import DEFAULT_MODEL, MAX_SEED, MOST_IMAGES, Settings, resolve
from ...parameters.sizes import sides, size_text
from ...providers import get_provider
from ...records.command import options_of
from ...sweeps.requests import Sweep, plan, sweep
from ...sweeps.template import Template
from ...types import SIZE_STEP, ImageRequest, Record
from ..traits import Size, Whole, check_sides

UNTOLD: Final = {"width": (256, 2048), "height": (256, 2048), "steps": (1, 50)}
"""The ranges that sliders have while a Space has not told its own; no check."""

MOST: Final = {"width": 65_536, "height": 65_536, "steps": 10_000}
"""A larger bound that a Space gives is taken for this one."""

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
        count: images with successive seeds, 1 to 16.
        compare_seeds, compare_steps: what a comparison varies, as `--seed` and `--steps` take several values: `1..4`,
            `1,2,4,8`. Read at the press: any text can be set.

    Each is a trait. A value that is not allowed raises InvalidTrait, which is a TraitError, and the trait stays as it
    is.
    """

    prompt = Unicode()
    model = Unicode(DEFAULT_MODEL)
    space = Unicode()
    width = Whole(768, min=SIZE_STEP)
    height = Whole(768, min=SIZE_STEP)
    size = Size()
    steps = Whole(2, min=1)
    seed = Whole(None, allow_none=True, min=0, max=MAX_SEED)
    count = Whole(1, min=1, max=MOST_IMAGES)
    compare_seeds = Unicode()
    compare_steps = Unicode()

    def __init__(self, **options: Any) -> None:
        self._told: dict[str, tuple[int, int]] = {}
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

    @validate("width", "height", "steps")
    def _within_bounds(self, proposal: Bunch) -> int:
        name, value = proposal["trait"].name, int(proposal["value"])
        if name in self._told:
            least, most = self._told[name]
            if not least <= value <= most:
                raise InvalidTrait(f"{name} is {value}: this Space takes {least} to {most}")
        return value

    def range_of(self, name: str) -> tuple[int, int]:
        """What a slider for this trait has to offer: the Space's bounds, or while they are not known a usual range."""
        if name in self._told:
            return self._told[name]
        least, most = UNTOLD[name]
        return min(least, getattr(self, name)), max(most, getattr(self, name))

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
        if least <= value <= most:
            return ""
        setattr(self, name, min(max(value, least), most))
        return f"{name} is now {getattr(self, name)}: this Space takes {least} to {most}"

    def planned(self) -> tuple[list[ImageRequest], Settings]:
        """The requests of one press, and the settings that go with them; raises InvalidRequest."""
        settings = self._settings()
        return plan(self.prompt, settings, self.count), _made_afresh(settings)

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
        return sweep(Template(self.prompt, (self.prompt,)), settings, varied), _made_afresh(settings)

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
        given = {name: getattr(self, name) for name in ("model", "space", "width", "height", "steps")}
        # Random means random, also where %config has a seed; and a panel's thread is not where the kernel's loop runs.
        return replace(resolve(**given), seed=self.seed, runner="thread")

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


def _made_afresh(settings: Settings) -> Settings:
    """Return settings that replay nothing, since a press asks for a new image, unless nothing may be asked.

    Raises InvalidRequest for what is no Space.
    """
    return replace(settings, replay="only" if resolve_target(settings, settings.model).unasked else "off")


def trait_of(name: str) -> str:
    """The trait that says which values of a parameter are compared."""
    return f"compare_{COMPARED[name].lower()}"


def parameters_of(record: Record) -> dict[str, Any]:
    """The parameters that make the image of `record` again."""
    model = record.requested_model or DEFAULT_MODEL
    # The model's own Space by its name, since an empty one means what is configured.
    space = record.requested_space or get_provider(model).own_space()
    return options_of(record) | {"model": model, "space": space, "seed": record.seed}


def configured() -> dict[str, Any]:
    """The parameters that `%config`, the environment and the defaults give."""
    settings = resolve()
    return {
        "model": settings.model,
        "space": settings.space or "",
        "width": settings.width,
        "height": settings.height,
        "steps": settings.steps,
        "seed": settings.seed,
    }


def _stepped(name: str, least: int, most: int) -> tuple[int, int]:
    """Return bounds that a size can have, which is a multiple of 8, and a slider."""
    least, most = min(least, MOST[name] + 1), min(most, MOST[name])
    if name == "steps":
        return max(least, 1), max(most, 1)
    return max(-(-least // SIZE_STEP) * SIZE_STEP, SIZE_STEP), max(most // SIZE_STEP * SIZE_STEP, SIZE_STEP)
