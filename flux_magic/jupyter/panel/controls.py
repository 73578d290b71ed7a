"""The controls of a panel: those that every model has, and those of the model at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ipywidgets import (
    Button,
    Checkbox,
    Combobox,
    Dropdown,
    HBox,
    Layout,
    Textarea,
    ValueWidget,
    VBox,
)
from traitlets.utils.bunch import Bunch

from ...errors import InvalidRequest
from ...parameters.addresses import Space
from ...parameters.grammar import parse_values
from ...parameters.settings import DEFAULT_MODEL, MOST_IMAGES, resolve
from ...parameters.table import ROWS, SIDES, Parameter
from ...providers import get_provider
from ...providers.base import Provider
from ...providers.models import list_models
from ...providers.registry import SPACE, find_engine, list_engines
from ..widgets import close_widgets
from .fields import LABEL, Field, choose_field
from .inputs import Inputs
from .parameters import PLACE, Parameters, has_model
from .quiet import is_quiet, keep_quiet
from .refusals import Refusals, Typed
from .sizes import SizeControl

_COUNT: Final = Parameter(name="images", help="", least=1, sweepable=False)


class Controls:
    """The widgets, linked with the traits of `parameters`: each follows the other.

    Args:
        parameters: what they set.
        keep: called when "keep this seed" is pressed.
        failed: called with the error of a value that is not allowed, or of an image that cannot go in.
        refusals: what was typed and is not allowed.

    Attributes:
        fields: the controls of the model's parameters, by name.
        main, own, place: the widgets of what every model has, of what this one has besides, and of where it is.
    """

    def __init__(
        self,
        parameters: Parameters,
        keep: Callable[[], None],
        failed: Callable[[BaseException], None],
        refusals: Refusals,
    ) -> None:
        self._parameters, self._failed, self._refusals = parameters, failed, refusals
        self.prompt = Textarea(description="Prompt", rows=3, placeholder="what the image shows")
        self.prompt.add_class("flux-magic-prompt")
        self.provider = Dropdown(description="Provider", style=LABEL)
        self.model = Dropdown(description="Model", style=LABEL)
        self._named = Typed(self._take_model, refusals, Combobox, description="Model", style=LABEL)
        self.space = Combobox(description="Space", continuous_update=False, style=LABEL)
        self._seed = Typed(self._take_seed, refusals, description="Seed", style=LABEL, layout=Layout(width="14em"))
        self.random = Checkbox(description="random", indent=False, layout=Layout(width="auto"))
        self.keep = Button(description="Keep this seed", tooltip="Use the seed of the image on view", disabled=True)
        self._count = Typed(self._take_count, refusals, description="Images", style=LABEL, layout=Layout(width="9em"))
        self.seed, self.count = self._seed.widget, self._count.widget
        self._seeds = HBox([self.seed, self.random, self.keep]).add_class("flux-magic-row")
        self.fields: dict[str, Field] = {}
        self._lock, self._closed = threading.RLock(), False
        self._used_seed = 0
        self.size, self.inputs = SizeControl(parameters), Inputs(parameters, failed)
        self.main, self.own = (VBox().add_class("flux-magic-fields") for _ in range(2))
        self.place = VBox().add_class("flux-magic-fields")
        bind(parameters, "prompt", self.prompt)
        parameters.observe(lambda _: self._count.show(str(parameters.count)), "count")
        self._count.show(str(parameters.count))
        self._link_place()
        self._link_seed()
        self.keep.on_click(lambda _: keep())
        self._fit()
        parameters.on_model(self._fit)
        parameters.observe(lambda change: self._on_value(change["name"]), [*ROWS, "parameters"])

    def _fit(self) -> None:
        """Show the controls of the model at hand; those that it has as well stay."""
        with self._lock:  # an answer of the Space and a user's change may come at the same time
            if self._closed:
                return
            self._fit_fields()
            self.size.offer()
            self._show_seed()
            self._offer_places()
            self.inputs.fit()

    def close(self) -> None:
        """Make no further controls, and close those that are not on the page."""
        with self._lock:
            self._closed = True
        close_widgets([self.model, self._named.widget, self.space])

    def _fit_fields(self) -> None:
        rows = {name: row for name, row in self._parameters.rows.items() if name != "seed"}
        if self._parameters.at_hand.sizes:
            rows = {name: row for name, row in rows.items() if name not in SIDES}
        kinds = {name: choose_field(row) for name, row in rows.items()}
        kept = {name: one for name, one in self.fields.items() if type(one) is kinds.get(name)}
        gone = [one for name, one in self.fields.items() if name not in kept]
        for name, one in kept.items():
            one.adapt(rows[name])
        self.fields = {
            name: kept.get(name) or kinds[name](self._parameters, row, self._failed, self._refusals)
            for name, row in rows.items()
        }
        self.size.sides = [self.fields[name].widget for name in SIDES if name in self.fields]
        steps = [self.fields["steps"].widget] if "steps" in self.fields else []
        self.main.children = (self.size.widget, *self.size.sides, *steps, self._seeds, self.count)
        self.own.children = tuple(one.widget for name, one in self.fields.items() if name not in {"steps", *SIDES})
        for one in gone:
            one.close()

    def _on_value(self, name: str) -> None:
        """Show a value that was set; while the model is not known, its parameter may still have no control."""
        if self._parameters.rows.keys() - self.fields.keys() - {"seed", *SIDES}:
            self._fit()
        for field in self.fields.values():
            if name in {field.row.name, "parameters"}:
                field.show()

    def _link_place(self) -> None:
        self._offer_places()
        self.provider.observe(self._on_provider, "value")
        self.model.observe(self._on_model, "value")
        self.space.observe(self._on_space, "value")
        self._parameters.observe(lambda _: self._offer_places(), PLACE)

    def _offer_places(self) -> None:
        """Offer the engines, the models, and the likely Spaces if a Space makes the images."""
        parameters, engine = self._parameters, find_engine(self._parameters.provider)
        has_space = parameters.has_space
        own = (engine or get_provider(parameters.model)).own_space() if has_space else ""
        with keep_quiet():
            self.provider.options = tuple(dict.fromkeys([*list_engines(), parameters.provider]))
            self.provider.value = parameters.provider
            self._offer_models(engine)
            self.space.placeholder = resolve().space or own
            self.space.options = tuple(dict.fromkeys(filter(None, [own, "local", parameters.space])))
            self.space.value = parameters.space
        model = self.model if engine is None else self._named.widget
        self.place.children = (self.provider, model, *([self.space] if has_space else []))

    def _offer_models(self, engine: type[Provider] | None) -> None:
        """Offer each model of a Space by one of its names; an engine's models are typed."""
        chosen, models = self._parameters.model, list_models()
        if engine is not None:
            self._named.widget.placeholder = engine.get_model("")
            hub = (one.name for one in models if "/" in one.name and has_model(self._parameters.provider, one.name))
            self._named.widget.options = tuple(dict.fromkeys([*engine.names(), *hub]))
            self._named.show("" if chosen == DEFAULT_MODEL else chosen)
            return
        names: list[tuple[str, str]] = []
        for model in models:
            known = (*model.aliases, model.name)
            name = next((one for one in (chosen, DEFAULT_MODEL) if one in known), min(known, key=len))
            names.append((self._name_default() if name == DEFAULT_MODEL else name, name))
        self.model.options = names
        self.model.value = chosen
        self._named.drop()

    def describe_place(self) -> str:
        """Return where the images are made, in a few words: `flux, local`, or `diffusers, flux`."""
        parameters, engine = self._parameters, find_engine(self._parameters.provider)
        if engine is None:
            return ", ".join(filter(None, [parameters.model, parameters.space]))
        model = "" if parameters.model == DEFAULT_MODEL else parameters.model
        with suppress(InvalidRequest):  # its folder was deleted
            model = model and engine.get_model(model)
        return ", ".join(filter(None, [parameters.provider, model, parameters.place["space"]]))

    def _name_default(self) -> str:
        """Return the name of the default model; at a Space of another model it means what that is."""
        space, at_hand = self._parameters.space, self._parameters.at_hand
        if _is_at(DEFAULT_MODEL, space) or at_hand.stand_in:
            return DEFAULT_MODEL
        return f"what the Space is{f': {at_hand.name}' if at_hand.name else ''}"

    def _on_provider(self, change: Bunch) -> None:
        """Choose an engine, and of its models the one at hand, if it has that."""
        if not is_quiet() and (provider := change["new"]):
            model = self._parameters.find_model(provider)
            is_bound = provider == SPACE and model != DEFAULT_MODEL  # the default is whatever the Space is
            self._parameters.take(provider=provider, **self._place_model(model) if is_bound else {})

    def _on_model(self, change: Bunch) -> None:
        if not is_quiet() and change["new"] is not None:
            self._parameters.take(**self._place_model(change["new"]))

    def _place_model(self, model: str) -> dict[str, str]:
        """Return a model, at its own Space unless a Space was chosen that can be any model's."""
        space = self._parameters.space
        return {"model": model, "space": space if _is_at(model, space) else get_provider(model).own_space()}

    def _take_model(self, text: str) -> None:
        """Take the name of an engine's model that was typed; none is its default."""
        self._parameters.model = text

    def _on_space(self, change: Bunch) -> None:
        """Choose a Space; its model is then what the Space says, unless it is the chosen model's own."""
        if not is_quiet():
            space = change["new"].strip()
            model = self._parameters.model
            self._parameters.take(space=space, model=model if _is_at(model, space) else DEFAULT_MODEL)

    def _link_seed(self) -> None:
        self._parameters.observe(lambda _: self._show_seed(), "seed")
        self.random.observe(lambda _: self._on_random(), "value")

    def _show_seed(self) -> None:
        seed = self._parameters.seed
        self._seeds.layout.display = None if "seed" in self._parameters.rows else "none"
        with keep_quiet():
            self.random.value = self.seed.disabled = seed is None
        self._seed.show(str(self._used_seed if seed is None else seed))

    def _on_random(self) -> None:
        """Choose seeds at random, or the one that is shown from now on."""
        if not is_quiet():
            self._seed.try_text("" if self.random.value else str(self._used_seed))

    def _take_seed(self, text: str) -> None:
        """Take a seed that was typed; none is a random one."""
        try:
            self._parameters.set_typed("seed", text)
        except InvalidRequest as error:
            error.message += "; tick “random” for a random one"
            raise

    def _take_count(self, text: str) -> None:
        number = parse_values(_COUNT, text, _COUNT.label)
        if number > MOST_IMAGES:  # type: ignore[operator]
            raise InvalidRequest(f"{number} images are more than {MOST_IMAGES} in one go: give 1 to {MOST_IMAGES}")
        self._parameters.set_trait("count", number)

    def show_used_seed(self, seed: int | None) -> None:
        """Show the seed of the image on view if seeds are random."""
        if seed is not None:
            self._used_seed = seed
            self._show_seed()


def _is_at(model: str, space: str) -> bool:
    """Return True if a Space can be this model's: its own, the local one, or the configured one."""
    try:
        url = Space.parse(space).url if space else None
    except InvalidRequest:  # it is reported when the Space is asked
        return True
    return url is None or get_provider(model).has_space(url)


def bind(parameters: Parameters, name: str, widget: ValueWidget) -> None:
    """Link the trait of this name and the widget's value, so that each follows the other."""
    widget.value = getattr(parameters, name)
    parameters.observe(lambda change: setattr(widget, "value", change["new"]), name)
    widget.observe(lambda change: setattr(parameters, name, change["new"]), "value")
