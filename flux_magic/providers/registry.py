"""The registry of providers, by the names of their models."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidArgument, InvalidRequest, show_value
from ..parameters.addresses import Space
from ..parameters.settings import DEFAULT_MODEL
from . import plugins
from .base import Provider, make_unknown_error
from .flux1_schnell import BlackForestLabs_Flux1Schnell
from .gradio.any_space import AnySpace
from .named import find_providers

PROVIDERS: tuple[type[Provider], ...] = (BlackForestLabs_Flux1Schnell, *find_providers())
"""The providers of this package. The first is the one for an empty model."""

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


def choose_provider(model: str, space: Space | None) -> type[Provider]:
    """Return the provider that makes the images of a model, by its name as given, at a Space; None is the model's own.

    The default model's name stands for any: a Space that is another named model's has that model's provider, and any
    other describes itself. Raises InvalidRequest for an unknown model.
    """
    named = get_provider(model)
    if space is None or space.url is None or model not in {"", DEFAULT_MODEL} or not named.takes_space():
        return named
    url = space.url
    return next((one for one in (named, *list_providers()) if one.has_space(url)), AnySpace)


def get_defaults(model: str, space: str | None) -> tuple[str, Mapping[str, int]]:
    """Return the name to ask for a model by at a Space, and what a request gets that leaves it out.

    There is nothing of an unknown model or an invalid Space: the call that makes the image refuses these.
    """
    try:
        provider = choose_provider(model, Space.parse(space) if space else None)
    except InvalidRequest:
        return model, {}
    names = provider.names()
    return model if not model or model in names or not names else names[0], provider.defaults


def list_providers() -> list[type[Provider]]:
    """Return all providers, those of other packages too."""
    _load_plugins()
    return [*PROVIDERS, *_registered]


def list_model_names() -> list[str]:
    """Return every name that `get_provider` takes."""
    return [name for provider in list_providers() for name in provider.names()]


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
    if not getattr(provider, "label", "") or not any(provider.names()):
        raise InvalidArgument(f"{provider.__name__} needs a label, and at least one name of a model (default_model)")
    for name in provider.names():
        other = _find(name)
        if other is not None and other is not provider:
            raise InvalidArgument(
                f"{provider.__name__} cannot have the model name {name!r}: {other.__name__} has it already"
            )
    if provider not in (*PROVIDERS, *_registered):
        _registered.append(provider)
    return provider


def unregister_provider(provider: type[Provider]) -> None:
    """Take back `register_provider`; nothing happens if the provider is not registered."""
    if provider in _registered:
        _registered.remove(provider)


def _find(model: str) -> type[Provider] | None:
    for provider in (*PROVIDERS, *_registered):
        if not model or model in provider.names():
            return provider
    return None


def _load_plugins() -> None:
    plugins.load(register_provider)
