"""Pictures made anew by a provider that does as a test says, and compared."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from flux_magic.client.underway import cancel_all
from flux_magic.errors import ConnectionFailed, FluxError, InvalidRequest, QuotaExceeded, SpaceError, Stopped
from flux_magic.images import codecs
from flux_magic.parameters.settings import configure_by
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.sweeps.axes import Axis
from flux_magic.types import Circumstances, Event, ImageRequest, Record
from flux_magic.verify import Grade, Outcome, Report, Status, Verdict, check
from flux_magic.verify.live import settings_for
from flux_magic.verify.verdict import differences
from tests.support.space import run
from tests.unit.samples import drawing, encoded, generation, record
from tests.unit.scripted import ADDRESS, Scripted, answer, installed
from tests.unit.test_verify import (
    cell,
    embedded,
    embedding,
    hand_made,
    one_pixel_changed,
    output,
    put,
    reencoded,
    saved,
    saying,
    shown,
    told,
    written,
)

OWN = "https://scripted.example"
PUBLIC = "black-forest-labs/FLUX.1-schnell"


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    """For every model; its own Space is at `OWN`."""
    return installed(monkeypatch)


def made(*data: bytes, **changes: Any) -> Generation:
    """What the provider's own Space has made."""
    return generation(*data, **{"space": OWN, "model": "scripted-1", **changes})


def large(suffix: str = "png", **options: Any) -> bytes:
    """A picture that is large enough for an eye."""
    return encoded(suffix, size=(128, 96), **options)


def checked(*paths: str | Path, **options: Any) -> Report:
    return run(check(paths or ["fox.ipynb"], **options))


def of_output(change: Callable[[dict[str, Any]], object] = lambda _one: None, one: Generation | None = None) -> Verdict:
    """The verdict on a notebook's one picture, after its output was changed."""
    first, *others = shown(one or made())
    change(first)
    written(Path("fox.ipynb"), cell(first, *others))
    (verdict,) = checked().verdicts
    return verdict


def requests(provider: type[Scripted]) -> list[ImageRequest]:
    return [request for one in provider.made for request in one.requests]


@pytest.mark.parametrize("inline", [None, "jpeg", "png"])
@pytest.mark.parametrize("data", [encoded(), encoded("jpeg"), encoded("webp"), encoded("webp", lossless=True)])
def test_a_picture_that_is_still_made_is_the_same_bytes_in_each_form(
    provider: type[Scripted], data: bytes, inline: str | None
) -> None:
    provider.pictures = {ADDRESS: data}
    verdict = of_output(one=made(data, inline=inline))
    assert (verdict.status, verdict.grade, verdict.distance, verdict.why) == (Status.PASS, Grade.SAME_BYTES, 0.0, "")
    assert verdict.remade == codecs.for_notebook(data, inline)[1]


@pytest.mark.parametrize("name", ["fox.png", "fox.jpg", "fox.webp"])
def test_a_saved_picture_is_compared_in_its_own_form(provider: type[Scripted], name: str) -> None:
    made().save(name)
    (verdict,) = checked(name).verdicts
    assert (verdict.grade, verdict.why) == (Grade.SAME_BYTES, "")
    assert len(requests(provider)) == 1


def test_a_request_has_what_was_sent_and_the_model_as_it_was_asked_for(provider: type[Scripted]) -> None:
    of_output(
        one=made(prompt="a fox in Rome", requested_prompt="a fox in {place}", requested_width=261, seed=7, steps=3)
    )
    (request,) = requests(provider)
    assert (request.prompt, request.seed, request.steps) == ("a fox in Rome", 7, 3)
    assert (request.sent_width, request.sent_height, request.model) == (256, 192, "flux")
    assert not request.randomize_seed


def test_nothing_is_taken_from_a_store_or_put_there(
    provider: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    assert of_output().grade is Grade.SAME_BYTES
    assert of_output().grade is Grade.SAME_BYTES
    assert len(requests(provider)) == 2
    assert not (tmp_path / "store").exists()


GRADES = [
    pytest.param(
        large(),
        lambda one: put(one, one_pixel_changed(embedded(one))),
        (Status.FAIL, Outcome.ALTERED, Grade.SAME_TO_THE_EYE),
        "altered since it was made; made anew: same to the eye; "
        "the Space still makes what the record says: the picture in the notebook is another",
        id="one pixel altered",
    ),
    pytest.param(
        large(),
        lambda one: put(one, reencoded(embedded(one), compress_level=0)),
        (Status.PASS, Outcome.REENCODED, Grade.SAME_PIXELS),
        "re-encoded since, the same pixels",
        id="re-encoded",
    ),
    pytest.param(
        large(),
        embedding(embedded(shown(made(large(colour=255), seed=43))[0])),
        (Status.FAIL, Outcome.ALTERED, Grade.DIFFERENT),
        "altered since it was made, another picture is in its place: the notebook says seed 42, the picture 43; "
        "made anew: different; the Space still makes what the record says: the picture in the notebook is another",
        id="swapped",
    ),
    pytest.param(
        large(colour=255),
        saying(seed=43),
        (Status.FAIL, Outcome.EDITED, Grade.DIFFERENT),
        "the record was edited: the notebook says seed 43, the picture 42; made anew: different",
        id="the record edited",
    ),
    pytest.param(
        large(colour=255),
        lambda _one: None,
        (Status.FAIL, Outcome.INTACT, Grade.DIFFERENT),
        "nothing recorded differs: the Space itself has changed, or the record was edited",
        id="the Space changed",
    ),
    pytest.param(
        large(colour=1),
        lambda _one: None,
        (Status.PASS, Outcome.INTACT, Grade.SAME_TO_THE_EYE),
        "nothing recorded differs: the Space itself has changed, or the record was edited",
        id="the Space changed a little",
    ),
    pytest.param(
        encoded(size=(96, 128)),
        lambda _one: None,
        (Status.FAIL, Outcome.INTACT, Grade.DIFFERENT),
        "it is 96×128, made anew 128×96; "
        "nothing recorded differs: the Space itself has changed, or the record was edited",
        id="another size",
    ),
]


@pytest.mark.parametrize(("data", "change", "found", "why"), GRADES)
def test_grade_status_and_reasons(
    provider: type[Scripted],
    data: bytes,
    change: Callable[[dict[str, Any]], object],
    found: tuple[Status, Outcome, Grade],
    why: str,
) -> None:
    provider.pictures = {ADDRESS: large()}
    verdict = of_output(change, made(data))
    assert (verdict.status, verdict.static, verdict.grade) == found
    assert verdict.why == why
    assert (verdict.distance is None) is ("×" in why)


def test_what_was_encoded_in_another_way_than_today_is_the_same_pixels_and_passes(provider: type[Scripted]) -> None:
    delivered = large("webp", lossless=True)
    provider.pictures = {ADDRESS: delivered}

    def by_another_pillow(one: dict[str, Any]) -> None:
        """A PNG of the same pixels, by an encoder of its day."""
        from flux_magic.records import embedding as keepsake

        known = made(delivered).record
        data, copy = keepsake.with_record(saved(drawing(size=(128, 96)), compress_level=1), known, 0)
        put(one, data)
        told(one)["copy"]["sha256"] = copy.sha256

    verdict = of_output(by_another_pillow, made(delivered))
    assert (verdict.status, verdict.static, verdict.grade) == (Status.PASS, Outcome.INTACT, Grade.SAME_PIXELS)
    assert verdict.why == ""


def test_a_jpeg_by_another_encoder_is_told_from_a_change_of_the_space(provider: type[Scripted]) -> None:
    delivered = large("webp")  # embedded as JPEG
    provider.pictures = {ADDRESS: delivered}

    def by_another_encoder(one: dict[str, Any]) -> None:
        from flux_magic.records import embedding as keepsake

        again = saved(codecs.decode(delivered).convert("RGB"), "jpeg", quality=94)
        data, copy = keepsake.with_record(again, made(delivered).record, 0)
        put(one, data)
        told(one)["copy"].update(sha256=copy.sha256, digest=copy.digest)

    verdict = of_output(by_another_encoder, made(delivered))
    assert (verdict.status, verdict.grade) == (Status.PASS, Grade.SAME_TO_THE_EYE)
    assert verdict.why == "the Space still makes what the record says"


@pytest.mark.parametrize(
    ("data", "status", "grade"),
    [
        pytest.param(encoded(), Status.PASS, Grade.SAME_BYTES, id="the same"),
        pytest.param(encoded(compress_level=0), Status.PASS, Grade.SAME_PIXELS, id="the same pixels"),
        pytest.param(encoded(colour=9), Status.FAIL, Grade.DIFFERENT, id="another"),
    ],
)
def test_a_link_is_made_anew_and_compared_by_its_record(
    provider: type[Scripted], data: bytes, status: Status, grade: Grade
) -> None:
    provider.pictures = {ADDRESS: data}
    verdict = of_output(one=made(inline="link"))
    assert (verdict.status, verdict.static, verdict.grade) == (status, Outcome.UNTOLD, grade)
    assert verdict.embedded is None
    assert verdict.remade == data
    assert verdict.why.startswith("the picture itself is not embedded")


def test_each_image_of_a_sheet_is_made_anew_and_passes_where_its_record_says_the_same(provider: type[Scripted]) -> None:
    provider.pictures = {ADDRESS: encoded(colour=50)}
    sweep = Generations(
        [made(encoded(colour=place * 50), seed=place + 1) for place in range(3)], [Axis("seed", (1, 2, 3))]
    )
    written(Path("fox.ipynb"), cell(*(output(one) for one in sweep.outputs())))
    verdicts = checked().verdicts
    assert [one.status for one in verdicts] == [Status.FAIL, Status.PASS, Status.FAIL]
    assert [request.seed for request in requests(provider)] == [1, 2, 3]
    sweep.grid().save("sheet.png")
    sheet, *images = checked("sheet.png").verdicts
    assert (sheet.status, sheet.static) == (Status.PASS, Outcome.INTACT), "the sheet itself is not made anew"
    assert [one.status for one in images] == [Status.FAIL, Status.PASS, Status.FAIL]
    assert len(requests(provider)) == 6
    assert len(checked(".").verdicts) == 4
    assert len(requests(provider)) == 9, "an image of the notebook's sheet is not made twice"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(large("webp"), Status.PASS, id="the same bytes"),
        pytest.param(large("webp", colour=2), Status.UNCHECKED, id="the same to the eye"),
        pytest.param(large("webp", colour=255), Status.FAIL, id="different"),
    ],
)
def test_where_nobody_wrote_down_what_was_embedded_the_same_bytes_pass(
    provider: type[Scripted], data: bytes, status: Status
) -> None:
    provider.pictures = {ADDRESS: data}
    assert of_output(hand_made, made(large("webp"))).status is status


def test_of_several_pictures_each_is_compared_with_its_own(provider: type[Scripted]) -> None:
    second = f"{ADDRESS}2"
    provider.pictures = {ADDRESS: encoded(), second: encoded(colour=9)}
    provider.script = [answer(ADDRESS, second)]
    written(Path("fox.ipynb"), cell(*shown(made(encoded(), encoded(colour=9)))))
    assert [one.grade for one in checked().verdicts] == [Grade.SAME_BYTES] * 2
    provider.script = [answer()]
    first, other = checked().verdicts
    assert first.grade is Grade.SAME_BYTES
    assert (other.grade, other.remade) == (Grade.DIFFERENT, None)
    assert other.why.startswith("made anew it has 1 pictures, and had 2")


UNASKED = [
    pytest.param(saying(seed=None), "its record has no seed", id="no seed"),
    pytest.param(lambda one: told(one)["record"]["run"].pop("seed"), "its record has no seed", id="the seed removed"),
    pytest.param(lambda one: told(one).pop("record"), "the record is not whole", id="no record"),
    pytest.param(
        lambda one: put(one, b"nothing"),
        "altered since it was made: the picture is plain",
        id="no picture",
    ),
]


@pytest.mark.parametrize(("change", "why"), UNASKED)
def test_what_cannot_be_compared_is_not_asked_for(
    provider: type[Scripted], change: Callable[[dict[str, Any]], object], why: str
) -> None:
    verdict = of_output(change)
    assert verdict.why.startswith(why)
    assert verdict.status is (Status.FAIL if "altered" in why else Status.UNCHECKED)
    assert (verdict.grade, requests(provider)) == (None, [])


def test_without_scikit_image_other_pixels_are_different_and_the_cure_is_named(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    provider.pictures = {ADDRESS: large(colour=1)}
    verdict = of_output(one=made(large()))
    assert (verdict.status, verdict.grade, verdict.distance) == (Status.FAIL, Grade.DIFFERENT, None)
    assert verdict.why.startswith('not the same pixels; by how much, pip install "flux-magic[verify]" tells; ')
    provider.pictures = {ADDRESS: large()}
    assert of_output(one=made(large())).grade is Grade.SAME_BYTES


# Which Space is asked


@pytest.mark.parametrize(
    ("space", "configured", "other", "asked"),
    [
        pytest.param(f"hf:{PUBLIC}", None, None, PUBLIC, id="the model's own"),
        pytest.param(f"hf:{PUBLIC}", "local", None, PUBLIC, id="the model's own, another configured"),
        pytest.param("local:1", None, None, "local", id="local"),
        pytest.param("local:7", "https://x.example", None, "local", id="local, another configured"),
        pytest.param("local:1", "local", None, "local", id="local, configured"),
        pytest.param("https://x.example", "https://x.example/", None, "https://x.example/", id="the configured one"),
        pytest.param("hf:a/b", "a/b", None, "a/b", id="the configured one, on the Hub"),
        pytest.param("https://x.example", None, "https://x.example", "https://x.example", id="the named one"),
        pytest.param(f"hf:{PUBLIC}", "local", "a/b", "a/b", id="another one, named"),
    ],
)
def test_a_records_space_is_asked_where_the_person_has_named_it(
    monkeypatch: pytest.MonkeyPatch, space: str, configured: str | None, other: str | None, asked: str
) -> None:
    if configured:
        monkeypatch.setenv("FLUX_MAGIC_SPACE", configured)
    settings = settings_for(record(space=space), other)
    assert not isinstance(settings, str)
    assert (settings.space, settings.replay, settings.store, settings.metadata) == (asked, "off", False, False)


@pytest.mark.parametrize(
    ("space", "configured", "why"),
    [
        pytest.param(
            "https://x.example",
            None,
            "not asked: it was made by https://x.example; to ask it, add --space https://x.example",
            id="a URL",
        ),
        pytest.param("hf:a/b", None, "not asked: it was made by a/b; to ask it, add --space a/b", id="on the Hub"),
        pytest.param(
            "https://x.example/deep",
            "https://x.example",
            "not asked: it was made by https://x.example/deep; to ask it, add --space https://x.example/deep",
            id="another path than the configured one",
        ),
        pytest.param(
            "http://x.example/$(id);id",
            None,
            "not asked: it was made by http://x.example/$(id);id; to ask it, add --space 'http://x.example/$(id);id'",
            id="made for a shell",
        ),
        pytest.param("\x1b[31mno\nSpace", None, "not asked: it was made by \ufffd[31mno Space", id="no Space"),
        pytest.param(
            "https://me:secret@x.example", None, "not asked: it was made by https://***@x.example", id="with a password"
        ),
    ],
)
def test_any_other_space_is_not_asked_and_how_to_ask_it_is_told(
    monkeypatch: pytest.MonkeyPatch, space: str, configured: str | None, why: str
) -> None:
    if configured:
        monkeypatch.setenv("FLUX_MAGIC_SPACE", configured)
    assert settings_for(record(space=space), None) == why


def test_what_is_not_asked_cannot_be_checked(provider: type[Scripted]) -> None:
    verdict = of_output(one=made(space="https://x.example"))
    assert (verdict.status, verdict.static, verdict.grade) == (Status.UNCHECKED, Outcome.INTACT, None)
    assert verdict.why.startswith("not asked: it was made by https://x.example")
    assert requests(provider) == []
    altered = of_output(lambda one: put(one, one_pixel_changed(embedded(one))), made(space="https://x.example"))
    assert altered.status is Status.FAIL
    assert altered.why.startswith("altered since it was made; not asked: ")


def test_the_named_space_is_asked_for_all(provider: type[Scripted]) -> None:
    written(Path("fox.ipynb"), cell(*shown(made(space="https://x.example"))), cell(*shown(made(space="hf:a/b"))))
    report = checked(space="https://other.example")
    assert [one.grade for one in report.verdicts] == [Grade.SAME_BYTES] * 2
    assert [one.at for one in provider.made] == ["https://other.example"] * 2


@pytest.mark.parametrize(
    ("space", "configured", "kept"),
    [
        pytest.param("https://x.example", "https://x.example", True, id="the configured one"),
        pytest.param(f"hf:{PUBLIC}", "", True, id="the model's own, where none is configured"),
        pytest.param(f"hf:{PUBLIC}", "https://x.example", False, id="the model's own, the token is for another"),
        pytest.param("local:1", "https://x.example", False, id="local"),
    ],
)
def test_a_configured_token_goes_to_the_configured_space_alone(space: str, configured: str, *, kept: bool) -> None:
    configure_by(lambda: {"space": configured or None, "token": "hf_secret"})
    try:
        settings = settings_for(record(space=space), None)
    finally:
        configure_by(dict)
    assert not isinstance(settings, str)
    assert settings.token == ("hf_secret" if kept else None)


def test_a_model_that_there_is_none_of_cannot_be_checked() -> None:
    verdict = of_output(one=generation(requested_model="dall-e"))
    assert verdict.status is Status.UNCHECKED
    assert verdict.why.startswith("there is no model 'dall-e'")


# What goes wrong


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        pytest.param(SpaceError("the Space failed: out of luck", "Try again."), 3, id="of one job"),
        pytest.param(ConnectionFailed("cannot reach scripted.example", "Check it."), 1, id="no connection"),
        pytest.param(QuotaExceeded("no GPU time is left"), 1, id="no quota"),
    ],
)
def test_an_error_of_the_space_is_a_line_and_what_is_hopeless_is_not_tried_again(
    provider: type[Scripted], error: FluxError, asked: int
) -> None:
    provider.script = [error]
    written(Path("fox.ipynb"), *(cell(*shown(made(seed=seed))) for seed in range(3)))
    report = checked(concurrency=1)
    assert [one.status for one in report.verdicts] == [Status.UNCHECKED] * 3
    assert [one.why for one in report.verdicts] == [error.message] * 3
    assert len(requests(provider)) == asked
    assert report.summary == "0 of 3 pass: 3 cannot be checked"


def test_a_space_that_ends_well_without_an_image_is_a_line(provider: type[Scripted]) -> None:
    provider.script = [answer()]
    provider.pictures = {ADDRESS: b"no picture at all"}
    assert of_output().why == "the picture that the Space sent is plain text, not PNG, JPEG, WebP, GIF or AVIF"


def test_a_stream_without_a_generation_is_an_error(provider: type[Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    from flux_magic.client.async_client import AsyncClient

    async def nothing(*_arguments: Any) -> AsyncGenerator[Event, None]:
        events: list[Event] = []
        for event in events:
            yield event

    monkeypatch.setattr(AsyncClient, "stream", nothing)
    assert of_output().why == "the Space finished, but sent no image"
    assert requests(provider) == []


def test_a_file_that_is_gone_when_its_turn_comes_is_a_line(provider: type[Scripted]) -> None:
    made().save("fox.png")
    verdicts = checked("fox.png", told=lambda *_: Path("fox.png").unlink(missing_ok=True)).verdicts
    assert [(one.status, one.why) for one in verdicts] == [
        (Status.UNCHECKED, "cannot be read: No such file or directory")
    ]
    assert len(requests(provider)) == 1


@pytest.mark.parametrize("concurrency", [0, 17, -1])
def test_the_bound_has_bounds(concurrency: int) -> None:
    with pytest.raises(InvalidRequest, match=f"concurrency is {concurrency}: give a whole number from 1 to 16"):
        checked(concurrency=concurrency)


def test_what_is_no_space_is_refused_before_anything_is_asked(provider: type[Scripted]) -> None:
    with pytest.raises(InvalidRequest, match="'nowhere' is no Space"):
        checked(space="nowhere")
    assert requests(provider) == []


def test_offline_nothing_is_asked_and_the_static_check_is_named(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    with pytest.raises(InvalidRequest, match="add --static"):
        checked()
    assert requests(provider) == []


# Several at once


@pytest.fixture
def counted(provider: type[Scripted], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many jobs run now, and how many did so at most; each takes 20 ms."""
    running = {"now": 0, "most": 0, "closed": 0}
    provider.script = [0.02, answer()]
    stream = Scripted.stream

    async def watched(self: Scripted, request: ImageRequest) -> AsyncGenerator[Event, None]:
        running["now"] += 1
        running["most"] = max(running["most"], running["now"])
        events = stream(self, request)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()
            running["now"] -= 1
            running["closed"] += 1

    monkeypatch.setattr(provider, "stream", watched)
    return running


def ten_pictures() -> None:
    written(Path("fox.ipynb"), *(cell(*shown(made(seed=seed))) for seed in range(10)))


@pytest.mark.parametrize("most", [1, 2, 5, 16])
def test_no_more_are_made_at_once_than_allowed(counted: dict[str, int], most: int) -> None:
    ten_pictures()
    report = checked(concurrency=most)
    assert report.passed
    assert (counted["most"], counted["now"], counted["closed"]) == (min(most, 10), 0, 10)


@pytest.mark.usefixtures("provider")
def test_verdicts_keep_the_order_and_progress_counts_up() -> None:
    ten_pictures()
    seen: list[tuple[int, int, str]] = []
    report = checked(concurrency=3, told=lambda *told: seen.append(told))
    assert [one.record.seed for one in report.verdicts if one.record] == list(range(10))
    assert [done for done, _, _ in seen] == list(range(11))
    assert {total for _, total, _ in seen} == {10}
    assert seen[0][2] == ""
    assert {label for _, _, label in seen[1:]} == {f"fox.ipynb, cell {number}" for number in range(1, 11)}


def test_the_total_leaves_out_what_is_not_asked(provider: type[Scripted]) -> None:
    cells = [cell(*shown(made(space=space))) for space in (OWN, "https://x.example")]
    written(Path("fox.ipynb"), *cells)
    seen: list[tuple[int, int, str]] = []
    checked(told=lambda *told: seen.append(told))
    assert [(done, total) for done, total, _ in seen] == [(0, 1), (1, 1)]
    assert len(requests(provider)) == 1


async def until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110 - the jobs are watched from outside
        await asyncio.sleep(0.01)


def test_cancelling_ends_the_jobs_on_their_way(provider: type[Scripted], counted: dict[str, int]) -> None:
    ten_pictures()
    provider.script = [3600.0, answer()]

    async def work() -> None:
        task = asyncio.create_task(check(["fox.ipynb"], concurrency=3))
        await until(lambda: counted["now"] == 3)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(work())
    assert (counted["now"], counted["closed"]) == (0, 3)


def test_cancel_all_ends_the_whole_check(provider: type[Scripted], counted: dict[str, int]) -> None:
    ten_pictures()
    provider.script = [3600.0, answer()]

    async def work() -> None:
        task = asyncio.create_task(check(["fox.ipynb"], concurrency=2))
        await until(lambda: counted["now"] == 2)
        cancel_all()
        with pytest.raises(Stopped):
            await task

    run(work())
    assert counted["closed"] == 2


# Why


def around(**known: Any) -> Record:
    return replace(record(space="local:1"), circumstances=Circumstances(**known))


CAUSES = [
    pytest.param(record(), record(), [], id="nothing"),
    pytest.param(record(), replace(record(), circumstances=Circumstances()), [], id="nothing that is known"),
    pytest.param(around(), record(space="local:2"), ["the local Space's drawing was 1, is 2"], id="the drawing"),
    pytest.param(around(), record(space="hf:a/b"), ["the Space: local:1 -> hf:a/b"], id="another Space"),
    pytest.param(record(model="a"), record(model="b"), ["model: a -> b"], id="the model"),
    pytest.param(
        around(decoder="Pillow 11.0, libwebp 1.4, zlib 1.3", gradio="5.50"),
        around(decoder="Pillow 12.3, libwebp 1.6, zlib 1.3", gradio="6.31"),
        [
            "the Space's Gradio: 5.50 -> 6.31",
            "decoder: Pillow 11.0, libwebp 1.4 -> Pillow 12.3, libwebp 1.6",
        ],
        id="Gradio and the decoder",
    ),
    pytest.param(
        around(decoder="Pillow 11.0, zlib 1.3"), around(decoder="Pillow 11.0"), ["decoder: zlib 1.3 -> less"], id="less"
    ),
    pytest.param(
        around(version="0.1.0", space_commit="abc", weights="a", hardware="T4"),
        around(version="0.2.0", space_commit="def", weights="b", hardware="H200"),
        [
            "the Space's commit: abc -> def",
            "the model's weights: a -> b",
            "the hardware: T4 -> H200",
            "flux_magic: 0.1.0 -> 0.2.0",
        ],
        id="the rest",
    ),
]


@pytest.mark.parametrize(("old", "new", "lines"), CAUSES)
def test_the_likely_cause_is_what_two_records_say_otherwise(old: Record, new: Record, lines: list[str]) -> None:
    assert differences(old, new) == lines


def test_the_likely_cause_of_another_picture_is_told(provider: type[Scripted]) -> None:
    provider.pictures = {ADDRESS: large(colour=255)}
    provider.drawing = "2"
    old = made(large(), version="0.0.1")
    assert of_output(one=old).why == (
        f"the Space: {OWN} -> local:2; model: scripted-1 -> flux_magic stand-in; "
        f"flux_magic: 0.0.1 -> {version('flux-magic')}"
    )
