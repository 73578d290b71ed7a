"""What is taken from the store in place of a Space, and what is not."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flux_magic.client import blocking, client, progress
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.job import Job
from flux_magic.client.target import resolve_target
from flux_magic.errors import InvalidRequest, LocalSpaceError, NotInStore, SpaceError, StoreError
from flux_magic.parameters import settings
from flux_magic.parameters.settings import Settings
from flux_magic.providers import local
from flux_magic.providers.base import Limits, ModelDescription
from flux_magic.providers.http.connection import open_session
from flux_magic.records import embedding, in_hand
from flux_magic.records.store import BESIDE, Store, get_export_path, write
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.types import ImageRequest, Queued, Running
from tests.support.limits import PATIENCE
from tests.unit.samples import encoded
from tests.unit.scripted import ADDRESS, Scripted, answer, installed

OTHER = encoded(colour=99)


@pytest.fixture(autouse=True)
def _own_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Yield a store and a working directory of its own, and nothing in the environment but the store."""
    for name in ("SPACE", "REPLAY"):
        monkeypatch.delenv(f"FLUX_MAGIC_{name}", raising=False)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    settings.configure_by(dict)
    yield
    settings.configure_by(dict)
    blocking.history.clear()


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    return installed(monkeypatch)


def made(prompt: str = "a fox", **options: Any) -> Generation:
    result = asyncio.run(AsyncClient().generate(prompt, **options))
    assert isinstance(result, Generation)
    return result


def asked(provider: type[Scripted]) -> list[ImageRequest]:
    """Return what the Space was asked for."""
    return [request for one in provider.made for request in one.requests]


def test_a_given_seed_is_asked_for_once_and_then_replayed(provider: type[Scripted]) -> None:
    first, second = made(seed=1), made(seed=1)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.data == first.data == encoded()
    assert second.record == first.record
    assert (first.url, second.url) == (ADDRESS, "")
    assert first.path == second.path
    assert len(provider.made) == 1


def test_without_a_seed_every_image_is_a_new_one(provider: type[Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "randrange", lambda _most: 7)
    assert [made().seed, made().seed] == [7, 7]
    assert made(seed=7).replayed, "which seed it was is recorded, so that it can be asked for again"
    assert len(asked(provider)) == 2


def test_a_seed_that_the_space_chose_is_not_replayed(provider: type[Scripted]) -> None:
    request = ImageRequest("a fox", randomize_seed=True)
    provider.script = [answer(seed=5)]

    async def last() -> Any:
        return [event async for event in AsyncClient().stream(request)][-1]

    assert [asyncio.run(last()).replayed for _ in range(2)] == [False, False]
    assert asyncio.run(last()).seed == 5
    provider.script = [answer()]
    assert asyncio.run(last()).seed is None


@pytest.mark.parametrize(
    ("environment", "configured", "option", "replays"),
    [
        pytest.param("", None, {}, True, id="by default"),
        pytest.param("auto", None, {}, True, id="auto"),
        pytest.param("off", None, {}, False, id="off in the environment"),
        pytest.param("auto", "off", {}, False, id="off by %config"),
        pytest.param("off", "auto", {}, True, id="%config is over the environment"),
        pytest.param("off", None, {"replay": "auto"}, True, id="an option is over the environment"),
        pytest.param("", None, {"replay": "off"}, False, id="off by an option"),
        pytest.param("", "only", {"replay": "off"}, False, id="an option is over %config's only"),
        pytest.param("only", "off", {}, True, id="only is over %config"),
        pytest.param("only", "auto", {"replay": "off"}, True, id="only is over an option"),
    ],
)
def test_who_says_whether_to_replay(
    monkeypatch: pytest.MonkeyPatch, environment: str, configured: str | None, option: dict[str, Any], *, replays: bool
) -> None:
    made(seed=1)
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", environment)
    settings.configure_by(lambda: {"replay": configured})
    assert made(seed=1, **option).replayed is replays


def test_fresh_asks_again_and_the_newest_is_replayed_from_then_on(provider: type[Scripted]) -> None:
    client.generate("a fox", seed=1)
    provider.pictures = {ADDRESS: OTHER}
    fresh = client.generate("a fox", seed=1, fresh=True)
    last = client.generate("a fox", seed=1)
    assert isinstance(fresh, Generation)
    assert isinstance(last, Generation)
    assert (fresh.replayed, last.replayed) == (False, True)
    assert fresh.data == last.data == OTHER
    assert len(asked(provider)) == 2


def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"fresh": True}, id="fresh"),
        pytest.param({"space": "c/d"}, id="another Space"),
        pytest.param({"space": "http://127.0.0.1:1"}, id="a loopback URL"),
        pytest.param({"space": "local"}, id="local"),
        pytest.param({"store": False}, id="no store"),
    ],
)
def test_only_never_opens_a_connection_and_names_what_is_not_there(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    nothing_is_opened(monkeypatch)
    with pytest.raises(NotInStore) as caught:
        client.generate("a red fox", seed=7, steps=3, width=1025, height=64, **options)
    assert "'a red fox', seed 7, 3 steps, 1025x64" in caught.value.message
    assert "not in flux_images, nor in the store" in caught.value.message
    assert caught.value.hint == "Run the cell on a machine with a network, then: flux-magic export NOTEBOOK"
    assert provider.made == []
    assert not local.shared.running


def test_only_says_of_a_request_without_a_seed_what_it_lacks(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    with pytest.raises(NotInStore, match=r"^'a fox' has no seed, and with replay = \"only\" no Space is asked\nGive"):
        made()
    assert provider.made == []


def test_only_names_what_is_there_but_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(seed=1)
    assert first.path is not None
    first.path.write_bytes(first.data[:-1])
    with pytest.raises(NotInStore) as caught:
        made(seed=1, replay="only")
    assert caught.value.hint.startswith(f"{first.path.stem}.json is skipped: the image {first.path.name} in the store")
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    with pytest.raises(NotInStore):
        made(seed=1, replay="off")


def test_nothing_overrides_only_not_even_settings_of_ones_own(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    own = replace(Settings(replay="off"), replay="auto")

    async def events() -> list[Any]:
        return [event async for event in AsyncClient().stream(ImageRequest("a fox", seed=1), own)]

    with pytest.raises(NotInStore):
        asyncio.run(events())
    assert provider.made == []


def test_only_asks_no_url_for_an_image_and_no_space_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    nothing_is_opened(monkeypatch)
    with pytest.raises(NotInStore, match='with replay = "only" no URL is asked'):
        client.recall("https://space.example/fox.png")
    assert asyncio.run(AsyncClient().fetch_description(settings.resolve(space="c/d"))) is None


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"proxy": "http://proxy.example:3128"}, id="proxy"),
        pytest.param({"token": "hf_another"}, id="token"),
        pytest.param({"timeout": 9}, id="timeout"),
        pytest.param({"inline": "png"}, id="how it is embedded"),
        pytest.param({"metadata": False}, id="what the file carries"),
        pytest.param({"model": "schnell"}, id="another name of the model"),
        pytest.param({"width": 775, "height": 769}, id="a size that is sent as the same"),
        pytest.param({"space": "https://scripted.example/"}, id="the model's own Space by its URL"),
    ],
)
def test_what_does_not_shape_the_picture_is_replayed(provider: type[Scripted], options: dict[str, Any]) -> None:
    provider.model_aliases = {**provider.model_aliases, "schnell": provider.default_model}
    made(seed=1)
    assert made(seed=1, **options).replayed


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"prompt": "a fox "}, id="prompt"),
        pytest.param({"seed": 2}, id="seed"),
        pytest.param({"steps": 3}, id="steps"),
        pytest.param({"width": 776}, id="width"),
        pytest.param({"height": 760}, id="height"),
        pytest.param({"space": "c/d"}, id="Space"),
        pytest.param({"space": "https://scripted.example/b"}, id="path"),
    ],
)
def test_what_shapes_the_picture_is_asked_for(options: dict[str, Any]) -> None:
    made(seed=1)
    assert not made(**{"seed": 1, **options}).replayed


def test_a_replayed_record_says_what_was_asked_for_this_time() -> None:
    first = made(seed=1, width=1024)
    request = ImageRequest("a fox", "", 1031, 768, 2, 1, typed="a {animal}")

    async def last() -> Any:
        return [event async for event in AsyncClient().stream(request)][-1]

    second = asyncio.run(last())
    assert second.replayed
    assert second.request is request
    assert second.record == replace(
        first.record,
        requested_prompt="a {animal}",
        requested_model="",
        requested_width=1031,
        requested_seed=1,
    )
    assert "1031x768" in second.command()


def compared(generation: Generation) -> list[dict[str, str]]:
    """Return what a comparison of notebooks sees."""
    return [output.data for output in generation.build_outputs()]


def test_a_replayed_image_is_shown_as_the_first_one_was() -> None:
    first, second = made(seed=1), made(seed=1)
    assert compared(first) == compared(second)
    shown, again = (one.build_outputs()[0].metadata for one in (first, second))
    assert "replayed" not in shown["flux_magic"]
    assert again["flux_magic"].pop("replayed") is True
    assert again == shown


def test_a_link_is_embedded_once_its_address_is_not_known_any_more() -> None:
    first, second = made(seed=1, inline="link"), made(seed=1, inline="link")
    assert set(first.build_outputs()[0].data) == {"text/html", "text/plain"}
    assert set(second.build_outputs()[0].data) == {"image/png", "text/plain"}


def test_without_a_store_nothing_is_kept_and_nothing_replayed(provider: type[Scripted], tmp_path: Path) -> None:
    first, second = made(seed=1, store=False), made(seed=1, store=False)
    assert not second.replayed
    assert first.path is None
    assert first.data == encoded()
    assert list(tmp_path.iterdir()) == []
    assert len(asked(provider)) == 2


def test_without_a_store_what_is_beside_the_notebook_is_replayed(provider: type[Scripted]) -> None:
    first = made(seed=1, store=False)
    inside, _ = embedding.embed_record(first.data, first.record, 0)
    write(get_export_path(BESIDE, first.record), first.record, [inside])
    second = made(seed=1, store=False)
    assert second.replayed
    assert second.data == first.data
    assert len(asked(provider)) == 1


@pytest.mark.parametrize("kind", [str, Path], ids=["text", "path"])
def test_the_store_may_be_any_folder(tmp_path: Path, kind: type[Any]) -> None:
    first = made(seed=1, store=kind(tmp_path / "another"))
    assert first.path is not None
    assert first.path.is_relative_to(tmp_path / "another")


def test_the_users_own_store_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FLUX_MAGIC_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for own in (None, True):
        assert settings.get_store_folder(Settings(store=own)) == tmp_path / "data" / "flux_magic" / "store"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings.get_store_folder(Settings(store="~/x")) == tmp_path / "x"
    assert settings.get_store_folder(Settings(store=False)) is None


@pytest.mark.parametrize("off", ["off", "OFF", "false", "no", "0"])
def test_the_environment_turns_the_store_off(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", off)
    assert settings.resolve().store is False


def test_a_store_in_a_home_that_is_not_known_is_a_mistake() -> None:
    with pytest.raises(InvalidRequest, match="store is '~nobody_here_7/x': no such home is known"):
        made(seed=1, store="~nobody_here_7/x")
    with pytest.raises(InvalidRequest, match="store is 3: give a folder, or False to keep nothing"):
        made(seed=1, store=3)


class Delivered(bytes):
    """Bytes that tell when they are gone."""

    gone: ClassVar[list[int]] = []

    def __del__(self) -> None:
        self.gone.append(len(self))


def test_with_a_store_no_bytes_are_held(provider: type[Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(_provider: Scripted, _url: str) -> bytes:
        return Delivered(encoded(size=(256, 256)))

    monkeypatch.setattr(provider, "fetch", fetch)
    held = made(seed=1, store=False)
    first, second = made(seed=1), made(seed=1)
    gc.collect()
    assert Delivered.gone == [len(held.data)]
    for one in (first, second):
        assert isinstance(one.files[0].source, Path)
        assert one.data == held.data


def test_an_image_whose_file_is_gone_says_so_and_what_to_do() -> None:
    first = made(seed=1)
    assert first.path is not None
    first.path.unlink()
    assert first.build_outputs()[0].data["image/png"], "what was made is shown"
    in_hand.drop(first.path)  # as if others had been made since
    for ask in (lambda: first.data, lambda: first.images, first.build_outputs, lambda: first.save("fox.png")):
        with pytest.raises(
            StoreError, match=r"^the image .*\.png is not in the store any more: No such file"
        ) as caught:
            ask()
        assert caught.value.hint == "The cell makes it again, with --fresh."
    assert repr(first).startswith("<flux 8×6 seed=1")


def test_an_image_that_is_damaged_is_asked_for_again_and_that_is_noted(
    provider: type[Scripted], capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(seed=1)
    assert first.path is not None
    first.path.write_bytes(b"")
    second = client.generate("a fox", seed=1)
    assert isinstance(second, Generation)
    assert not second.replayed
    assert second.note.startswith(f"{first.path.stem}.json is skipped: ")
    assert capsys.readouterr().err == f"note: {second.note}\n"
    assert len(asked(provider)) == 2
    assert made(seed=1).replayed
    assert first.path.read_bytes() == b""


def test_of_several_images_those_in_the_store_are_replayed(provider: type[Scripted]) -> None:
    for seed in (43, 45):
        made(seed=seed)
    provider.made.clear()
    several = asyncio.run(AsyncClient().generate("a fox", seed=42, count=4))
    assert isinstance(several, Generations)
    assert [one.seed for one in several] == [42, 43, 44, 45]
    assert [one.replayed for one in several] == [False, True, False, True]
    assert [request.seed for request in asked(provider)] == [42, 44]


def test_it_is_said_once_for_a_moment_and_not_where_quiet_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "show_moment", said.append)
    client.generate("a fox", seed=1, count=3)
    assert said == []
    client.generate("a fox", seed=1, count=3)
    assert said == ["from the store; --fresh asks the Space"]
    client.generate("a fox", seed=1, count=3, quiet=True)
    assert len(said) == 1


def put_a_drawing(version: str, **options: Any) -> Generation:
    """Return what a local Space of this version of the drawing gave."""
    asker = AsyncClient(space="http://127.0.0.1:1")
    result = asyncio.run(asker.generate("a fox", seed=1, **options))
    assert isinstance(result, Generation)
    assert result.record.space == f"local:{version}"
    return result


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the bundled Space is not to be started."""

    async def started(_space: local.LocalSpace) -> str:
        raise LocalSpaceError("it was started")

    monkeypatch.setattr(local.LocalSpace, "get_address", started)


@pytest.mark.usefixtures("at_rest")
def test_the_local_space_is_not_started_for_what_its_drawing_made_before(provider: type[Scripted]) -> None:
    provider.drawing = local.read_drawing()
    first = put_a_drawing(provider.drawing)
    provider.made.clear()
    second = made(seed=1, space="local")
    assert second.replayed
    assert second.record == first.record
    assert made(seed=1, space="local", replay="only").replayed
    assert provider.made == []


@pytest.mark.usefixtures("at_rest")
def test_another_version_of_the_drawing_is_another_image(provider: type[Scripted]) -> None:
    provider.drawing = "0"
    put_a_drawing("0")
    with pytest.raises(LocalSpaceError, match="it was started"):
        made(seed=1, space="local")
    with pytest.raises(NotInStore):
        made(seed=1, space="local", replay="only")


def test_the_version_of_the_drawing_is_read_from_its_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert local.read_drawing().isdecimal()
    monkeypatch.setattr(local, "DRAWING", tmp_path / "space_drawing.py")
    local.DRAWING.write_text("x = 1\nDRAWING = 17\n")
    assert local.read_drawing() == "17"
    local.DRAWING.write_text("")
    assert local.read_drawing() == ""


def test_a_space_on_this_machine_is_asked_what_it_draws_and_its_port_is_no_matter(provider: type[Scripted]) -> None:
    provider.drawing = "3"
    put_a_drawing("3")
    for space in ("http://127.0.0.1:2", "http://localhost:3", "http://[::1]:4/"):
        assert made(seed=1, space=space).replayed
    assert len(asked(provider)) == 1
    assert not made(seed=1, space="http://drawn.example").replayed


def test_a_space_on_this_machine_that_is_no_stand_in_is_known_by_its_address(provider: type[Scripted]) -> None:
    made(seed=1, space="http://127.0.0.1:1/a")
    assert made(seed=1, space="http://127.0.0.1:1/a/").replayed
    assert not made(seed=1, space="http://127.0.0.1:2/a").replayed
    assert len(asked(provider)) == 2


def test_with_only_nobody_is_asked_whether_he_is_a_stand_in(provider: type[Scripted]) -> None:
    provider.drawing = local.read_drawing()
    put_a_drawing(local.read_drawing())
    provider.made.clear()
    assert made(seed=1, space="http://127.0.0.1:9", replay="only").replayed
    assert provider.made == []


def test_a_space_that_does_not_say_what_it_is_tells_its_trouble_as_it_is_asked(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_provider: Scripted, _model: str = "") -> ModelDescription:
        raise SpaceError("the Space says: nothing")

    monkeypatch.setattr(provider, "describe", silent)
    provider.script = [Running(), SpaceError("the Space says: no")]
    with pytest.raises(SpaceError, match="the Space says: no"):
        made(seed=1, space="http://127.0.0.1:1")


def test_how_long_it_stood_in_the_queue_is_recorded(provider: type[Scripted]) -> None:
    provider.script = [Queued(2), 0.02, Queued(1), Running(), 0.02, Running(), answer()]
    around = made(seed=1).record.circumstances
    assert around.queued is not None
    assert around.seconds is not None
    assert 0.02 <= around.queued <= around.seconds
    provider.script = [Running(), answer()]
    assert made(seed=2).record.circumstances.queued is None


def test_jobs_of_several_pictures_are_replayed_whole(provider: type[Scripted], tmp_path: Path) -> None:
    provider.script = [answer("http://h/a", "http://h/b")]
    provider.pictures = {"http://h/a": encoded("webp"), "http://h/b": OTHER}
    first, second = made(seed=1), made(seed=1)
    assert second.replayed
    assert [file.data for file in second.files] == [file.data for file in first.files] == [encoded("webp"), OTHER]
    assert len(list(Store(tmp_path / "store"))) == 1


def test_with_the_environments_only_no_connection_is_opened_by_anyone(monkeypatch: pytest.MonkeyPatch) -> None:
    from flux_magic.providers import BlackForestLabs_Flux1Schnell

    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")

    async def original() -> object:
        return await anext(BlackForestLabs_Flux1Schnell.create_async_generator("flux", [], prompt="a fox"))

    with pytest.raises(NotInStore, match=r"FLUX_MAGIC_REPLAY=only: nothing is asked of black-forest-labs"):
        asyncio.run(original())


def test_a_shared_store_is_read_before_ones_own_and_never_written_to(
    provider: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers = made(seed=1, store=tmp_path / "class")
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "class").rglob("*"))
    monkeypatch.setenv("FLUX_MAGIC_SHARED_STORE", str(tmp_path / "class"))
    pupils, other = made(seed=1, store=tmp_path / "own"), made(seed=2, store=tmp_path / "own")
    assert (pupils.replayed, other.replayed) == (True, False)
    assert pupils.path == teachers.path
    assert other.path is not None
    assert other.path.is_relative_to(tmp_path / "own")
    assert len(asked(provider)) == 2
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "class").rglob("*")) == before


def test_a_shared_store_that_is_not_there_is_said_in_one_line_without_its_path(
    provider: type[Scripted], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    first = made(seed=1, shared_store=gone)
    assert first.note == "the shared store cannot be read: No such file or directory"
    with pytest.raises(NotInStore) as caught:
        made(seed=2, shared_store=gone, replay="only")
    assert caught.value.hint == first.note
    assert len(asked(provider)) == 1


def test_who_has_no_home_is_told_that_nothing_is_kept(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    monkeypatch.delenv("FLUX_MAGIC_STORE")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: Path("~/.local/share"))
    first = made(seed=1)
    assert first.path is None
    assert first.note == "not kept, since no home is known to keep it in: FLUX_MAGIC_STORE names a folder"
    assert made(seed=1, store=False).note == ""
    assert len(asked(provider)) == 2


async def made_on(disk: float, **options: Any) -> Generation:
    """Return a generation, where the store's disk has this many seconds."""
    settings_ = settings.resolve(width=256, height=256, **options)
    async with open_session() as session:
        request = ImageRequest("a fox", "", 256, 256, 2, 1)
        job = Job(request, resolve_target(settings_, ""), session, Limits(disk=disk))
        *_, generation = [event async for event in job.stream()]
    assert isinstance(generation, Generation)
    return generation


def test_an_image_does_not_wait_for_a_slow_disk_and_is_kept_all_the_same(
    provider: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, fsync = threading.Event(), os.fsync

    def slowly(handle: int) -> None:
        may_go_on.wait(PATIENCE)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", slowly)

    async def shown_first() -> Generation:
        first = await made_on(disk=0.05, store=tmp_path)
        assert list(Store(tmp_path, None)) == []
        may_go_on.set()
        return first

    first = asyncio.run(shown_first())  # the end of a loop waits for its threads
    assert first.note == "the disk of the store is slow: the image is being kept while you go on"
    assert (first.path, first.data) == (None, encoded())
    [kept] = Store(tmp_path, None)
    assert kept.record == first.record
    assert asyncio.run(made_on(disk=5, store=tmp_path)).replayed
    assert len(asked(provider)) == 1
