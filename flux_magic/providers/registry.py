"""The registry of providers, by the names of their models."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

from ..errors import InvalidArgument, InvalidRequest, show_value
from ..parameters.addresses import Space
from ..parameters.settings import DEFAULT_MODEL
from . import plugins
from .base import ModelDescription, Provider, make_unknown_error
from .flux1_schnell import BlackForestLabs_Flux1Schnell
from .gradio.any_space import AnySpace
from .named import find_providers

PROVIDERS: tuple[type[Provider], ...] = (BlackForestLabs_Flux1Schnell, *find_providers())
"""The providers of this package. The first is the one for an empty model."""

ENGINES: Mapping[str, tuple[str, str]] = {
    "inference": (".inference.engine", "InferenceProviders"),
    "diffusers": (".diffusers.provider", "Diffusers"),
}
"""The engines of this package by the names that choose them: the module, loaded when it is asked for, and the class."""

SPACE = "space"
"""The name of what makes images by default: the Space of a model, or any other."""

_registered: list[type[Provider]] = []
"""Those that `register_provider` added, in their order."""


def get_provider(model: str = "") -> type[Provider]:
    """Return the provider that has a model of this name or alias.

    The first model that is not one of this package loads the providers that other packages bring along as entry points
    of the group `flux_magic.providers`. Raises InvalidRequest if no provider has the model.
    """
    found = _find(model)
    if found is None:
        _load_plugins()
        found = _find(model)
    if found is None:
        raise make_unknown_error(model, list_model_names(), plugins.troubles())
    return found


def find_engine(provider: object) -> type[Provider] | None:
    """Return the provider that makes the images of any model that it takes; None for `space`, which goes by the model.

    `provider` is a name, with a colon and what the engine chooses by (`inference:together`), a provider's class, or an
    object whose `provider_class` is one. Raises InvalidRequest for any other.
    """
    if provider is None or provider in {"", SPACE}:
        return None
    given = getattr(provider, "provider_class", provider)
    if isinstance(given, type) and issubclass(given, Provider):
        return given
    name = str(provider).partition(":")[0]
    if name in ENGINES:
        module, kind = ENGINES[name]
        own: type[Provider] = getattr(import_module(module, __package__), kind)
        return own
    for one in (*_registered, *PROVIDERS):
        if one.engine == name:
            return one
    names = list_engines()  # other packages are looked for last
    for one in _registered:
        if one.engine == name:
            return one
    raise InvalidRequest(f"there is no provider {show_value(provider)}: choose one of {', '.join(names)}")


def list_engines() -> list[str]:
    """Return the names by which `find_engine` finds providers, those of other packages too; the first is `space`."""
    return [SPACE, *ENGINES, *(one.engine for one in list_providers() if one.engine)]


def name_engine(provider: object) -> str:
    """Return the name by which `find_engine` finds this provider. Raises InvalidRequest if it has none."""
    engine = find_engine(provider)
    if engine is None or isinstance(provider, str):
        return str(provider or SPACE)
    if not engine.engine or find_engine(engine.engine) is not engine:
        raise InvalidRequest(f"{engine.__name__} has no name to choose it by: give it an engine, and register it")
    return engine.engine


def choose_provider(model: str, space: Space | None, provider: object = None) -> type[Provider]:
    """Return the provider that makes the images of a model, by its name as given, at a Space; None is the model's own.

    An engine that is named by `provider` makes those of every model.

    The default model's name stands for any: a Space that is another named model's has that model's provider, and any
    other describes itself. Raises InvalidRequest for an unknown model or provider.
    """
    if engine := find_engine(provider):
        return engine
    named = get_provider(model)
    if space is None or space.url is None or model not in {"", DEFAULT_MODEL} or not named.takes_space():
        return named
    url = space.url
    return next((one for one in (named, *list_providers()) if one.has_space(url)), AnySpace)


def get_defaults(model: str, space: str | None, provider: object = None) -> tuple[str, Mapping[str, int]]:
    """Return the name to ask for a model by at a Space, and what a request gets that leaves it out.

    There is nothing of an unknown model or an invalid Space: the call that makes the image refuses these.
    """
    try:
        chosen = choose_provider(model, Space.parse(space) if space else None, provider)
    except InvalidRequest:
        return model, {}
    names = chosen.names()
    is_known = not model or model in names or not names or chosen.engine
    return model if is_known else names[0], chosen.defaults


def find_known_description(
    model: str = "", space: str | None = None, provider: object = None
) -> ModelDescription | None:
    """Return the description of a model at a Space if this process has fetched it; None, and nothing is asked, if not.

    Example: `find_known_description("", "someone/nocturne")`.
    """
    from . import local

    with suppress(InvalidRequest):
        place = Space.parse(space) if space else None
        chosen = choose_provider(model, place, provider)
        if chosen.engine:
            return chosen.recall_description(None, model)
        if place is not None and place.url is None:
            place = replace(place, url=local.shared.address or None)
        if place is None or place.url is not None:
            return chosen.recall_description(place, model if model in chosen.names() else "")
    return None


def takes_parameter(name: str, model: str = "", space: str | None = None, provider: object = None) -> bool | None:
    """Return True if a model at a Space takes a parameter of the table, False if not, None if that is not known yet.

    A description that was fetched counts more than the provider's file. The local Space has inputs of its own.
    """
    known = find_known_description(model, space, provider)
    if known is not None and known.parameters:
        return any(row.name == name for row in known.parameters)
    with suppress(InvalidRequest):
        place = Space.parse(space) if space else None
        is_local = place is not None and place.url is None
        chosen = choose_provider(model, place, provider)
        return None if is_local and not chosen.engine else chosen.takes(name)
    return None


def list_providers() -> list[type[Provider]]:
    """Return all providers, those of other packages too."""
    _load_plugins()
    return [*PROVIDERS, *_registered]


def list_model_names() -> list[str]:
    """Return every name that `get_provider` takes."""
    return [name for provider in list_providers() if not provider.engine for name in provider.names()]


def register_provider(provider: type[Provider]) -> type[Provider]:
    """Let `get_provider` find a provider by the names of its models. It can be used as a class decorator.

    Raises InvalidArgument for what is no provider, and for a name that another provider has already.

        @register_provider
        class Nocturne(GradioProvider): ...
    """
    given: object = provider
    if not (isinstance(given, type) and issubclass(given, Provider)):
        raise InvalidArgument(
            f"{show_value(given)} is no provider: give a subclass of flux_magic.providers.base.Provider"
        )
    if missing := sorted(getattr(provider, "__abstractmethods__", ())):
        raise InvalidArgument(f"{provider.__name__} is no whole provider: it lacks {', '.join(missing)}")
    if not getattr(provider, "label", "") or not (provider.engine or any(provider.names())):
        raise InvalidArgument(f"{provider.__name__} needs a label, and at least one name of a model (default_model)")
    if provider.engine and (same := _find_other_engine(provider)):
        raise InvalidArgument(
            f"{provider.__name__} cannot have the engine name {provider.engine!r}: {same} has it already"
        )
    for name in provider.names():
        other = _find(name)
        if other is not None and other is not provider:
            raise InvalidArgument(
                f"{provider.__name__} cannot have the model name {name!r}: {other.__name__} has it already"
            )
    if provider not in (*PROVIDERS, *_registered):
        _registered.append(provider)
    return provider


def is_registered(provider: type[Provider]) -> bool:
    """Return True for a provider that `register_provider` has added in this process, or an entry point."""
    return provider in _registered


def unregister_provider(provider: type[Provider]) -> None:
    """Take back `register_provider`; nothing happens if the provider is not registered."""
    if provider in _registered:
        _registered.remove(provider)


def _find_other_engine(provider: type[Provider]) -> str:
    """Return whose the engine name of a provider is already; "" if it is free."""
    if provider.engine == SPACE or provider.engine in ENGINES:
        return "every Space" if provider.engine == SPACE else ENGINES[provider.engine][1]
    others = (one for one in (*PROVIDERS, *_registered) if one is not provider and one.engine == provider.engine)
    return next((one.__name__ for one in others), "")


def _find(model: str) -> type[Provider] | None:
    for provider in (*PROVIDERS, *_registered):
        if not provider.engine and (not model or model in provider.names()):
            return provider
    return None


def _load_plugins() -> None:
    plugins.load(register_provider)
