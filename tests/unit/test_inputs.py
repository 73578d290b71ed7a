"""Edits from end to end on a scripted provider: what can go in, what is kept of it, and how it is found again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flux_magic
from flux_magic.client import blocking
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.target import resolve_target
from flux_magic.errors import FluxError, InvalidArgument, InvalidRequest, NotInStore, ProtocolError, StoreError
from flux_magic.images import codecs
from flux_magic.images.inputs import read_input
from flux_magic.jupyter import cell
from flux_magic.parameters import settings
from flux_magic.providers.base import Prepared
from flux_magic.records import inputs
from flux_magic.records.record import build_request, compute_key, parse_record
from flux_magic.records.store import BESIDE, Store
from flux_magic.results import history
from flux_magic.results.generation import Generation
from flux_magic.types import InputImage, Record
from flux_magic.verify import check_static
from flux_magic.verify.export import export
from flux_magic.verify.report import report_html
from tests.unit.samples import digest_of, drawing, encoded
from tests.unit.scripted import Painter, painting

MINE = np.asarray(drawing(colour=200))
"""An image that no model made."""

HERS = digest_of(drawing(colour=200))


@pytest.fixture(autouse=True)
def painter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Painter]]:
    """Yield a painter that colours by the seed, with a store and a folder of its own."""
    for name in ("SPACE", "REPLAY", "SHARED_STORE"):
        monkeypatch.delenv(f"FLUX_MAGIC_{name}", raising=False)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.chdir(tmp_path)
    settings.configure_by(dict)
    yield painting(monkeypatch)
    blocking.history.clear()


def made(prompt: str, seed: int, **options: Any) -> Generation:
    generation: Generation = flux_magic.generate(prompt, seed=seed, quiet=True, **options)
    return generation


def read(text: str, **names: object) -> cell.Cell:
    """Read a cell, as it is typed."""
    line, _, body = text.partition("\n")
    return cell.read(line.removeprefix("%%flux").strip(), body or "make it winter", names)


def went_in(text: str, **names: object) -> tuple[InputImage, ...]:
    images = read(text, **names).images
    return (images if isinstance(images, list) else images.requests)[0].images


def run(text: str) -> Generation:
    asked = read(text)
    assert isinstance(asked.images, list)
    (generation,) = blocking.iterate_generations(asked.images, asked.settings, quiet=True)
    return generation


def listed(folder: Path) -> list[str]:
    """Return the images that are kept because they went in, by the first digits of their digests."""
    return sorted(path.name[:12] for path in (folder / inputs.FOLDER).rglob("*.*"))


@contextmanager
def served(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Provide the address of a server of images, and the headers that it got."""
    headers: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers.append(str(self.headers))
            leads = self.path == "/leads"
            self.send_response(302 if leads else 200)
            self.send_header(*("Location", "http://10.0.0.1/fox.png") if leads else ("Content-Length", str(len(data))))
            self.end_headers()
            if not leads:
                self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", headers
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_whatever_a_person_has_goes_in(tmp_path: Path) -> None:
    fox, foxes = made("a red fox", 42), flux_magic.sweep("a fox", seed=[1, 2], quiet=True)
    saved, stranger = fox.save("saved.png")[0], tmp_path / "my photo.png"
    stranger.write_bytes(encoded(colour=200))
    of = compute_key(fox.record)
    known = (fox.digest, of, '"a red fox", seed 42')
    for word, names, expected in (
        ("fox", {"fox": fox}, known),
        ("foxes[1]", {"foxes": foxes}, (foxes[1].digest, compute_key(foxes[1].record), '"a fox", seed 2')),
        ("foxes[-1]", {"foxes": [MINE, fox]}, known),
        ("one", {"one": flux_magic.load_image(fox)}, known),
        ("saved.png", {}, known),
        ("there", {"there": saved}, known),
        ("read", {"read": saved.read_bytes()}, known),
        (f"sha256:{fox.digest}", {}, known),
        (f"SHA256:{fox.digest[:12]}", {}, known),
        (fox.digest[:16], {}, known),
        ("file", {"file": fox.files[0]}, (fox.digest, "", "")),
        ("image", {"image": fox.image}, (fox.digest, "", "")),
        ("array", {"array": np.asarray(fox.image)}, (fox.digest, "", "")),
        ("view", {"view": memoryview(encoded(colour=200))}, (HERS, "", "")),
        ('"my photo.png"', {}, (HERS, "", "")),
        (str(stranger).replace(" ", "?"), {}, None),
    ):
        if expected is None:
            with pytest.raises(InvalidRequest, match="there is no such file"):
                went_in(f"%%flux --image {word}", **names)
            continue
        (one,) = went_in(f"%%flux --image {word}", **names)
        assert (one.record.digest, one.record.of, one.origin) == expected, word
    both = went_in("%%flux --image fox --image mine --mask mask", fox=fox, mine=MINE, mask=Image.new("1", (8, 6)))
    assert [(one.role, one.record.digest) for one in both][:2] == [("image", fox.digest), ("image", HERS)]
    assert both[2].role == "mask"


def test_a_url_is_asked_without_a_token_and_does_not_lead_into_ones_own_network() -> None:
    with served(encoded(colour=200)) as (address, headers):
        assert went_in(f"%%flux --image {address}/fox.png")[0].record.digest == HERS
        assert flux_magic.load_image(f"{address}/fox.png").record.digest == HERS
        assert made("x", 1, image=f"{address}/fox.png").record.images[0].digest == HERS
        asked = len(headers)
        with pytest.raises(ProtocolError, match="an address of your own network"):
            went_in(f"%%flux --image {address}/leads")
        dry = read(f"%%flux --dry-run --image {address}/fox.png")
        with pytest.raises(NotInStore, match="no URL is asked"):
            made("x", 1, image=f"{address}/fox.png", replay="only")
    assert (asked, len(headers)) == (3, 4)
    assert "hf_" not in str(headers)
    assert any("a dry run does not ask for the image" in note for note in dry.notes)


@pytest.mark.parametrize(
    ("word", "names", "said"),
    [
        pytest.param(
            "--image hen", {}, "--image hen: there is no hen in this notebook, and no such file", id="no name"
        ),
        pytest.param("--image hen.png", {}, "image is 'hen.png': there is no such file", id="no file"),
        pytest.param("--image n", {"n": 4}, "--image n: n is a int, no image: give an image of", id="a number"),
        pytest.param("--image p", {"p": "hf_secret.png"}, "or p = Path(p)", id="a string"),
        pytest.param(
            "--image a", {"a": [MINE, MINE]}, "a has 2 images: give one of them, as in --image a[0]", id="two"
        ),
        pytest.param("--image a[2]", {"a": [MINE]}, "--image a[2]: there is 1 image, counted from 0", id="beyond"),
        pytest.param("--image a[0]", {"a": drawing()}, "a is one Image: leave [0] out", id="no list"),
        pytest.param("--image a", {"a": b"hello"}, "the image is plain text, not PNG", id="bytes"),
        pytest.param("--image sha256:12", {}, "no digest of an image: give 12 to 64 digits", id="few digits"),
        pytest.param("--image sha256:1234567890ab", {}, "neither in flux_images nor in the store", id="unknown"),
        pytest.param("--image .", {}, "image is '.': it is a folder, not a file", id="a folder"),
        pytest.param("--image ~nobody-here/x.png", {}, "no such home", id="no home"),
        pytest.param("--mask m", {"m": MINE}, "a mask says where an image may change: give the image", id="mask alone"),
        pytest.param(
            "--image m --mask small",
            {"m": MINE, "small": Image.new("L", (4, 4))},
            "the mask has 4×4 pixels, and the image 8×6",
            id="size",
        ),
        pytest.param("--image", {}, "--image needs a value, for example --image fox", id="nothing"),
        pytest.param("--set image=fox.png", {}, "image is no parameter of a model", id="as a parameter"),
    ],
)
def test_what_cannot_go_in_is_one_line_before_anything_is_sent(
    painter: type[Painter], word: str, names: dict[str, object], said: str
) -> None:
    with pytest.raises(FluxError) as caught:
        read(f"%%flux {word}", **names)
    assert said in str(caught.value)
    assert "hf_secret" not in str(caught.value)
    assert painter.made == []


def test_python_takes_the_same_and_loads_it_before_anything_is_sent(painter: type[Painter]) -> None:
    for options, kind, said in (
        ({"image": object()}, InvalidArgument, "image is <object object"),
        ({"image": [MINE], "mask": [MINE, MINE]}, InvalidRequest, "mask has 2 images: give one"),
        ({"image": flux_magic.sweep("a", seed=[1, 2], store=False, quiet=True)}, InvalidRequest, r"as in foxes\[0\]"),
        ({"image": ""}, InvalidRequest, "image is empty"),
        ({"parameters": {"image": "x"}}, InvalidRequest, "parameters has image"),
    ):
        painter.made.clear()
        with pytest.raises(kind, match=said):
            made("x", 1, **options)
        assert painter.made == []
    with pytest.raises(InvalidRequest, match="role is 'hat': choose one of image, mask"):
        flux_magic.load_image(MINE, role="hat")


def test_a_model_that_takes_no_image_says_so_before_anything_is_asked(
    painter: type[Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(request: flux_magic.ImageRequest) -> Prepared:
        if request.images:
            raise InvalidRequest("scripted-1 takes no images: choose a model that edits (--model)")
        return Prepared("", {})

    fox = made("a red fox", 42)
    monkeypatch.setattr(painter, "prepare", prepare)
    painter.made.clear()
    with pytest.raises(InvalidRequest, match="choose a model that edits"):
        fox.edit("make it winter", seed=1, quiet=True)
    assert painter.made == []


def test_every_call_takes_what_goes_in_and_a_sweep_loads_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fox = made("a red fox", 42)
    loads: list[bytes] = []

    def load(data: bytes, *given: Any, **known: Any) -> InputImage:
        loads.append(data)
        return read_input(data, *given, **known)

    monkeypatch.setattr("flux_magic.client.inputs.read_input", load)
    swept = flux_magic.sweep("{what}", what=["winter", "night"], steps=[1, 2], seed=3, image=fox, quiet=True)
    assert (len(swept), len(loads)) == (4, 1)
    table = swept.build_outputs()[1].data
    assert f'image    8×6 sha256:{fox.digest[:12]} (of "a red fox", seed 42)\n' in table["text/plain"]
    assert table["text/html"].count("<img ") == 1
    own = flux_magic.ImageRequest("x", seed=9, images=[flux_magic.load_image(MINE)])
    many = list(flux_magic.generate_many([flux_magic.ImageRequest("y", seed=8), own], image=fox, concurrency=1))

    async def alike() -> list[Generation]:
        async with AsyncClient() as client:
            one = await client.generate("a", seed=1, image=fox)
            handle = await client.submit("b", seed=2, image=fox)
            several = await client.sweep("c", seed=[3, 4], image=fox)
            rest = [image async for image in client.generate_many([flux_magic.ImageRequest("d", seed=5)], image=fox)]
            return [one, handle, *several, *rest]

    here = [fox.edit("e", seed=6, quiet=True), *fox.edit("f", seed=7, count=2, quiet=True)]
    here.append(flux_magic.submit("g", seed=9, image=fox).result())
    every = [*swept, *many, *here, *asyncio.run(alike())]
    digests = [one.record.images[0].digest for one in every]
    assert digests.count(fox.digest) == len(every) - 1
    assert next(one for one in every if one.seed == 9).record.images[0].digest == HERS
    with pytest.raises(InvalidArgument, match="takes this image"):
        fox.edit("x", image=fox)  # type: ignore[call-overload]


def test_an_edit_is_recorded_shown_and_made_again_by_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    fox = made("a red fox", 42)
    edit = fox.edit("make it winter", seed=1, quiet=True)
    mine = made("mine", 2, image=[MINE, fox], mask=Image.new("L", (8, 6), 255))
    assert parse_record(json.loads(json.dumps(edit.record.as_dict()))) == edit.record
    assert edit.record.as_dict()["schema"] == 2
    assert edit.command().split("\n")[0].endswith(f"--image sha256:{fox.digest[:12]}")
    assert re.search(r"--image sha256:\S{12} --image sha256:\S{12} --mask sha256:\S{12}\n", mine.command())
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    for one in (edit, mine):
        again = run(one.command())
        assert (again.replayed, again.record.images) == (True, one.record.images)
    assert made("make it winter", 1, image=fox).replayed
    assert fox.edit("make it winter", seed=1, quiet=True).replayed
    with pytest.raises(NotInStore):
        made("make it winter", 1)
    shown = [one.build_outputs()[-1].data for one in (edit, mine, run(edit.command()))]
    line = f'image   8×6 sha256:{fox.digest[:12]} (of "a red fox", seed 42)\n'
    assert [line in one["text/plain"] for one in shown] == [True, False, True]
    assert [one["text/html"].count('<img src="data:image/jpeg;base64,') for one in shown] == [1, 3, 1]
    assert 'alt="the image that went in: &quot;a red fox&quot;, seed 42"' in shown[0]["text/html"]
    assert [line.split()[0] for line in shown[1]["text/plain"].split("\n")[1:4]] == ["image", "image", "mask"]


def test_an_edit_goes_to_the_space_that_made_the_image_unless_it_was_recalled() -> None:
    there = made("a fox", 1, space="a/b")
    asked = [there.edit("x", seed=2, quiet=True), replace(there, replayed=True).edit("x", seed=3, quiet=True)]
    asked.append(there.edit("x", seed=4, quiet=True, space="c/d"))
    assert [one.record.requested_space for one in asked] == ["a/b", None, "c/d"]


def test_an_edit_of_the_local_space_has_the_size_of_what_goes_in() -> None:
    target = resolve_target(settings.resolve(space="local"), "flux")
    plain = flux_magic.ImageRequest("x", "flux", seed=1)
    edit = replace(plain, images=(flux_magic.load_image(MINE),))
    filled = [target.fill_stand_in(one) for one in (plain, edit)]
    assert [(one.steps, one.width, one.height) for one in filled] == [(2, 768, 768), (2, None, None)]


def test_a_note_of_what_was_converted_is_recorded_and_shown() -> None:
    one = made("x", 1, image=drawing("RGBA"))
    assert one.record.images[0].note == "alpha laid on white"
    assert "; alpha laid on white\n" in one.build_outputs()[-1].data["text/plain"]


def test_the_store_keeps_what_goes_in_once_and_no_job_s_image_twice(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fox = made("a red fox", 42)
    edits = [fox.edit("winter", seed=1, quiet=True), made("a", 2, image=MINE), made("b", 3, image=drawing(colour=200))]
    assert listed(store) == [HERS[:12]]
    kept = Store(store, None)
    found = [kept.find_input(one) for one in (HERS, HERS[:12], fox.digest, f"sha256:{fox.digest}", "0" * 12)]
    assert [one and one.digest for one in found] == [HERS, HERS, fox.digest, fox.digest, None]
    assert [one and bool(one.record) for one in found] == [False, False, True, True, None]

    history.delete(settings.resolve(), fox.digest)  # its image went into an edit
    assert listed(store) == sorted([HERS[:12], fox.digest[:12]])
    assert run(edits[0].command()).replayed
    history.delete(settings.resolve(), edits[1].digest)
    assert HERS[:12] in listed(store)  # another edit has it
    history.delete(settings.resolve(), edits[2].digest)
    assert listed(store) == [fox.digest[:12]]
    history.delete(settings.resolve(), edits[0].digest)
    assert listed(store) == []


def test_an_image_of_several_is_found_by_its_digest(tmp_path: Path) -> None:
    first = made("a", 1)
    second = replace(first.record, files=(first.record.files[0], codecs.describe(encoded(colour=7))), prompt="two")
    Store(tmp_path / "store", None).put(second, [first.data, encoded(colour=7)])
    (one,) = went_in(f"%%flux --image sha256:{second.files[1].digest}")
    assert (one.record.digest, one.origin) == (second.files[1].digest, '"two", seed 1')


@pytest.mark.parametrize("how", ["damaged", "gone", "a pipe", "a link out"])
def test_what_is_kept_is_not_believed(how: str, tmp_path: Path) -> None:
    edit = made("x", 1, image=MINE)
    (path,) = (tmp_path / "store" / inputs.FOLDER).rglob("*.png")
    path.unlink()
    if how == "damaged":
        path.write_bytes(encoded(colour=9))
    elif how == "a pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no pipes")
        os.mkfifo(path)
    elif how == "a link out":
        (tmp_path / "mine.png").write_bytes(encoded(colour=200))
        path.symlink_to(tmp_path / "mine.png")
    with pytest.raises(NotInStore if how == "gone" else StoreError) as caught:
        run(edit.command())
    if how == "gone":
        assert "%%flux --steps 2 --seed 1 --image PATH" in str(caught.value)


def saved_notebook(path: Path, *images: Generation) -> Path:
    def convert(one: Generation) -> dict[str, Any]:
        outputs = [
            {"output_type": "display_data", "data": out.data, "metadata": out.metadata} for out in one.build_outputs()
        ]
        return {"cell_type": "code", "source": "x", "metadata": {}, "execution_count": 1, "outputs": outputs}

    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"cells": list(map(convert, images)), "nbformat": 4, "nbformat_minor": 5, "metadata": {}})
    )
    return path


def test_an_export_takes_along_what_went_in_and_both_checks_find_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = made("make it winter", 1, image=MINE)
    night = mine.edit("at night", seed=3, quiet=True)
    lone = made("of a fox", 5, image=made("a red fox", 42))
    notebook = saved_notebook(tmp_path / "paper" / "x.ipynb", mine, night, lone)
    assert export(notebook).whole
    folder = notebook.parent / BESIDE
    fox = lone.record.images[0].digest
    assert listed(folder) == sorted([HERS[:12], fox[:12]])
    assert export(notebook).there == 3

    shutil.rmtree(tmp_path / "store")
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "other"))
    static, live = check_static(notebook), flux_magic.verify(notebook)
    assert (static.passed, live.passed) == (True, True)
    assert len(check_static(folder).verdicts) == 3  # what only went in has no record to check
    named = [f"made from sha256:{one[:12]}" for one in (HERS, mine.digest, fox)]
    assert [one.why for one in static.verdicts] == named
    assert report_html(live).count("the image that went in") == 3
    monkeypatch.chdir(notebook.parent)
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    assert [run(one.command()).replayed for one in (mine, night, lone)] == [True] * 3
    assert made("make it winter", 1, image=MINE).replayed

    monkeypatch.delenv("FLUX_MAGIC_REPLAY")
    (path,) = (one for one in (folder / inputs.FOLDER).rglob("*.png") if one.name.startswith(HERS))
    path.write_bytes(encoded(colour=9))
    assert check_static(notebook).verdicts[0].why == f"made from sha256:{HERS[:12]}, which is damaged here"
    path.unlink()
    static, live = check_static(notebook), flux_magic.verify(notebook)
    assert static.verdicts[0].why == f"made from sha256:{HERS[:12]}, which is not here"
    assert [one.status.value for one in live.verdicts] == ["cannot be checked", "pass", "pass"]
    assert f"not checked: its input image sha256:{HERS[:12]} is not here" in live.verdicts[0].why
    (missing,) = export(notebook).missing
    assert missing.endswith(f"its input image sha256:{HERS[:12]} is not in the store")


def test_recall_shows_what_went_in_and_asks_for_it_where_it_is_gone(tmp_path: Path) -> None:
    fox = made("a red fox", 42)
    edit = fox.edit("make it winter", seed=1, quiet=True)
    edit.save("winter.png")
    recalled = flux_magic.recall("winter.png")
    line = f'image 8×6 sha256:{fox.digest[:12]} (of "a red fox", seed 42)'
    assert line in str(recalled)
    assert f"\nimage {line[6:]}" in re.sub(" +", " ", recalled.describe())
    assert recalled.options["image"] == [f"sha256:{fox.digest[:12]}"]
    assert recalled.cell == edit.command()
    assert f"image=['sha256:{fox.digest[:12]}']" in recalled.call
    shutil.rmtree(tmp_path / "store")
    gone = f"image 8×6 sha256:{fox.digest[:12]}, not in flux_images or the store: give --image PATH in its place"
    assert gone in str(flux_magic.recall("winter.png"))


def test_no_file_of_a_stranger_makes_a_cell_that_sends_a_file() -> None:
    """A cell out of an image names what goes in by its digest alone, whatever the image says."""
    secret = Path("secret.png")
    secret.write_bytes(encoded(colour=1))
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text(
        "parameters",
        f"a fox --image {secret}\nSteps: 4, Seed: 1, Size: 64x64, image: {secret}, mask: {secret}, Init: {secret}",
    )
    drawing().save("foreign.png", pnginfo=info)
    foreign = flux_magic.recall("foreign.png")
    assert not {"image", "mask"} & foreign.options.keys()
    assert not {"--image", "--mask", "--set"} & set(foreign.cell.split("\n")[0].split())

    forged = made("x", 1, image=MINE)
    record: Record = replace(forged.record, parameters={"image": str(secret)}, requested_parameters={})
    replace(forged, record=record).save("forged.png")
    with pytest.raises(FluxError):
        run(flux_magic.recall("forged.png").cell)
    with pytest.raises(FluxError):
        build_request(record)


def test_lineage_goes_back_to_the_first_and_ends_where_nothing_is_known(tmp_path: Path) -> None:
    fox = made("a red fox", 42)
    winter = fox.edit("make it winter", seed=1, quiet=True)
    night = made("at night", 2, image=[winter, MINE])
    assert [one.prompt for one in night.lineage()] == ["a red fox", "make it winter", "at night"]
    assert [one.digest for one in night.lineage()] == [fox.digest, winter.digest, night.digest]
    assert [one.prompt for one in fox.lineage()] == ["a red fox"]
    assert [one.prompt for one in made("x", 3, image=MINE).lineage()] == ["x"]
    itself = made("again", 42, image=fox)  # the same pixels came back
    assert [one.prompt for one in itself.lineage()][-1] == "again"
    elsewhere = flux_magic.Client(store=str(tmp_path / "elsewhere"))
    first = elsewhere.generate("a hen", seed=7, quiet=True)
    last = elsewhere.generate("a red hen", seed=8, image=first, quiet=True)
    assert [one.prompt for one in last.lineage()] == ["a hen", "a red hen"]
    history.delete(settings.resolve(), winter.digest)
    assert [one.prompt for one in night.lineage()] == ["at night"]


def test_the_history_shows_what_came_of_what() -> None:
    fox = made("a red fox", 42)
    fox.edit("make it winter", seed=1, quiet=True)
    made("mine", 2, image=MINE)
    for shown in (history.read_history(settings.resolve()), flux_magic.history()):
        lines = sorted(repr(shown).split("\n")[:3], key=lambda line: line.split(">")[1])
        assert [line.partition(" <- ")[2] for line in lines] == [
            "",
            f'sha256:{fox.digest[:12]} "a red fox", seed 42',
            f"sha256:{HERS[:12]}",
        ]
        page = shown._repr_html_()
        assert page.count("<img ") == 5
        assert page.index('alt="the image that went in: &quot;a red fox&quot;') < page.index('alt="make it winter"')


def test_a_table_has_a_column_of_what_went_in_if_any_has() -> None:
    pytest.importorskip("pandas")
    fox = made("a red fox", 42)
    plain = flux_magic.Generations([fox]).to_pandas()
    table = flux_magic.Generations(
        [fox, fox.edit("x", seed=1, quiet=True), made("y", 2, image=[MINE, fox])]
    ).to_pandas()
    assert "image" not in plain.columns
    assert table.columns[-1] == "image"
    assert table["image"].astype(object).where(table["image"].notna(), None).tolist() == [
        None,
        fox.digest,
        f"{HERS} {fox.digest}",
    ]
