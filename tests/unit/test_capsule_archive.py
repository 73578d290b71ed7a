"""The zip file of a capsule: the same bytes each time, and a hostile one writes nothing outside its folder."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_magic.capsules import archive, manifest
from flux_magic.cli import main
from flux_magic.errors import CapsuleError, SaveError


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system, made.external_attr = 3, mode << 16
    return made


def zipped(*entries: zipfile.ZipInfo | str, data: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for one in entries:
            made.writestr(one, data)
    return out.getvalue()


def patched(data: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


def bomb(lying: int) -> bytes:
    """Return a zip file of 50 MB of zeros, whose list says that they are fewer."""
    data = zipped("zeros.txt", data=bytes(50_000_000))
    return patched(data, (struct.pack("<L", 50_000_000), struct.pack("<L", lying)))


def overlapping() -> bytes:
    """Return a zip file whose list names one content three times, as a bomb does."""
    data = zipped("a.txt", "b.txt", "c.txt", data=bytes(5000))
    heads = [one.header_offset for one in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    start = data.index(b"PK\1\2")
    return data[:start] + patched(data[start:], *((struct.pack("<L", at), struct.pack("<L", 0)) for at in heads[2:]))


def encrypted() -> bytes:
    data = bytearray(zipped("a.txt"))
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def large() -> bytes:
    """Return a zip file that a locator of the large form says to be one of millions of files."""
    data = zipped("a.txt")
    at = data.index(b"PK\5\6")
    return data[:at] + b"PK\6\7" + struct.pack("<LQL", 0, 0, 1) + data[at:]


def large_entry() -> bytes:
    """Return a zip file whose list says, in the large form, that a file has 2**63 bytes."""
    made = entry("a.txt")
    made.extra = struct.pack("<HHQ", 1, 8, 2**63)
    data = zipped(made)
    start = data.index(b"PK\1\2")
    return data[: start + 24] + b"\xff" * 4 + data[start + 28 :]


def end(number: int, length: int) -> bytes:
    return b"PK\x03\x04" + bytes(60) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, length, 0, 0)


HOSTILE = [
    pytest.param(lambda: b"no zip at all", "it is no zip file", id="no zip"),
    pytest.param(lambda: zipped("a.txt")[:-30], "no", id="cut off"),
    pytest.param(lambda: zipped("../out.txt"), "outside the folder", id="parent"),
    pytest.param(lambda: zipped("a/../../out.txt"), "outside the folder", id="parent within"),
    pytest.param(lambda: zipped("/tmp/out.txt"), "outside the folder", id="absolute"),
    pytest.param(lambda: zipped("C:/out.txt"), "file systems do not take", id="drive"),
    pytest.param(lambda: zipped("..\\out.txt"), "file systems do not take", id="backslash"),
    pytest.param(lambda: zipped("a\nb.txt"), "file systems do not take", id="line end"),
    pytest.param(lambda: zipped("a\u202eb.txt"), "file systems do not take", id="reordering"),
    pytest.param(lambda: patched(zipped("a_b.txt"), (b"a_b", b"a\0b")), "file systems do not take", id="NUL"),
    pytest.param(lambda: patched(zipped("abc.txt"), (b"abc", b"a\xffc")), "not UTF-8", id="no UTF-8"),
    pytest.param(lambda: patched(zipped("äb.txt"), ("äb".encode(), b"\xff\xfeb")), "not UTF-8", id="broken UTF-8"),
    pytest.param(lambda: zipped("con.txt"), "some systems", id="device's name"),
    pytest.param(lambda: zipped("a./b.txt"), "some systems", id="ends in a dot"),
    pytest.param(lambda: zipped("a" * 250), "too long", id="long name"),
    pytest.param(lambda: zipped("/".join("a" * 40)), "too long", id="deep"),
    pytest.param(lambda: zipped(entry("link", 0o120777), data=b"/etc/passwd"), "is a link", id="link"),
    pytest.param(lambda: zipped(entry("pipe", 0o010644)), "is a device", id="pipe"),
    pytest.param(lambda: patched(zipped("a.txt", "b.txt"), (b"b.txt", b"a.txt")), "two files", id="twice"),
    pytest.param(lambda: zipped("A.txt", "a.txt"), "two files", id="twice but for case"),
    pytest.param(lambda: zipped("e\u0301.txt", "\u00e9.txt"), "two files", id="twice but for Unicode"),
    pytest.param(lambda: zipped("a", "a/b.txt"), "two files", id="file and folder"),
    pytest.param(lambda: zipped("a/b.txt", "a"), "two files", id="folder and file"),
    pytest.param(lambda: zipped("aux/a.txt"), "some systems", id="folder's name is a device's"),
    pytest.param(lambda: zipped("a//b.txt"), "outside the folder", id="empty part"),
    pytest.param(lambda: zipped("a\x1b[2J.txt"), "file systems do not take", id="control character"),
    pytest.param(lambda: zipped(*(f"{at}.txt" for at in range(archive.MOST_FILES + 1))), "50,000 files", id="many"),
    pytest.param(lambda: end(65535, 9), "50,000 files", id="says a million"),
    pytest.param(lambda: end(3, 2**31), "50,000 files", id="long list"),
    pytest.param(large, "50,000 files", id="large form"),
    pytest.param(large_entry, "9,223,372,036,854,775,808 bytes", id="large form of a file"),
    pytest.param(overlapping, "overlaps another", id="overlapping"),
    pytest.param(encrypted, "is encrypted", id="encrypted"),
    pytest.param(lambda: bomb(100), "no", id="longer than it says"),
    pytest.param(lambda: bomb(300 * 2**20), "allowed for a zip file of its size", id="says too much"),
    pytest.param(lambda: zipped("a", "b", data=bytes(45_000_000)), "allowed for a zip file of its size", id="swells"),
    pytest.param(
        lambda: patched(zipped("a.txt", data=b"abc" * 9), (zipped("a.txt", data=b"abc" * 9)[14:18], b"0000")),
        "no whole",
        id="wrong checksum",
    ),
]


@pytest.mark.parametrize(("make", "why"), HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_zip_is_one_clear_line_and_writes_nothing_outside(
    make: Callable[[], bytes], why: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "paper.zip"
    path.write_bytes(make())
    with pytest.raises(CapsuleError, match=rf"paper\.zip (is not|cannot be) unpacked: .*{why}") as raised:
        archive.unpack(path, tmp_path / "in")
    assert len(str(raised.value).splitlines()) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "paper.zip"]
    assert sum(one.stat().st_size for one in (tmp_path / "in").rglob("*")) < 1000


CELL = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "1", "outputs": []}
DEEP = "[" * 600 + "]" * 600


def make_notebook(cells: int = 1) -> str:
    return json.dumps({"cells": [CELL] * cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write_content(folder: Path, **told: str) -> None:
    """Write a notebook and the two lists of a capsule into a folder; then the files that are `told`, by their names."""
    notebook = make_notebook().encode()
    (folder / "a.ipynb").write_bytes(notebook)
    made = manifest.Manifest("A fox", "3.11.7", "here", {"a.ipynb": manifest.sum_cells(notebook)})
    (folder / manifest.MANIFEST).write_bytes(made.as_bytes())
    for name, content in told.items():
        (folder / name.replace("__", "/")).parent.mkdir(exist_ok=True)
        (folder / name.replace("__", "/")).write_text(content, encoding="utf-8")
    manifest.write_sums(folder)


def list_notebooks(*names: str, title: str = "x", python: str = "3.11.7", cells: int = 0) -> str:
    sums = [{"source": "0", "outputs": "0"}] * cells
    told = {"schema": 1, "flux_magic": "1", "title": title, "python": python, "requirements": {"source": "x"}}
    return json.dumps(told | {"notebooks": [{"file": name, "cells": sums} for name in names]})


CONTENT = [
    pytest.param({}, 0, "intact: all files as packed", id="nothing"),
    pytest.param({"capsule.json": list_notebooks("b.ipynb")}, 1, "missing  b.ipynb", id="names what is not there"),
    pytest.param({"capsule.json": list_notebooks("../a.ipynb")}, 1, "capsule.json is not whole", id="leads out"),
    pytest.param({"capsule.json": list_notebooks("/a.ipynb")}, 1, "capsule.json is not whole", id="leads to the root"),
    pytest.param({"capsule.json": list_notebooks("a\0.ipynb")}, 1, "capsule.json is not whole", id="no name"),
    pytest.param({"capsule.json": list_notebooks()}, 1, "names no notebook", id="no notebook"),
    pytest.param(
        {"capsule.json": list_notebooks("a.ipynb", cells=2000), "a.ipynb": make_notebook(2500)},
        1,
        "there are 2,500, and 2,000 were packed",
        id="cells",
    ),
    pytest.param({"capsule.json": list_notebooks("a.ipynb", title="\ud800<b>")}, 1, "added or changed", id="surrogate"),
    pytest.param({"capsule.json": list_notebooks("a.ipynb", python="/x")}, 1, "no version of Python", id="Python"),
    pytest.param({"capsule.json": "[]"}, 1, "of another version than 1", id="a list"),
    pytest.param({"capsule.json": DEEP * 2}, 1, "is not JSON", id="no list"),
    pytest.param({"capsule.json": " " * 17_000_000}, 1, "it has over 16 MiB", id="long list"),
    pytest.param({"ro-crate-metadata.json": DEEP}, 0, "intact: all files as packed", id="deep metadata"),
    pytest.param({"ro-crate-metadata.json": DEEP * 90_000}, 0, "intact: all files as packed", id="100 MB"),
    pytest.param({"flux_images__a.json": DEEP}, 0, "intact: all files as packed", id="deep record"),
    pytest.param({"a.ipynb": DEEP}, 1, "it is no notebook", id="deep notebook"),
    pytest.param({"a\x1b[2J.txt": ""}, 1, "file systems do not take", id="control character"),
]


@pytest.mark.parametrize(("told", "code", "named"), CONTENT)
def test_hostile_content_is_named_in_a_line(
    told: dict[str, str], code: int, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    write_content(tmp_path / "in", **told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "check_names", lambda _: None)
        archive.write_archive(tmp_path / "in", tmp_path / "paper.zip")
    page = tmp_path / "report.html"
    assert main(["reproduce", "--static", str(tmp_path / "paper.zip"), "--html", str(page)]) == code
    said = capsys.readouterr()
    assert named in said.out + said.err
    assert not said.err or len(said.err.splitlines()) == 1
    assert "<b>" not in (page.read_text(encoding="utf-8") if page.exists() else "")


def test_an_archive_has_the_same_bytes_whenever_and_in_whatever_order_its_files_were_written(tmp_path: Path) -> None:
    made = []
    for at, names in enumerate((("b/ä.txt", "a.png", "SUMS"), ("SUMS", "a.png", "b/ä.txt"))):
        folder = tmp_path / str(at)
        for number, name in enumerate(names):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(f"{name}\n".encode() * 99)
            (folder / name).chmod(0o600 + number)
            os.utime(folder / name, (at * 1e9, at * 1e9 + number))
        archive.write_archive(folder, target := tmp_path / f"{at}.zip")
        made.append(target.read_bytes())
    assert made[0] == made[1]
    assert archive.unpack(tmp_path / "0.zip", tmp_path / "out") == archive.list_files(tmp_path / "0")
    assert (tmp_path / "out" / "b" / "ä.txt").read_bytes() == "b/ä.txt\n".encode() * 99
    assert not any(stat.S_IMODE(one.stat().st_mode) & 0o111 for one in (tmp_path / "out").rglob("*") if one.is_file())


def test_too_much_for_a_capsule_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 5)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"123456")
    with pytest.raises(SaveError, match="1 file of 6 bytes"):
        archive.write_archive(tmp_path / "in", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize(
    ("names", "why"),
    [
        pytest.param(["what?.ipynb"], "file systems do not take", id="question mark"),
        pytest.param(["a.ipynb", "A.ipynb"], "two files", id="twice but for case"),
    ],
)
def test_a_name_that_is_not_unpacked_is_not_written(names: list[str], why: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(CapsuleError, match=why):
        archive.write_archive(tmp_path, tmp_path.parent / "out.zip")
    assert not (tmp_path.parent / "out.zip").exists()
