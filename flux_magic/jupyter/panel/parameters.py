"""The parameters of a panel: traits to observe and link, checked when they are set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

from traitlets import Dict, TraitError, Unicode, observe, validate
from traitlets.utils.bunch import Bunch

from ...errors import FluxError, InvalidRequest, UnknownAttribute, show_value
from ...parameters.calls import check_class
from ...parameters.dialects import explain
from ...parameters.grammar import parse_values
from ...parameters.own_values import parse_own_value
from ...parameters.settings import DEFAULT_MODEL, MOST_IMAGES, resolve
from ...parameters.table import EXTRA_NAMES, ROWS, SIDES, Parameter, check_values
from ...providers import get_provider
from ...providers.base import ModelDescription
from ...providers.registry import SPACE, find_engine, get_defaults
from ..traits import Checked, Engine, Sized
from .description import PanelModel, read_description
from .loading import Images

COMPARED: Final = {"compare_seeds": "seed", "compare_steps": "steps"}
"""The traits that say which values of one parameter are compared."""

PLACE: Final = ("provider", "model", "space")
"""The traits that say where the images are made; the others are allowed or not by these."""

FIRST_COMPARED: Final = tuple(COMPARED.values())

MOST_COMPARED: Final = 2
"""The number of parameters that a comparison varies: the rows and the columns of its sheet."""


class InvalidTrait(InvalidRequest, TraitError):
    """A value that a panel's trait cannot have; the trait stays as it is."""


@check_class
class Parameters(Sized):
    """The parameters of one press.

    Attributes:
        prompt: what the image shows. `{name}` is the value of that name of the notebook at the press, and `{{name}}` a
            literal `{name}`.
        model: its name or alias; with another `provider` than `space` also the id or folder that this one takes.
        provider: the engine that makes the images, by its name: `space`, `inference`, `diffusers`, or another's.
        space: a Hugging Face id, a URL, or `local`; empty means the configured one, else the model's own. It does not
            count while the provider makes its images without a Space.
        width, height: pixels, within the model's range if it is known, else 8 or more. None is the model's own.
        size: width and height at once, as `"1024x768"` or `(1024, 768)`; it follows them, and they follow it.
        steps: inference steps, likewise; 1 or more.
        seed: 0 to 2147483647; None chooses a random one for each press.
        others: each other parameter of `flux_magic/parameters/table.py`; None is the model's own default.
        parameters: the model's own parameters, by its names; those that are left out have its defaults.
        images: what goes in, for a model that edits: a Generation, a file's bytes, or an InputImage; several in a list.
        count: images with successive seeds, 1 to 16.
        compared: what a comparison varies, by the parameter's name, at most two: `{"seed": "1..4", "guidance": "1,3"}`.
            The values are as `--seed` and others take several. They are read at the press, so any string can be set.
        compare_seeds, compare_steps: the values in `compared` of these two; they follow it, and it follows them.

    Each is a trait. A value that is not allowed raises InvalidTrait, which is a TraitError, and the trait stays as it
    is.
    """

    prompt = Unicode()
    model = Unicode(DEFAULT_MODEL)
    provider = Engine(SPACE)
    space = Unicode()
    seed: int | None
    endpoint: str | None
    # A row's trait has its name: steps, seed, width, height, …
    locals().update({name: Checked(row, allow_none=True) for name, row in ROWS.items()})
    count = Checked(Parameter(name="count", help="", least=1, most=MOST_IMAGES), 1)
    parameters = Dict()
    images = Images()
    compared = Dict()
    compare_seeds = Unicode()
    compare_steps = Unicode()

    def __init__(self, **options: Any) -> None:
        self._at_hand = PanelModel()
        self._own_defaults: Mapping[str, Any] = {}
        self._aside: dict[str, Any] = {}
        self._once_set: dict[str, Parameter] = {}
        self._on_model: list[Callable[[], None]] = []
        if options.get("size"):  # it replaces the sides
            options = {name: value for name, value in options.items() if name not in SIDES}
        with _translate_errors():
            super().__init__(**options)
        self._fill_defaults()

    def __setattr__(self, name: str, value: object) -> None:
        # Setting an unknown name would change nothing. A subclass may have attributes of its own.
        if not name.startswith("_") and type(self).__module__.startswith(__package__) and not hasattr(type(self), name):
            known = [trait for trait in list_options() if not trait.startswith("_")]
            meant = explain(name, known) or f"there are {', '.join(known)}"
            raise UnknownAttribute(f"a {type(self).__name__} has no {name}: {meant}")
        with _translate_errors():
            super().__setattr__(name, value)

    def set_trait(self, name: str, value: object) -> None:
        """Set a trait by its name; raise InvalidTrait for a value that it cannot have."""
        with _translate_errors():
            super().set_trait(name, value)

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Do as traitlets does: check several traits together, as they are when the block ends."""
        with _translate_errors(), super().hold_trait_notifications():
            yield

    def take(self, **options: Any) -> None:
        """Set several parameters at once; if the Space changes, the old bounds do not hold them up."""
        where = {name: options.pop(name) for name in PLACE if name in options}
        for together in (where, options):
            with self.hold_trait_notifications():
                for name, value in together.items():
                    setattr(self, name, value)

    @property
    def place(self) -> dict[str, str]:
        """The values of `PLACE` as settings: the Space is left out if the provider makes its images without one."""
        return {"provider": self.provider, "model": self.model, "space": self.space if self.has_space else ""}

    @property
    def has_space(self) -> bool:
        """True if the images are made by a Space, which can be chosen."""
        engine = find_engine(self.provider)
        return engine is None or engine.takes_space()

    def find_model(self, provider: str) -> str:
        """Return the model by which an engine knows the one at hand, or its default if it does not have it."""
        names = [self.model]
        with suppress(InvalidRequest):  # no Space has it
            names.append(get_provider(self.model).get_model(self.model))
        return next((name for name in names if has_model(provider, name)), DEFAULT_MODEL)

    @property
    def at_hand(self) -> PanelModel:
        """The model at hand, as far as it is known."""
        return self._at_hand

    @property
    def rows(self) -> Mapping[str, Parameter]:
        """The rows of the parameters that have a control: those of the model, and until it is known those once set."""
        rows = self._at_hand.rows
        return rows if self._at_hand.is_described else {**rows, **self._once_set}

    def _note_set(self, name: str, value: Any) -> None:
        if name in EXTRA_NAMES:
            self._once_set[name] = ROWS[name]
        elif name not in ROWS:
            self._once_set[name] = Parameter(name=name, help="", kind=type(value))

    def get_value(self, name: str) -> Any:
        """Return the value of a parameter, also of the model's own ones; None is the model's default."""
        return getattr(self, name) if name in ROWS else self.parameters.get(name)

    def set_value(self, name: str, value: Any) -> None:
        """Set a parameter, also one of the model's own; None is the model's default. Raises InvalidTrait."""
        if name in ROWS:
            setattr(self, name, value)
        else:
            others = {key: one for key, one in self.parameters.items() if key != name}
            self.parameters = others if value is None else {**others, name: value}

    def set_typed(self, name: str, text: str) -> None:
        """Set a parameter to what was typed for it, such as a number; an empty string is the model's default.

        Raises InvalidRequest, in the words of the magic, and InvalidTrait.
        """
        if not text or (kind := self.rows[name].kind) is str:
            self.set_value(name, text or None)
        elif name in ROWS:
            self.set_value(name, parse_values(replace(ROWS[name], sweepable=False), text, ROWS[name].label))
        else:
            number = parse_own_value(text.strip())
            self.set_value(name, float(number) if kind is float and type(number) is int else number)

    def is_left(self, name: str) -> bool:
        """Return True if a parameter can be left to the model; what the provider has a default for is always sent."""
        return name not in self._own_defaults

    def list_comparable(self) -> dict[str, str]:
        """Return the parameters that a comparison can vary, by name, and the names of their fields."""
        rows = {name: row for name, row in self.rows.items() if name not in SIDES and name != "endpoint"}
        fields = {"seed": "Seeds", "steps": "Steps", "size": "Size"}
        kept = {name: fields[name] for name in fields if name in rows or (name == "size" and self._at_hand.has_size)}
        if not self._at_hand.is_described:
            unknown = [name for name in self.compared if name not in {*rows, *fields}]
            rows |= {name: ROWS.get(name, Parameter(name=name, help="")) for name in unknown}
        varied = {name: row for name, row in rows.items() if row.choices or row.kind in {int, float}}
        return kept | {name: get_label(row) for name, row in varied.items() if name not in kept}

    def get_range(self, name: str) -> tuple[float, float]:
        """Return the range of a slider: the model's bounds, or a usual range until they are known."""
        row, value = self.rows[name], self.get_value(name)
        least, most = row.slider or (row.least or 0, row.least or 0)
        if None not in (row.least, row.most):
            return row.least, row.most  # type: ignore[return-value]
        return (least, most) if value is None else (min(least, value), max(most, value))

    @validate("model")
    def _check_model(self, proposal: Bunch) -> str:
        model = str(proposal["value"] or DEFAULT_MODEL)
        try:
            check_model(self.provider, model)
        except InvalidRequest as error:
            raise InvalidTrait(error.message, error.hint) from None
        return model

    @validate(*ROWS)
    def _check_row(self, proposal: Bunch) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None:  # traitlets asks this only if several traits are set together
            return self._own_defaults.get(name) if self._at_hand.takes(name) else None
        if refusal := self._at_hand.find_refusal(name, value):
            raise InvalidTrait(refusal)
        self._note_set(name, value)
        return value

    @observe(*ROWS)
    def _fill_default(self, change: Bunch) -> None:
        name = change["name"]
        if change["new"] is None and name in self._own_defaults and self._at_hand.takes(name):
            setattr(self, name, self._own_defaults[name])

    @validate("parameters")
    def _check_parameters(self, proposal: Bunch) -> dict[str, Any]:
        values = check_values(proposal["value"])
        for name, value in values.items():
            if name in ROWS:
                raise InvalidTrait(f"parameters has {name}, which is an option of its own: {name}={show_value(value)}")
            if refusal := self._at_hand.find_refusal(name, value):
                raise InvalidTrait(refusal)
            self._note_set(name, value)
        return dict(values)

    @validate("compared")
    def _check_compared(self, proposal: Bunch) -> dict[str, str]:
        typed = {str(name): str(text) for name, text in proposal["value"].items() if text}
        if len(typed) > MOST_COMPARED:
            raise InvalidTrait(f"compared has {len(typed)} parameters: at most {MOST_COMPARED} vary at once")
        fields = self.list_comparable()
        if self._at_hand.is_described and (strange := [name for name in typed if name not in fields]):
            raise InvalidTrait(f"{strange[0]} cannot be compared: choose one of {', '.join(fields)}")
        return dict(sorted(typed.items(), key=lambda one: (one[0] not in FIRST_COMPARED, one[0] != FIRST_COMPARED[0])))

    @observe(*COMPARED)
    def _follow_field(self, change: Bunch) -> None:
        self.set_compared(COMPARED[change["name"]], change["new"])

    @observe("compared")
    def _follow_compared(self, _change: Bunch) -> None:
        for trait, name in COMPARED.items():
            setattr(self, trait, self.compared.get(name, ""))

    def set_compared(self, name: str, text: str) -> None:
        """Set the values of one parameter that a comparison varies; an empty string takes it out."""
        if self.compared.get(name, "") != text:
            self.compared = {**self.compared, name: text}

    @observe(*PLACE)
    def _change_model(self, change: Bunch) -> None:
        """Forget what another model takes; what had its default gets the new one's."""
        if change["name"] == "provider" and (model := self.find_model(self.provider)) != self.model:
            self.model = model  # this is called for it
            return
        before, self._at_hand = self._own_defaults, PanelModel()
        self._once_set = {name: row for name, row in self._once_set.items() if self.get_value(name) is not None}
        self._own_defaults = self._find_defaults()
        for name in {*before, *self._own_defaults}:
            if getattr(self, name) in {None, before.get(name)}:
                setattr(self, name, self._own_defaults.get(name))
        self._call_observers()

    def _find_defaults(self) -> Mapping[str, Any]:
        try:
            return get_defaults(self.model, resolve(**self.place).space, self.provider)[1]
        except InvalidRequest:  # it is reported when the Space is asked
            return {}

    def _fill_defaults(self) -> None:
        self._own_defaults = self._own_defaults or self._find_defaults()
        for name, value in self._own_defaults.items():
            if getattr(self, name) is None:
                setattr(self, name, value)

    def on_model(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the model at hand, or what is known of it, changes."""
        self._on_model.append(changed)

    def _call_observers(self) -> None:
        for changed in self._on_model:
            changed()

    def learn(self, description: ModelDescription | None) -> list[str]:
        """Take over what a model says of itself, and move the values that it does not take.

        A parameter that it does not have is set aside until another model has it. Returns what was moved, in words.
        """
        self._at_hand = read_description(description)
        if not self.has_space:
            self._at_hand = replace(self._at_hand, called="model")
        if self._at_hand.stand_in:
            self._own_defaults = get_provider().defaults
            self._fill_defaults()
        try:
            return [*filter(None, self._fit_values())] if self._at_hand.is_described else []
        finally:
            self._call_observers()

    def _fit_values(self) -> Iterator[str]:
        """Move each value to one that the model takes; yield what was done, in words."""
        fields = self.list_comparable()
        self.compared = {name: text for name, text in self.compared.items() if name in fields}
        for name in [*ROWS, *self.parameters, *(self._aside.keys() - ROWS.keys() - self.parameters.keys())]:
            value = self.get_value(name)
            if not self._at_hand.takes(name):
                self.set_value(name, None)
                if value not in {None, self._own_defaults.get(name)}:
                    self._aside[name] = value
                    yield f"{name} {show_value(value)} is left out: this model does not take it"
                continue
            kept = self._aside.pop(name, None)
            if value is None and kept is not None and not self._at_hand.find_refusal(name, kept):
                self.set_value(name, kept)
            elif value is not None and (note := self._fit(name, value)):
                yield note
        size = (self.width, self.height)
        if self._at_hand.sizes and size not in {(None, None), *self._at_hand.sizes}:
            self.take(width=None, height=None)
            yield f"the size is now this {self._at_hand.called}'s own: it does not take {size[0]}x{size[1]}"

    def _fit(self, name: str, value: Any) -> str:
        row, is_fixed = self._at_hand.rows.get(name), name in SIDES and self._at_hand.sizes
        if row is None or is_fixed or not self._at_hand.find_refusal(name, value):
            return ""
        if row.choices or row.least is None or row.most is None or isinstance(value, str | bool):
            self.set_value(name, None)
            return f"{name} is now this {self._at_hand.called}'s default: it does not take {show_value(value)}"
        self.set_value(name, row.kind(min(max(value, row.least), row.most)))
        return f"{name} is now {self.get_value(name)}: this {self._at_hand.called} takes {row.least} to {row.most}"


def check_model(provider: str, model: str) -> None:
    """Raise InvalidRequest for a model that an engine does not have."""
    (find_engine(provider) or get_provider(model)).get_model(model)


def has_model(provider: str, model: str) -> bool:
    """Return True if an engine has a model of this name."""
    try:
        check_model(provider, model)
    except InvalidRequest:
        return False
    return True


def get_label(row: Parameter) -> str:
    """Return the name of a parameter as a panel shows it: the table's, else the words of the model's own page."""
    return row.label if row.name in ROWS else row.title or row.label


def list_options() -> list[str]:
    """Return the names of the traits that are options of a panel."""
    return [*Parameters.class_own_traits(), "size"]


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise InvalidTrait in place of a TraitError: a notebook shows its one line, and no traceback."""
    try:
        yield
    except FluxError:
        raise
    except TraitError as error:
        raise InvalidTrait(str(error)) from None
