"""A hundred images of a real Space, of which 25 were altered: what each is called, and how often the Space is asked."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import FluxError
from flux_magic.images import codecs
from flux_magic.providers import local
from flux_magic.providers.local import LocalSpace
from flux_magic.providers.stand_in.space_drawing import draw
from flux_magic.records import embedding as keepsake
from flux_magic.results.generation import Generation, ImageFile
from flux_magic.verify import Grade, Outcome, Report, Status, add_arguments, check, check_static, main
from tests.support.hostile import run_hostile
from tests.support.space import PYTHON, run
from tests.unit.test_verify import (
    cell,
    edited,
    embedded,
    embedding,
    one_pixel_changed,
    put,
    reencoded,
    saying,
    shown,
    through,
    told,
    with_texts_of,
    written,
)

pytestmark = pytest.mark.thorough
CANARY = "hf_canaryCANARY0123"

PROGRAM = """
import os, runpy, sys
sys.path.insert(0, {app!r})
import app, space_drawing

space_drawing.DRAWING = {drawing}
drawn = space_drawing.draw

def draw(prompt, seed, *others):
    note = os.open({folder!r} + "/notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(note, f"{{seed}}\\n".encode())
    os.close(note)
    picture = drawn(prompt, seed, *others)
    if os.path.exists({folder!r} + "/a bit"):
        picture[0, 0, 0] ^= 1
    if os.path.exists({folder!r} + "/a spot"):
        picture[100:110, 60:70] = 20
    return picture

space_drawing.draw = draw
sys.exit(app.main())
"""


@dataclass(frozen=True)
class Watched:
    """A local Space that notes the seed of every image that it draws, in its folder.

    While there is a file `a bit` in that, one bit of its images is another, and with `a spot` there is one on them.
    """

    space: LocalSpace
    folder: Path

    @property
    def address(self) -> str:
        return asyncio.run(self.space.get_address())

    def seeds(self) -> list[int]:
        """Return what it has drawn since this was asked last."""
        notes = self.folder / "notes"
        known = [int(line) for line in notes.read_text().split()] if notes.exists() else []
        notes.unlink(missing_ok=True)
        return sorted(known)


@contextmanager
def watched_space(folder: Path, drawing: int = 1) -> Iterator[Watched]:
    path = folder / "program.py"
    path.write_text(PROGRAM.format(app=str(local.APP.parent), folder=str(folder), drawing=drawing))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "APP", path)
        space = LocalSpace(python=PYTHON)
    try:
        yield Watched(space, folder)
    finally:
        space.close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched_space(tmp_path_factory.mktemp("space")) as space:
        yield space


@pytest.fixture(scope="module")
def images(watched: Watched) -> list[Generation]:
    """Return a hundred of them, with the seeds from 0 to 99: the first as a Space has made it, the others as it
    would.
    """
    small: dict[str, Any] = {"width": 256, "height": 256, "steps": 1, "store": False}
    first = run(AsyncClient(space=watched.address, **small).generate("a fox", seed=0))
    assert isinstance(first, Generation)
    assert watched.seeds() == [0]
    return [first, *(as_made(first, seed, draw("a fox", seed, 256, 256, 1)) for seed in range(1, 100))]


def as_made(like: Generation, seed: int, pixels: Any) -> Generation:
    """Return what the local Space delivers of these pixels, recorded as another image of it was."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, quality=20, method=1)
    file = ImageFile(codecs.describe(out.getvalue()), out.getvalue())
    known = replace(like.record, seed=seed, requested_seed=seed, files=(file.record,))
    return replace(like, request=replace(like.request, seed=seed), record=known, files=(file,))


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def in_notebooks(made: list[Generation], changes: dict[int, Callable[[dict[str, Any]], object]]) -> None:
    """Three notebooks of 20 images each, some of them changed."""
    for number in range(3):
        cells = []
        for one in made[20 * number : 20 * number + 20]:
            first, *others = shown(one)
            if change := changes.get(one.seed or 0):
                change(first)
            cells.append(cell(first, *others))
        written(Path("set", f"{number}.ipynb"), *cells)


def in_files(made: list[Generation], changes: dict[int, Callable[[bytes], bytes]]) -> None:
    """Saved images of the three formats in turn, some of them changed."""
    for one in made:
        seed = one.seed or 0
        suffix = "png" if seed in changes else ("png", "jpg", "webp")[seed % 3]
        (path,) = one.save(Path("set", "saved", f"{seed:02}.{suffix}"))
        if seed in changes:
            path.write_bytes(changes[seed](path.read_bytes()))


def as_jpeg(data: bytes) -> bytes:
    return reencoded(data, "jpeg", quality=60)


def as_another_seed(data: bytes) -> bytes:
    """Return all that is said in the file is of seed 1090, without a contradiction."""
    carried = keepsake.read(data)
    assert carried is not None
    return keepsake.embed_record(data, replace(carried.record, seed=1090, requested_seed=1090), 0)[0]


def altered_set(made: list[Generation]) -> dict[str, str]:
    """Return the images with 25 of them altered; what each of these is to be called, and why."""
    pictures = [embedded(shown(one)[0]) for one in made[:60]]
    ring = {seed: pictures[after] for seed, after in zip((40, 41, 42, 43, 44), (41, 42, 43, 44, 40), strict=True)}
    without_seed = edited_away("seed")
    in_notebooks(
        made,
        {
            **dict.fromkeys((3, 7, 59), through(one_pixel_changed)),
            **dict.fromkeys((11, 12, 33), through(lambda data: reencoded(data, compress_level=1))),
            21: through(as_jpeg),
            **{seed: embedding(data) for seed, data in ring.items()},
            **{seed: saying(seed=1000 + seed) for seed in (5, 25, 45)},
            **dict.fromkeys((16, 36, 56), lambda one: told(one)["record"]["run"].pop("seed")),
        },
    )
    in_files(
        made[60:],
        {
            **dict.fromkeys((66, 67), one_pixel_changed),
            70: as_jpeg,
            80: edited(seed=1080),
            90: as_another_seed,
            **dict.fromkeys((98, 99), without_seed),
        },
    )
    still = "the Space still makes what the record says: the image in the {} is a different one"
    same = f"altered since it was made; regenerated: same to the eye; {still}"
    there = "altered since it was made, another image is in its place: the notebook says seed {}, the image {}; "
    return {
        **{label(seed): f"altered: {same.format('notebook')}" for seed in (3, 7, 59, 21)},
        **{label(seed): f"altered: {same.format('file')}" for seed in (66, 67, 70)},
        **{label(seed): "same pixels: re-encoded since, the same pixels" for seed in (11, 12, 33)},
        **{
            label(seed): f"altered: {there.format(seed, after)}regenerated: different; {still.format('notebook')}"
            for seed, after in zip((40, 41, 42, 43, 44), (41, 42, 43, 44, 40), strict=True)
        },
        **{
            label(seed): "record edited: the record was edited: "
            f"the notebook says seed {1000 + seed}, the image {seed}; regenerated: different"
            for seed in (5, 25, 45)
        },
        label(80): "record edited: the record was edited: "
        "the record says seed 1080, the image's parameters 80; regenerated: different",
        label(90): "different: nothing recorded differs: the Space itself has changed, or the record was edited",
        **{label(seed): "cannot be checked: its record has no seed" for seed in (16, 36, 56, 98, 99)},
    }


def edited_away(name: str) -> Callable[[bytes], bytes]:
    return lambda data: with_texts_of(data, data, lambda known: known["record"]["run"].pop(name))


def label(seed: int) -> str:
    """Return if the image of this seed is."""
    if seed < 60:
        return f"set/{seed // 20}.ipynb, cell {seed % 20 + 1}"
    changed = seed in {66, 67, 70, 80, 90, 98, 99}
    return f"set/saved/{seed:02}.{'png' if changed else ('png', 'jpg', 'webp')[seed % 3]}"


def called(report: Report) -> dict[str, str]:
    """Return what the images are called, and why, of all but those that are the same bytes."""
    return {one.label: f"{one.called}: {one.why}" for one in report.verdicts if one.grade is not Grade.SAME_BYTES}


def test_of_100_images_of_which_25_were_altered_each_is_called_what_it_is(
    watched: Watched, images: list[Generation], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("set").mkdir()
    expected = altered_set(images)
    assert len(expected) == 25
    asked: list[tuple[int, int, str]] = []
    report = run(check(["set"], space=watched.address, told=lambda *said: asked.append(said)))
    assert called(report) == expected
    assert report.summary == (
        "78 of 100 pass: 75 same bytes, 3 same pixels; 1 different, 12 altered, 4 record edited, 5 cannot be checked"
    )
    assert report.counts == {
        "same bytes": 75,
        "same pixels": 3,
        "different": 1,
        "altered": 12,
        "record edited": 4,
        "cannot be checked": 5,
    }
    assert (report.exit_code, report.problems, report.others) == (1, (), 0)
    # One request for each that can be checked, with the seed that its record has now.
    edits = {5: 1005, 25: 1025, 45: 1045, 80: 1080, 90: 1090}
    assert watched.seeds() == sorted(edits.get(seed, seed) for seed in range(100) if seed not in {16, 36, 56, 98, 99})
    assert (len(asked), asked[-1][:2]) == (96, (95, 95))
    assert all(0 <= (one.distance or 0) <= 2 for one in report.verdicts)
    # The same, as far as it can be told without a Space.
    static = check_static(["set"])
    assert static.summary == (
        "79 of 100 pass: 76 intact, 3 re-encoded; 12 altered, 4 record edited, 5 cannot be checked"
    )
    assert watched.seeds() == []
    assert "flux" not in capsys.readouterr().err


def test_the_embedded_picture_itself_is_what_is_compared(watched: Watched, images: list[Generation]) -> None:
    """Return the record, its digests and the store's file are all as they were: only the embedded bytes are others."""
    first, *others = shown(images[8])
    put(first, embedded(shown(images[9])[0]))
    told_by_its_own = with_texts_of(embedded(shown(images[8])[0]), embedded(first))
    put(first, told_by_its_own)
    written(Path("fox.ipynb"), cell(first, *others))
    (verdict,) = run(check(["fox.ipynb"], space=watched.address)).verdicts
    assert (verdict.status, verdict.static, verdict.grade) == (Status.FAIL, Outcome.ALTERED, Grade.DIFFERENT)
    assert verdict.embedded == told_by_its_own
    assert verdict.remade is not None
    assert watched.seeds() == [8]


NOTHING = "nothing recorded differs: the Space itself has changed, or the record was edited"


@pytest.mark.parametrize(
    ("change", "grade"),
    [
        pytest.param("a spot", Grade.DIFFERENT, id="what an eye sees"),
        pytest.param("a bit", Grade.SAME_TO_THE_EYE, id="what no eye sees"),
    ],
)
def test_images_of_a_space_that_was_altered_in_silence_are_told_and_why(
    watched: Watched, images: list[Generation], change: str, grade: Grade
) -> None:
    written(Path("fox.ipynb"), *(cell(*shown(one)) for one in images[:3]))
    altered = watched.folder / change
    altered.touch()
    try:
        report = run(check(["fox.ipynb"], space=watched.address))
    finally:
        altered.unlink()
    assert [(one.grade, one.why, one.static) for one in report.verdicts] == [(grade, NOTHING, Outcome.INTACT)] * 3
    assert report.passed is (grade is Grade.SAME_TO_THE_EYE)
    assert watched.seeds() == [0, 1, 2]


def test_images_of_another_drawing_are_told_and_why(
    images: list[Generation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images[2].save("fox.png")
    with watched_space(tmp_path, drawing=2) as other:
        monkeypatch.setattr(local, "shared", other.space)
        (verdict,) = run(check(["fox.png"])).verdicts
    assert (verdict.status, verdict.grade) == (Status.FAIL, Grade.DIFFERENT)
    assert verdict.why == "the local Space's drawing was 1, is 2"


def test_the_local_space_is_asked_where_a_record_names_it(
    watched: Watched, images: list[Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "http://127.0.0.1:9")  # another one is configured
    monkeypatch.setattr(local, "shared", watched.space)
    images[4].save("fox.webp")
    (verdict,) = run(check(["fox.webp"])).verdicts
    assert (verdict.status, verdict.grade, verdict.why) == (Status.PASS, Grade.SAME_BYTES, "")
    assert watched.seeds() == [4]


def saved_as_made_by(space: str, made: Generation, name: str = "fox.webp") -> None:
    """Return an image whose record says that another Space has made it."""
    known = replace(made.record, space=space, requested_space=space, model="black-forest-labs-flux-1-schnell")
    replace(made, record=known).save(name)


def test_a_records_host_is_not_asked_and_gets_no_token(
    images: list[Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flux_magic.parameters.settings import configure_by

    monkeypatch.setenv("HF_TOKEN", CANARY)

    async def work() -> tuple[Report, Report, list[str], list[str]]:
        async with run_hostile() as server:
            saved_as_made_by(server.address, images[4])
            configure_by(lambda: {"token": CANARY})
            try:
                unasked = await check(["fox.webp"])
            finally:
                configure_by(dict)
            seen = list(server.seen)
            named = await check(["fox.webp"], space=server.address)
            return unasked, named, seen, server.tokens

    unasked, named, seen, tokens = run(work())
    (verdict,) = unasked.verdicts
    assert verdict.status is Status.UNCHECKED
    assert verdict.why.startswith("not asked: it was made by http://127.0.0.1:")
    assert seen == []
    assert (
        tokens == []
    )  # the environment's is only for the configured model's own Space, also where another one is named
    assert named.verdicts[0].grade is Grade.DIFFERENT
    assert named.verdicts[0].why.startswith("it is 256×256, regenerated 64×48")


def test_a_space_that_does_not_answer_is_a_line_for_each_and_is_not_asked_again_and_again(
    images: list[Generation],
) -> None:
    for seed in range(4):
        images[seed].save(f"{seed}.webp")

    async def work() -> tuple[Report, list[str]]:
        from flux_magic.providers.http.connection import open_connection

        async with run_hostile() as server:
            address = server.address
        async with open_connection() as connection:  # no one listens there any more
            with pytest.raises(FluxError):
                await connection.get_text(address)
        return await check(["."], space=address, concurrency=1), server.seen

    report, seen = run(work())
    assert seen == []
    assert report.summary == "0 of 4 pass: 4 cannot be checked"
    assert len({one.why for one in report.verdicts}) == 1
    assert "127.0.0.1" in report.verdicts[0].why


def test_the_command_checks_a_notebook_of_a_real_space(
    watched: Watched, images: list[Generation], capsys: pytest.CaptureFixture[str]
) -> None:
    written(Path("fox.ipynb"), cell(*shown(images[1])))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = ["fox.ipynb", "--space", watched.address, "--html", "report.html", "--json", "report.json"]
    assert main(parser.parse_args(options)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 pass: 1 same bytes"
    assert json.loads(Path("report.json").read_text())["passed"] is True
    assert Path("report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert watched.seeds() == [1]
