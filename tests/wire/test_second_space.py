"""A Space of another shape needs one small file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_magic.cli import main
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.doctor import examine
from flux_magic.errors import InvalidRequest, SpaceChanged
from flux_magic.jupyter.panel.requests import get_parameters
from flux_magic.parameters.settings import resolve
from flux_magic.providers import BlackForestLabs_Flux1Schnell, GradioProvider, list_model_names
from flux_magic.results.generation import Generation
from flux_magic.types import ImageResponse
from tests.support.space import collect_events, make_image, make_request, run, run_space
from tests.wire.painter import Painter, Sketcher

APP = Path(__file__).with_name("painter_app.py")


@pytest.fixture(scope="module")
def painters() -> Iterator[str]:
    """Yield the address of the second Space."""
    with run_space(app=APP) as address:
        yield address


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (BlackForestLabs_Flux1Schnell, Painter, Sketcher))


def moved(address: str) -> type[GradioProvider]:
    class Moved(Painter):
        url = address

    return Moved


def painted(address: str, prompt: str = "a red fox", **options: object) -> Generation:
    return run(make_image(address, prompt, model="painter", **options))


def test_its_stream_gives_three_addresses_and_the_seed(painters: str) -> None:
    *_, response = run(collect_events(moved(painters), make_request(model="painter")))
    assert isinstance(response, ImageResponse)
    assert len(response.images) == 3
    assert all(url.startswith(f"{painters}/") for url in response.images)
    assert (response.seed, response.options["model"]) == (42, "painter-1")


def test_the_simple_route_gives_as_many(painters: str) -> None:
    *_, response = run(collect_events(moved(painters), make_request(model="painter"), progress=False))
    assert isinstance(response, ImageResponse)
    assert (len(response.images), response.seed) == (3, 42)


def test_a_generation_holds_all_files_of_a_gallery_as_delivered(painters: str) -> None:
    made = painted(painters)
    assert [file.media_type for file in made.files] == ["image/png", "image/jpeg", "image/webp"]
    assert [file.data[:4] for file in made.files] == [b"\x89PNG", b"\xff\xd8\xff\xe0", b"RIFF"]
    assert {(file.width, file.height) for file in made.files} == {(256, 256)}
    assert len(made.record.files) == len(made.images) == 3


def test_each_value_arrives_in_the_place_of_its_name(painters: str) -> None:
    made = painted(painters, "four", seed=77, width=320, height=200, steps=9)
    assert made.images[0].size == (320, 200)
    assert made.images[0].getpixel((0, 0)) == (77, 9, 4)


def test_a_constant_arrives_and_a_space_that_could_choose_the_seed_is_told_not_to(painters: str) -> None:
    made = run(make_image(painters, "four", model="sketcher", seed=6))
    assert made.images[0].getpixel((0, 0)) == (9, 0, 4)


def test_where_no_seed_is_sent_the_record_has_none_and_says_what_was_asked_for(painters: str) -> None:
    made = run(make_image(painters, model="sketcher", seed=6))
    assert (made.record.seed, made.record.requested_seed) == (None, 6)
    assert "unknown (asked for 6)" in made.build_outputs()[1].data["text/plain"]


def test_the_doctor_looks_for_the_endpoint_of_another_model(painters: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--space", painters, "--model", "painter"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"--width +width +a whole number from 64 to 512 ", told)
    assert "words" not in told, "the prompt is no parameter"
    assert main(["doctor", painters]) == 0
    assert re.search(r"endpoint +/paint, /sketch\n", capsys.readouterr().out)


def test_a_field_that_a_request_has_not_is_told_where_it_is_written() -> None:
    with pytest.raises(TypeError) as caught:
        type("Nocturne", (GradioProvider,), {"parameters": {"words": "promt", "width": "width", "seed": "seed"}})
    assert str(caught.value) == (
        "Nocturne.parameters: no promt, width; "
        "a request has prompt, steps, seed, randomize_seed, sent_width, sent_height, guidance, negative_prompt, "
        "strength"
    )


def test_its_record_names_the_provider_for_its_own_space_alone(painters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = painted(painters).record
    unknown = (f"unknown (Space {painters})", "painter", "Gradio Space")
    assert (record.model, record.requested_model, record.provider) == unknown
    assert (record.space, record.requested_space) == (painters, painters)
    assert not record.stand_in
    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (moved(painters),))
    own = run(AsyncClient(width=64, height=64).generate("a fox", model="painter", seed=1))
    assert isinstance(own, Generation)
    assert (own.record.model, own.record.provider, own.record.sent) == ("painter-1", "Painter", {})


def test_what_was_sent_besides_is_recorded_on_a_models_own_space_too(painters: str) -> None:
    assert run(make_image(painters, "four", model="sketcher", seed=6)).record.sent == {
        "strength": 9,
        "randomize_seed": False,
    }


def test_its_bounds_are_its_own(painters: str) -> None:
    with pytest.raises(InvalidRequest, match="width is 768: this Space takes 64 to 512"):
        painted(painters, width=768)
    assert painted(painters, width=64).width == 64


def test_an_unknown_model_is_told_the_names_of_both_providers(painters: str) -> None:
    with pytest.raises(InvalidRequest, match="painter") as caught:
        run(AsyncClient(space=painters).generate("a fox", model="rembrandt"))
    assert all(name in str(caught.value) for name in list_model_names())


def test_a_space_without_the_endpoint_of_a_models_file_has_changed_and_alone_describes_itself(painters: str) -> None:
    with pytest.raises(SpaceChanged, match="it has no endpoint infer, only paint"):
        run(make_image(painters, model="flux-schnell"))
    made = run(make_image(painters, "four", steps=9))
    assert made.images[0].getpixel((0, 0)) == (42, 9, 4)
    assert made.record.parameters == {"endpoint": "/paint"}


def test_a_model_whose_space_is_known_by_its_url_alone_is_examined_there_and_recalled(
    painters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (moved(painters),))
    report = run(examine(resolve(model="painter")))
    assert (report.rows["Space"], report.rows["address"], report.healthy) == (painters, painters, True)
    made = run(AsyncClient(store=False, width=64, height=64).generate("a fox", model="painter"))
    assert isinstance(made, Generation)
    assert get_parameters(made.record)["space"] == painters
