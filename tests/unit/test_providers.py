from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from flux_magic import providers
from flux_magic.errors import InvalidRequest
from flux_magic.parameters.addresses import Space
from flux_magic.providers import BlackForestLabs_Flux1Schnell, GradioProvider, get_provider
from flux_magic.providers.base import AsyncGeneratorProvider, AsyncResult, ProviderModelMixin, extract_prompt
from flux_magic.providers.http.connection import Connection, open_connection, open_session
from flux_magic.types import ImageRequest

FLUX = BlackForestLabs_Flux1Schnell
CANONICAL = "black-forest-labs-flux-1-schnell"
NAMES = ["flux-schnell", "flux", CANONICAL]


def variant(base: type[GradioProvider] = FLUX, **attributes: object) -> type[GradioProvider]:
    """Return a subclass with these attributes."""
    made: type[GradioProvider] = type("Variant", (base,), attributes)
    return made


def test_the_providers_interface_is_the_originals() -> None:
    parameters = inspect.signature(FLUX.create_async_generator).parameters
    assert list(parameters) == [
        "model",
        "messages",
        "proxy",
        "prompt",
        "width",
        "height",
        "num_inference_steps",
        "seed",
        "randomize_seed",
        "kwargs",
    ]
    defaults = {name: known.default for name, known in parameters.items() if known.default is not known.empty}
    assert defaults == {
        "proxy": None,
        "prompt": None,
        "width": 768,
        "height": 768,
        "num_inference_steps": 2,
        "seed": 0,
        "randomize_seed": True,
    }


def test_the_provider_is_what_the_original_is() -> None:
    assert issubclass(FLUX, AsyncGeneratorProvider)
    assert issubclass(FLUX, ProviderModelMixin)
    assert FLUX.working is True
    assert FLUX.label == "BlackForestLabs Flux-1-Schnell"
    assert FLUX.url == "https://black-forest-labs-flux-1-schnell.hf.space"
    assert FLUX.api_endpoint == f"{FLUX.url}/call/infer"
    assert (FLUX.default_model, FLUX.default_image_model) == (CANONICAL, CANONICAL)
    assert FLUX.models == FLUX.image_models == ["flux-schnell", "flux"]


def test_the_endpoints_values_are_in_its_order() -> None:
    values = FLUX.get_inputs(ImageRequest("a fox", "flux", 260, 263, 4, 42))
    assert list(values.items()) == [
        ("prompt", "a fox"),
        ("seed", 42),
        ("randomize_seed", False),
        ("width", 256),
        ("height", 256),
        ("num_inference_steps", 4),
    ]


@pytest.mark.parametrize("name", ["", *NAMES])
def test_every_name_and_none_is_the_canonical_model(name: str) -> None:
    assert FLUX.get_model(name) == CANONICAL
    assert get_provider(name) is FLUX


@pytest.mark.parametrize("get", [FLUX.get_model, get_provider], ids=["the provider", "the registry"])
def test_an_unknown_model_is_refused_and_the_known_ones_are_named(get: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"there is no model 'dall-e': choose one of {', '.join(NAMES)}"):
        get("dall-e")


def test_the_registry_names_every_model_once() -> None:
    names = providers.list_model_names()
    assert names[: len(NAMES)] == NAMES
    assert len(set(names)) == len(names)
    assert get_provider() is providers.PROVIDERS[0]


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [("https://a.example", "https://a.example/call/infer"), ("http://[::1]:1/x/", "http://[::1]:1/x/call/infer")],
)
def test_a_subclass_that_sets_its_url_moves_the_endpoint_along(url: str, endpoint: str) -> None:
    assert variant(url=url).api_endpoint == endpoint


def test_a_subclass_that_sets_its_endpoint_wins() -> None:
    endpoint = "https://b.example/gradio_api/call/v2/draw"
    moved = variant(url="https://a.example", api_endpoint=endpoint)
    assert moved.api_endpoint == endpoint
    assert variant(moved).api_endpoint == endpoint
    assert (FLUX.own_space(), moved.own_space()) == ("black-forest-labs/FLUX.1-schnell", "https://a.example")
    assert variant(api_endpoint=endpoint).own_space() == "https://b.example", "schnell's Space is not asked"


def test_a_first_provider_may_have_no_endpoint_yet() -> None:
    assert not hasattr(variant(GradioProvider, url="https://a.example"), "api_endpoint")


@pytest.mark.parametrize("endpoint", ["https://a.example", "https://a.example/call/", "ftp://a.example/call/infer", ""])
def test_an_endpoint_of_another_form_is_the_authors_mistake(endpoint: str) -> None:
    with pytest.raises(TypeError, match="it must read https://…/call/name"):
        made_of(variant(api_endpoint=endpoint))


def made_of(provider: type[GradioProvider], url: str | None = None) -> GradioProvider:
    async def made() -> GradioProvider:
        async with open_session() as session:
            return provider(Connection(session), Space.parse(url) if url else None)

    return asyncio.run(made())


@pytest.mark.parametrize(
    ("endpoint", "url", "parts"),
    [
        pytest.param("https://a.example/call/infer", None, ("https://a.example", None, "infer"), id="no prefix"),
        pytest.param(
            "https://a.example/gradio_api/call/draw/", None, ("https://a.example", "/gradio_api", "draw"), id="a prefix"
        ),
        pytest.param("https://a.example/x/call/v2/infer", None, ("https://a.example/x", None, "infer"), id="a path"),
        pytest.param(
            "https://a.example/gradio_api/call/infer", "http://h:1/", ("http://h:1", None, "infer"), id="another Space"
        ),
    ],
)
def test_a_provider_knows_where_its_space_is(
    endpoint: str, url: str | None, parts: tuple[str, str | None, str]
) -> None:
    made = made_of(variant(api_endpoint=endpoint), url)
    space = made._space
    assert (space._base, space._prefix, made._preferred) == parts


def test_a_connection_takes_no_proxy_of_another_kind() -> None:
    async def opened() -> None:
        await open_connection("socks5://proxy.example").__aenter__()

    with pytest.raises(InvalidRequest, match="cannot use a socks5 proxy"):
        asyncio.run(opened())


def told(role: str, content: object) -> dict[str, Any]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("messages", "prompt", "text"),
    [
        pytest.param([told("user", "a hen")], "a fox", "a fox", id="the prompt wins"),
        pytest.param([told("user", "a hen")], "", "", id="also an empty one"),
        pytest.param([told("user", "a fox")], None, "a fox", id="one message"),
        pytest.param([told("user", "a"), told("user", "fox")], None, "a\nfox", id="two in a row"),
        pytest.param(
            [told("user", "a hen"), told("assistant", "why?"), told("user", "a fox")], None, "a fox", id="the last run"
        ),
        pytest.param([told("user", "a fox"), told("assistant", "why?")], None, "", id="the assistant speaks last"),
        pytest.param(
            [told("user", [{"type": "text", "text": "a"}, {"type": "image_url"}, "x", {"text": 1}, {"text": "fox"}])],
            None,
            "a\nfox",
            id="parts",
        ),
        pytest.param([told("user", None), {"role": "user"}], None, "\n", id="no content"),
        pytest.param([], None, "", id="no message"),
    ],
)
def test_the_prompt_is_the_trailing_user_messages(messages: list[Any], prompt: str | None, text: str) -> None:
    assert extract_prompt(messages, prompt) == text


def test_without_a_prompt_nothing_is_sent() -> None:
    with pytest.raises(InvalidRequest, match="the prompt is empty"):
        asyncio.run(first_of(FLUX.create_async_generator("flux", [])))


async def first_of(answers: AsyncResult) -> object:
    return await anext(answers)
