"""Generations on disk: what is written, what is found again, and what becomes of what is damaged."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from PIL import PngImagePlugin

from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import InvalidRequest, StoreError
from flux_magic.images import codecs
from flux_magic.records import embedding, files, store
from flux_magic.records.record import compute_key
from flux_magic.records.store import Store, Stored, get_export_path, write
from flux_magic.results.generation import Generation
from flux_magic.types import Record
from tests.unit.samples import encoded, record
from tests.unit.scripted import installed

PNG, WEBP, JPEG = encoded(), encoded("webp", colour=7, lossless=True), encoded("jpeg", colour=9)


def job(*pictures: bytes, **changes: Any) -> tuple[Record, list[bytes]]:
    """Return a record and the images that it speaks of."""
    data = list(pictures or (PNG,))
    return record(files=tuple(codecs.describe(one) for one in data), **changes), data


def key(made: Record) -> str:
    known = compute_key(made)
    assert known is not None
    return known


def everything(folder: Path) -> dict[str, bytes]:
    """Return all that is in a folder, by its path from there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if not (path.is_dir() and any(path.iterdir()))
    }


@pytest.fixture
def own(tmp_path: Path) -> Store:
    """Return a store without a shared folder."""
    return Store(tmp_path / "store", None)


class Clock:
    """A clock that a test turns on."""

    at = datetime(2026, 11, 26, 8, 30, 15, 250417, timezone.utc)

    @classmethod
    def now(cls, _zone: timezone) -> datetime:
        cls.at += timedelta(microseconds=1)
        return cls.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(Clock, "at", Clock.at)
    monkeypatch.setattr(store, "datetime", Clock)
    return Clock


@pytest.mark.usefixtures("clock")
def test_a_name_tells_when_what_which_seed_which_pixels_and_which_request(own: Store) -> None:
    made, data = job(WEBP, prompt="A red fox, in the Snow!")
    stored = own.put(made, data)
    name = f"2026-11/26-083015.250418-a-red-fox-in-the-snow-42-{made.files[0].digest[:12]}-{key(made)[:12]}"
    assert own.folder is not None
    assert list(everything(own.folder)) == [f"{name}.json", f"{name}.webp"]
    assert stored.path == own.folder / f"{name}.json"
    assert stored.files == [own.folder / f"{name}.webp"]


def test_a_record_is_json_that_people_read_and_git_shows_line_by_line(own: Store) -> None:
    stored = own.put(*job(prompt="a fox – \U0001f98a \ud800"))
    text = stored.path.read_bytes()
    assert text.isascii()
    assert text.endswith(b"}\n")
    assert text.count(b"\n") > 20
    assert json.loads(text) == stored.record.as_dict()


def test_what_is_put_is_found_as_it_was(own: Store) -> None:
    made, data = job()
    stored = own.put(made, data)
    assert own.find(key(made)) == stored
    assert stored.record == made
    assert stored.read() == PNG
    assert list(own) == [stored]
    assert own.skipped == []


def test_several_pictures_of_one_job_are_beside_one_record(own: Store) -> None:
    made, data = job(PNG, WEBP, JPEG)
    stored = own.put(made, data)
    stem = stored.path.name.removesuffix(".json")
    assert [path.name for path in stored.files] == [f"{stem}.png", f"{stem}.2.webp", f"{stem}.3.jpg"]
    found = own.find(key(made))
    assert found is not None
    assert [found.read(place) for place in range(3)] == data


def test_of_the_same_request_twice_the_newest_is_found(own: Store, clock: type[Clock]) -> None:
    first, second = job(), job(WEBP)
    assert key(first[0]) == key(second[0])
    own.put(*second)
    for _ in range(2):
        clock.at += timedelta(days=40)
        last = own.put(*first)
    assert own.find(key(first[0])) == last
    assert len(list(own.find_jobs(key(first[0])))) == 3


def test_jobs_come_the_newest_first(own: Store, clock: type[Clock]) -> None:
    for seed, days in enumerate((0, 0, 30, 400)):
        clock.at += timedelta(days=days)
        own.put(*job(seed=seed))
    assert [stored.record.seed for stored in own] == [3, 2, 1, 0]


def test_a_record_is_written_last_and_each_file_whole(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, bool]] = []
    real = files.write_whole

    def seen(path: Path, data: bytes, *, lasting: bool) -> None:
        real(path, data, lasting=lasting)
        written.append((path.suffix, lasting))

    monkeypatch.setattr(store, "write_whole", seen)
    own.put(*job(PNG, WEBP))
    assert written == [(".png", True), (".webp", True), (".json", True)]


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first picture", "second picture", "record"])
def test_what_fails_between_leaves_no_record_and_nothing_half(
    own: Store, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    count = iter(range(9))
    real = Path.replace

    def fails(path: Path, target: Path) -> Path:
        if next(count) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", fails)
    made, data = job(PNG, WEBP)
    with pytest.raises(StoreError, match=r"^cannot keep the image in .*\d{4}-\d\d: No space left on device$"):
        own.put(made, data)
    assert own.folder is not None
    left = everything(own.folder)
    assert not [name for name in left if name.endswith((".json", ".part"))]
    assert sorted(found for found in left.values() if found) == sorted(data[:at])
    assert own.find(key(made)) is None


def test_a_disk_that_is_full_as_it_is_written_to_leaves_nothing(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="Disk quota exceeded"):
        own.put(*job())
    assert own.folder is not None
    assert not [path for path in own.folder.rglob("*") if path.is_file()]


def test_no_reader_ever_sees_half_of_a_job(own: Store) -> None:
    assert own.folder is not None
    finished = threading.Event()
    made, data = job(encoded(size=(64, 48)), encoded("webp", size=(64, 48)))
    troubles: list[str] = []

    def read() -> None:
        while not finished.is_set():
            reader = Store(own.folder, None)
            troubles.extend(str(one.path) for one in reader if not reader._is_whole(one))
            troubles.extend(reader.skipped)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for seed in range(40):
        own.put(replace(made, seed=seed), data)
    finished.set()
    for reader in readers:
        reader.join()
    assert troubles == []
    assert len(list(own)) == 40


def test_several_may_write_at_once(own: Store) -> None:
    writers = [threading.Thread(target=own.put, args=job(seed=seed)) for seed in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(stored.record.seed or 0 for stored in own) == list(range(20))


def spoiled(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "within").write_text("x")


SPOILED: list[Any] = [
    pytest.param(spoiled(lambda data: data[:-1]), "is not what was delivered: it is damaged", id="cut short"),
    pytest.param(
        spoiled(lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:]), "it is damaged", id="one bit is another"
    ),
    pytest.param(spoiled(lambda _: b""), "it is damaged", id="empty"),
    pytest.param(spoiled(lambda _: WEBP), "it is damaged", id="another picture"),
    pytest.param(spoiled(lambda data: data + b"\0"), "it is damaged", id="a byte more"),
    pytest.param(
        spoiled(lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "it is damaged",
        id="a pointer of Git LFS",
    ),
    pytest.param(Path.unlink, "is not in the store any more: No such file", id="missing"),
    pytest.param(become_a_folder, "in the store cannot be read: it is a folder, not a file", id="a folder"),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILED)
@pytest.mark.parametrize("place", [0, 1])
def test_a_job_is_found_only_if_every_picture_is_whole(
    own: Store, place: int, spoil: Callable[[Path], object], says: str
) -> None:
    made, data = job(PNG, JPEG)
    stored = own.put(made, data)
    spoil(stored.files[place])
    assert own.folder is not None
    before = everything(own.folder)
    assert own.find(key(made)) is None
    [note] = own.skipped
    assert note.startswith(f"{stored.path.name} is skipped: the image {stored.files[place].name} ")
    assert says in note
    assert str(own.folder) not in note
    with pytest.raises(StoreError, match=re.escape(says)) as caught:
        stored.read(place)
    assert "--fresh" in caught.value.hint
    assert everything(own.folder) == before


@pytest.mark.usefixtures("clock")
def test_an_older_job_stands_in_for_a_damaged_one(own: Store) -> None:
    old = own.put(*job())
    new = own.put(*job())
    new.files[0].write_bytes(b"")
    assert own.find(key(old.record)) == old
    assert len(own.skipped) == 1


FOREIGN: list[Any] = [
    pytest.param(b"", "the record is no JSON", id="empty"),
    pytest.param(b"<html>", "the record is no JSON", id="no JSON"),
    pytest.param(b"\xff\xff", "the record is no JSON", id="no text"),
    pytest.param(b"[" * 100_000, "the record is no JSON", id="nested"),
    pytest.param(b'{"schema": 1}', "the record is not whole", id="not whole"),
    pytest.param(b'{"schema": 3}', "the record is of version 3", id="of a later version"),
    pytest.param(b"[]", "the record is not whole", id="a list"),
]


@pytest.mark.parametrize(("content", "says"), FOREIGN)
def test_a_damaged_record_is_skipped_with_a_note_and_left_as_it_is(own: Store, content: bytes, says: str) -> None:
    good, bad = own.put(*job(seed=1)), own.put(*job(seed=2))
    bad.path.write_bytes(content)
    assert own.folder is not None
    before = everything(own.folder)
    assert list(own) == [good]
    assert own.find(key(bad.record)) is None
    assert all(note.startswith(f"{bad.path.name} is skipped: {says}") for note in own.skipped)
    assert len(own.skipped) == 2
    assert "\n" not in "".join(own.skipped)
    assert everything(own.folder) == before


def test_a_record_that_cannot_be_read_is_skipped_without_telling_the_way_to_it(own: Store) -> None:
    stored = own.put(*job())
    become_a_folder(stored.path)
    assert list(own) == []
    assert own.skipped == [f"{stored.path.name} is skipped: it is a folder, not a file"]


def test_a_record_that_is_deleted_as_it_is_read_is_no_trouble(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stored, real = own.put(*job()), os.open

    def opened(path: str, *options: Any) -> int:
        stored.path.unlink(missing_ok=True)
        return real(path, *options)

    monkeypatch.setattr(os, "open", opened)
    assert list(own) == []
    assert own.skipped == []


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "2020-01",
        "notes.json",
        ".hidden.json",
        "2026-11/package.json",
        "2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.json.bak",
        "2026-11/.0123456789abcdef.part",
        "2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f.json",
        "2026/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.json",
        "2026-11/deep/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.json",
    ],
)
def test_what_has_another_name_is_none_of_the_stores_business(own: Store, name: str) -> None:
    stored = own.put(*job())
    assert own.folder is not None
    path = own.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    assert list(own) == [stored]
    assert own.skipped == []
    assert path.read_text() == "{}"


@pytest.mark.parametrize("folder", ["missing", "a file", "a\0b", None], ids=repr)
def test_a_store_that_is_not_there_is_empty(tmp_path: Path, folder: str | None) -> None:
    (tmp_path / "a file").write_text("x")
    nowhere = Store(folder and tmp_path / folder, None)  # type: ignore[arg-type]
    assert list(nowhere) == []
    assert nowhere.find("0" * 64) is None
    assert nowhere.find_digest("123456") == []


def test_a_store_that_is_turned_off_keeps_nothing() -> None:
    with pytest.raises(StoreError, match="there is no store: it is turned off"):
        Store(None).put(*job())


def exported(made: Record, data: list[bytes], folder: Path) -> Stored:
    """Return what an export writes: the images have their record inside."""
    inside = [embedding.embed_restorable(one, made, place) for place, one in enumerate(data)]
    return write(get_export_path(folder, made), made, inside)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store, and the working directory is one that may have `flux_images`."""
    monkeypatch.chdir(tmp_path)
    return Store(tmp_path / "store")


def test_what_is_beside_the_notebook_is_found_first_and_read_back_as_it_was_delivered(both: Store) -> None:
    made, data = job(PNG, WEBP, JPEG)
    both.put(made, data)
    shared = exported(made, data, store.BESIDE)
    found = both.find(key(made))
    assert found is not None
    assert found.path == Path.cwd() / shared.path
    assert [found.read(place) for place in range(3)] == data
    assert [path.read_bytes() for path in found.files] != data
    assert re.fullmatch(r"flux_images/a-red-fox-42-[0-9a-f]{12}-[0-9a-f]{12}\.json", shared.path.as_posix())


def test_what_has_texts_of_its_spaces_own_is_exported_as_it_was_delivered(both: Store) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a fox")
    theirs = encoded(pnginfo=texts)
    made, data = job(theirs, PNG)
    shared = exported(made, data, store.BESIDE)
    assert [path.read_bytes() == one for path, one in zip(shared.files, data, strict=True)] == [True, False]
    assert [shared.read(place) for place in range(2)] == data
    assert both.find(key(made)) is not None


def test_what_is_damaged_beside_the_notebook_is_found_in_the_store(both: Store) -> None:
    made, data = job()
    own = both.put(made, data)
    exported(made, data, store.BESIDE).files[0].write_bytes(b"")
    assert both.find(key(made)) == own
    assert len(both.skipped) == 1


def test_of_two_beside_the_notebook_the_newer_is_found(both: Store) -> None:
    for year, data in ((2024, PNG), (2026, WEBP), (2025, JPEG)):
        exported(*job(data, started=f"{year}-01-01T00:00:00+00:00"), store.BESIDE)
    found = both.find(key(job()[0]))
    assert found is not None
    assert found.read() == WEBP


def test_files_are_found_after_a_notebook_goes_to_another_folder(both: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made, data = job()
    exported(made, data, store.BESIDE)
    found = both.find(key(made))
    relative = Store(Path("near"), None).put(*job(seed=9))
    monkeypatch.chdir("/")
    assert found is not None
    assert (found.read(), relative.read()) == (PNG, PNG)


def test_a_working_directory_that_is_gone_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    stored = Store(tmp_path / "store").put(*job())
    assert list(Store(tmp_path / "store")) == [stored]


def test_a_list_has_what_is_in_both_folders_once_and_the_newest_first(both: Store) -> None:
    def made(month: int) -> tuple[Record, list[bytes]]:
        return job(encoded(colour=month), seed=month, started=f"2026-{month:02}-01T00:00:00+00:00")

    for month in (1, 3, 5):
        both.put(*made(month))
    for month in (2, 3, 4):
        exported(*made(month), store.BESIDE)
    exported(*job(seed=99, started="unknown"), store.BESIDE)
    assert [stored.record.seed for stored in both] == [5, 4, 3, 2, 1, 99]


def test_a_job_goes_by_its_digest_alone_and_leaves_the_others(own: Store) -> None:
    gone, stays = own.put(*job(PNG, JPEG)), own.put(*job(WEBP))
    [found] = own.find_digest(f"sha256:{gone.record.files[1].digest[:12].upper()}")
    assert found == gone
    own.delete(found)
    assert own.folder is not None
    assert [path.name for path in own.folder.rglob("*.*")] != []
    assert {path for path in own.folder.rglob("*") if path.is_file()} == {stays.path, *stays.files}
    own.delete(found)  # somebody else was quicker


@pytest.mark.parametrize("digest", ["", "12345", "xyzxyz", "1" * 65, "sha256:", "../../etc", "12 456", "１２３４５６"])
def test_what_is_no_digest_is_refused(own: Store, digest: str) -> None:
    with pytest.raises(InvalidRequest, match="is no digest: give its first 6 to 64 digits, 0 to 9 and a to f"):
        own.find_digest(digest)


def test_what_cannot_be_deleted_is_an_error(own: Store) -> None:
    stored = own.put(*job())
    become_a_folder(stored.path)
    with pytest.raises(StoreError, match=r"^cannot delete .*\.json: "):
        own.delete(stored)
    assert stored.read() == PNG


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        pytest.param("ثعلب أحمر", "", id="Arabic"),
        pytest.param("\U0001f98a\U0001f98a", "", id="emoji"),
        pytest.param("日本 fox 富士山", "fox-", id="mixed"),
        pytest.param("../../etc/passwd", "etc-passwd-", id="the way out"),
        pytest.param("a/b\\c:d*e?f|g<h>i\"j'k", "a-b-c-d-e-f-g-h-i-j-k-", id="separators"),
        pytest.param("con", "con-", id="a device"),
        pytest.param("AUX.txt", "aux-txt-", id="a device with a suffix"),
        pytest.param("  .hidden", "hidden-", id="hidden"),
        pytest.param("a\0b\nc\ud800d", "a-b-c-d-", id="NUL, line end, lone surrogate"),
        pytest.param("fox " * 2500, "fox-" * 10, id="10 kB"),
        pytest.param("x" * 10_000, "x" * 40 + "-", id="10 kB in one word"),
        pytest.param("--- -- -", "", id="dashes"),
        pytest.param("İstanbul K", "i-stanbul-k-", id="letters that change in lower case"),
    ],
)
def test_any_prompt_has_a_name_that_any_file_system_takes(both: Store, prompt: str, words: str) -> None:
    made, data = job(prompt=prompt)
    for stored in (both.put(made, data), exported(made, data, store.BESIDE)):
        match = re.fullmatch(
            r"(?:\d\d-\d{6}\.\d{6}-)?(.*)42-[0-9a-f]{12}-[0-9a-f]{12}\.json", stored.path.name, re.ASCII
        )
        assert match is not None
        assert match[1] == words
        assert len(stored.path.name) <= 110
        reserved = {"con", "prn", "aux", "nul", "com1", "lpt1"}
        assert stored.path.name.partition(".")[0] not in reserved
    assert len(list(both)) == 1
    assert len(list(Store(both.folder, None))) == 1
    assert len(list(Store(None))) == 1


def test_an_image_of_an_unknown_seed_is_kept_and_listed(own: Store) -> None:
    stored = own.put(*job(seed=None))
    assert re.search(r"-noseed-[0-9a-f]{12}-nokey\.json$", stored.path.name)
    assert list(own) == [stored]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(own: Store, umask: int) -> None:
    before = os.umask(umask)
    try:
        stored = own.put(*job())
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (stored.path, *stored.files)}
    assert modes == {0o666 & ~umask}
    assert stat.S_IMODE(stored.path.parent.stat().st_mode) == 0o777 & ~umask


def one(**options: Any) -> Generation:
    """Return what a client makes, in a program without a background loop."""
    made = asyncio.run(AsyncClient().generate("a fox", **options))
    assert isinstance(made, Generation)
    return made


@pytest.mark.usefixtures("request_needs_no_space")
def test_what_cannot_be_kept_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    made = one(store=str(tmp_path / "store"))
    assert made.data == encoded()
    assert made.path is None
    assert re.fullmatch(r"cannot keep the image in .*store.*: (?:Not a directory|File exists)", made.note)
    assert (tmp_path / "store").read_text() == "a file"


@pytest.fixture
def request_needs_no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)


@contextmanager
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """Within it permissions count, which they do not for root."""
    root = os.geteuid() == 0
    if root:
        for folder in (tmp_path, *tmp_path.parents):
            if folder == tmp_path or folder.name.startswith(("pytest-", "popen-")):  # a worker has one more
                folder.chmod(0o755)
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.usefixtures("request_needs_no_space")
def test_a_store_that_may_only_be_read_still_replays_and_says_why_nothing_is_kept(own: Store) -> None:
    stored = own.put(*job())
    assert own.folder is not None
    one(store=False)  # what is imported is imported by anyone who may read it
    for path in (stored.path.parent, own.folder):
        path.chmod(0o555)
    with as_nobody(own.folder.parent):
        found, made = own.find(key(stored.record)), one(store=str(own.folder))
    assert found == stored
    assert made.data == encoded()
    assert made.note.endswith(": Permission denied")
    assert len([path for path in own.folder.rglob("*") if path.is_file()]) == 2


def settled(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a clock for the listings that a test turns on."""
    now = [1000.0]
    monkeypatch.setattr("flux_magic.records.listing.time.monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the folders whose names are read from now on."""
    read: list[str] = []
    real = os.listdir

    def listdir(path: str) -> list[str]:
        read.append(Path(path).name)
        return real(path)

    monkeypatch.setattr("flux_magic.records.listing.os.listdir", listdir)
    return read


def test_a_folder_that_nobody_changes_is_read_no_more(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pass_by, read = settled(monkeypatch), counted(monkeypatch)
    stored = [own.put(*job(seed=seed)) for seed in range(3)]
    for seconds, again in ((0, 2), (1.9, 2), (0.2, 2), (0, 0), (9, 0)):
        pass_by(seconds)
        read.clear()
        assert [own.find(key(one.record)) for one in stored[:1]] == stored[:1]
        assert len(read) == again
    assert own.find("f" * 64) is None
    assert list(own) == stored[::-1]
    assert read == []


@pytest.mark.parametrize("keep_times", [False, True], ids=["times as they are", "the old times again"])
def test_what_is_put_into_a_known_folder_is_found_at_once(
    own: Store, monkeypatch: pytest.MonkeyPatch, *, keep_times: bool
) -> None:
    pass_by = settled(monkeypatch)
    first = own.put(*job(seed=1))
    for _ in range(3):
        assert list(own) == [first]
        pass_by(3)
    at = first.path.parent.stat()
    second = own.put(*job(seed=2))
    if keep_times:
        os.utime(first.path.parent, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert own.find(key(second.record)) == second
    own.delete(first)
    assert list(own) == [second]


def test_a_folder_that_is_another_one_under_the_same_name_is_read(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pass_by = settled(monkeypatch)
    first = own.put(*job(seed=1))
    for _ in range(3):
        assert list(own) == [first]
        pass_by(3)
    assert own.folder is not None
    shutil.rmtree(own.folder)
    assert list(own) == []
    second = own.put(*job(seed=2))
    assert list(own) == [second]


def test_folders_are_read_in_their_order_and_listed_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def made(day: int) -> tuple[Record, list[bytes]]:
        return job(encoded(colour=day), seed=day, started=f"2026-01-{day:02}T00:00:00+00:00")

    department, lesson = Store(tmp_path / "department", None), tmp_path / "lesson"
    for day in (1, 4):
        department.put(*made(day))
    for day in (2, 4, 5):  # what an export wrote, and somebody shares
        exported(*made(day), lesson)
    reader = Store(tmp_path / "own", shared=(tmp_path / "department", lesson))
    for day in (3, 5):
        reader.put(*made(day))
    exported(*made(6), store.BESIDE)
    assert [stored.record.seed for stored in reader] == [6, 5, 4, 3, 2, 1]
    found = [reader.find(key(made(day)[0])) for day in (6, 4, 5, 3, 7)]
    folders = [stored and stored.path.relative_to(tmp_path).parts[0] for stored in found]
    assert folders == ["flux_images", "department", "lesson", "own", None]
    assert reader.skipped == []
    assert reader.find_digest(made(4)[0].files[0].digest) == []


def test_what_is_damaged_in_a_shared_store_is_found_in_the_next(tmp_path: Path) -> None:
    made, data = job()
    Store(tmp_path / "shared", None).put(made, data).files[0].write_bytes(b"")
    reader = Store(tmp_path / "own", None, (tmp_path / "shared", tmp_path / "gone", Path("a\0b")))
    own = reader.put(made, data)
    assert reader.find(key(made)) == own
    damaged, gone, strange = sorted(reader.skipped)
    assert "is skipped: the image" in damaged
    assert gone == "shared store 2 cannot be read: No such file or directory"
    assert strange.startswith("shared store 3 cannot be read: ")
    assert "null" in strange


def test_a_part_of_a_shared_store_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, data = job()
    month = Store(tmp_path / "shared", None).put(made, data).path.parent
    scandir = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path) == month:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    reader = Store(tmp_path / "own", None, (tmp_path / "shared", tmp_path / "gone"))
    reader.find("0" * 64)
    assert reader.skipped == [
        f"shared store 1 cannot be read in {month.name}: Permission denied",
        "shared store 2 cannot be read: No such file or directory",
    ]


def test_who_fills_a_shared_store_sees_each_image_once(tmp_path: Path) -> None:
    teachers = Store(tmp_path, None, (tmp_path,))
    stored = teachers.put(*job())
    assert list(teachers) == list(teachers.find_jobs(key(stored.record))) == [stored]
