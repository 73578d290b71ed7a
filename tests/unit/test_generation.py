from __future__ import annotations

import base64
import errno
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from flux_magic.errors import InvalidRequest, NotAnImage, SaveError
from flux_magic.images import codecs, formats, metadata
from flux_magic.records import embedding
from flux_magic.results.generation import Generation, ImageFile, check_target
from flux_magic.results.generations import Generations
from tests.unit.samples import drawing, encoded, generation, notebook

OTHER = encoded(colour=99)


def pixels(path: Path) -> str:
    return codecs.describe(path.read_bytes()).digest


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_generation_says_what_its_first_file_is() -> None:
    made = generation(encoded(), OTHER)
    assert made.data == encoded()
    assert made.digest == made.files[0].digest == codecs.describe(encoded()).digest
    assert (made.width, made.height, made.url) == (8, 6, "http://space.example/file=0")
    assert made.files[1].media_type == "image/png"


def test_a_generation_says_what_made_it() -> None:
    made = generation()
    assert (made.prompt, made.seed, made.steps) == ("a red fox", 42, 4)
    assert made.command() == "%%flux --steps 4 --seed 42 --size 256x192\na red fox"


def test_the_pictures_are_decoded_anew_at_each_call() -> None:
    made = generation(encoded(), OTHER)
    assert [image.tobytes() for image in made.images] == [drawing().tobytes(), drawing(colour=99).tobytes()]
    assert made.images[0] is not made.images[0]


def test_its_repr_is_a_line_a_picture_and_holds_no_bytes() -> None:
    made = generation(encoded(), OTHER)
    digests = [file.digest[:12] for file in made.files]
    assert repr(made) == "\n".join(f"<flux 8×6 seed=42 steps=4 sha256:{digest}>" for digest in digests)
    assert "PNG" not in repr(made.files[0])


def test_it_shows_its_pictures_and_then_its_parameters() -> None:
    shown = [list(output.data) for output in generation(encoded(), OTHER).build_outputs()]
    assert shown == [["image/png", "text/plain"]] * 2 + [["text/html", "text/markdown", "text/plain"]]


def test_inline_link_shows_addresses_and_embeds_nothing() -> None:
    first, last = generation(inline="link").build_outputs()
    assert list(first.data) == ["text/html", "text/plain"]
    assert "http://space.example/file=0" in first.data["text/html"]
    assert "text/markdown" in last.data


def test_a_notebook_shows_the_outputs_with_their_metadata(tmp_path: Path) -> None:
    made = generation()
    with notebook(tmp_path) as shown:
        made._ipython_display_()
        Generations([made])._ipython_display_()
    assert [(item["data"], item["metadata"]) for item in shown] == [
        (output.data, output.metadata) for output in [*made.build_outputs(), *made.build_outputs()]
    ]


def test_generations_are_a_sequence_of_them() -> None:
    items = [generation(seed=seed) for seed in (1, 2, 3)]
    made = Generations(items)
    assert (len(made), list(made), made[0], made[-1]) == (3, items, items[0], items[2])
    assert isinstance(made[1:], Generations)
    assert list(made[1:]) == items[1:]
    assert repr(made).count("\n") == 2
    with pytest.raises(IndexError):
        made[3]


@pytest.mark.parametrize("name", ["fox.png", "deep/er/fox.png"])
def test_a_file_gets_the_bytes_as_delivered_with_what_made_them_inside(tmp_path: Path, name: str) -> None:
    assert generation().save(tmp_path / name) == [tmp_path / name]
    assert metadata.remove_metadata((tmp_path / name).read_bytes()) == encoded()
    assert files_in((tmp_path / name).parent) == ["fox.png"]


def test_no_metadata_leaves_the_bytes_as_they_were_delivered(tmp_path: Path) -> None:
    made = replace(generation(), metadata=False)
    made.save(tmp_path / "without.png")
    made.save(tmp_path / "with.png", metadata=True)
    generation().save(tmp_path / "told.png", metadata=False)
    assert (tmp_path / "without.png").read_bytes() == (tmp_path / "told.png").read_bytes() == encoded()
    assert embedding.read((tmp_path / "with.png").read_bytes()) is not None
    [shown, _] = made.build_outputs()
    assert base64.b64decode(shown.data["image/png"]) == encoded()


def test_a_saved_file_says_what_made_it_and_what_it_is(tmp_path: Path) -> None:
    made = generation(encoded(), OTHER)
    for place, path in enumerate(made.save(tmp_path)):
        carried = embedding.read(path.read_bytes())
        assert carried is not None
        assert carried.copy is not None
        assert (carried.record, carried.copy.file) == (made.record, place)
        assert carried.copy.digest == made.files[place].digest
        assert embedding.is_untouched(path.read_bytes(), carried)


def test_another_encoding_says_what_it_is_itself(tmp_path: Path) -> None:
    [path] = generation().save(tmp_path / "fox.jpg")
    carried = embedding.read(path.read_bytes())
    assert carried is not None
    assert carried.copy is not None
    assert (carried.copy.media_type, carried.copy.digest) == ("image/jpeg", pixels(path))


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("WEBP", "image/webp")])
def test_another_suffix_gets_the_picture_in_its_encoding(tmp_path: Path, suffix: str, kind: str) -> None:
    [path] = generation().save(tmp_path / f"fox.{suffix}")
    assert formats.detect_media_type(path.read_bytes()) == kind


@pytest.mark.parametrize("name", ["pictures", "pictures/", "v1.5/", "a/b"])
def test_a_folder_gets_a_file_named_after_prompt_seed_and_digest(tmp_path: Path, name: str) -> None:
    made = generation(encoded("jpeg"))
    saved = tmp_path / name / f"a-red-fox-42-{made.digest[:12]}.jpg"
    assert made.save(f"{tmp_path}/{name}") == [saved]
    assert metadata.remove_metadata(saved.read_bytes()) == encoded("jpeg")


def test_a_folder_that_is_there_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "fox.png").mkdir()
    [path] = generation().save(tmp_path / "fox.png")
    assert path.parent == tmp_path / "fox.png"


def test_several_pictures_go_into_a_folder(tmp_path: Path) -> None:
    made = generation(encoded(), OTHER)
    paths = made.save(tmp_path)
    assert [metadata.remove_metadata(path.read_bytes()) for path in paths] == [encoded(), OTHER]
    assert [path.name for path in paths] == [f"a-red-fox-42-{file.digest[:12]}.png" for file in made.files]


@pytest.mark.parametrize(
    "made", [generation(encoded(), OTHER), Generations([generation(), generation(seed=43)])], ids=["one job", "two"]
)
def test_several_pictures_are_not_saved_as_one_file(tmp_path: Path, made: Generation | Generations) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot save 2 images as the one file fox\.png: give a folder"):
        made.save(tmp_path / "fox.png")
    assert files_in(tmp_path) == []


def test_generations_are_saved_into_a_folder(tmp_path: Path) -> None:
    made = Generations([generation(seed=1), generation(OTHER, seed=2)])
    paths = made.save(tmp_path / "pictures")
    assert [path.name.split("-")[3] for path in paths] == ["1", "2"]
    assert [metadata.remove_metadata(path.read_bytes()) for path in paths] == [encoded(), OTHER]


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert generation().save("~/fox.png") == [tmp_path / "fox.png"]
    assert check_target("~", 3) == tmp_path


def test_the_same_pixels_already_there_are_a_success_and_stay(tmp_path: Path) -> None:
    there = encoded(compress_level=0)
    (tmp_path / "fox.png").write_bytes(there)
    assert generation().save(tmp_path / "fox.png") == [tmp_path / "fox.png"]
    assert (tmp_path / "fox.png").read_bytes() == there


@pytest.mark.parametrize("there", [OTHER, b"my thesis", b""], ids=["another picture", "a text", "empty"])
def test_anything_else_already_there_is_an_error_and_stays(tmp_path: Path, there: bytes) -> None:
    (tmp_path / "fox.png").write_bytes(there)
    with pytest.raises(SaveError, match=r"fox\.png already exists, and is a different image") as caught:
        generation().save(tmp_path / "fox.png")
    assert "--overwrite" in caught.value.hint
    assert (tmp_path / "fox.png").read_bytes() == there


def test_overwrite_replaces_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(OTHER)
    made = Generations([generation()])
    assert made.save(tmp_path / "fox.png", overwrite=True) == [tmp_path / "fox.png"]
    assert pixels(tmp_path / "fox.png") == made[0].digest


@pytest.mark.parametrize("name", ["fox.gif", "fox.txt", "v1.5"])
def test_a_suffix_without_an_encoder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot save as"):
        generation().save(tmp_path / name)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["taken/fox.png", "taken/deep/fox.png", "taken/", "taken"])
def test_where_no_folder_can_be_made_the_error_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SaveError, match=r"cannot write .*taken"):
        generation().save(f"{tmp_path}/{name}")
    assert files_in(tmp_path) == ["taken"]


def test_where_no_file_can_be_written_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SaveError, match=r"cannot write .*fox\.png: No space left on device"):
        generation().save(tmp_path / "fox.png")
    assert files_in(tmp_path) == []


def test_what_fails_halfway_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_path: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generation().save(tmp_path / "fox.png")
    assert files_in(tmp_path) == []


def test_a_saved_picture_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        [path] = generation().save(tmp_path / "fox.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_is_no_picture_is_not_encoded_anew(tmp_path: Path) -> None:
    cut = Generation(generation().request, generation().record, (generation(encoded()).files[0],))
    broken = ImageFile(cut.files[0].record, b"\x89PNG\r\n\x1a\n", "http://space.example")
    with pytest.raises(NotAnImage):
        Generation(cut.request, cut.record, (broken,)).save(tmp_path / "fox.jpg")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["~nobody_here_7/fox.png", "a\0b.png", "x" * 300 + ".png", "x" * 300])
def test_a_path_that_no_file_system_takes_is_a_save_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SaveError, match="cannot write"):
        generation().save(name)
